"""The page of a study, from its results.json: what was trained on, what it was worth, and what it was not."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gendeg import __version__
from gendeg.report.cells import interval, number, verdict
from gendeg.report.html import Cell, Facts, Figures, Page, Section, Table, plain
from gendeg.study.data import EXISTING, GENERATED
from gendeg.study.figures import picture_sheet, plot_curves, plot_scatter
from gendeg.study.numbers import INPUT, MIXES
from gendeg.study.plan import BESIDE, BOTH, PLACES
from gendeg.study.scores import ALL, ALL_BUT_BLUR, OOD, WITHIN, kinds_of
from gendeg.study.tsne import UNSEEN
from gendeg.study.work import Study

Numbers = Mapping[str, Any]
COLOURS = {EXISTING: "existing", GENERATED: "generated", UNSEEN: "prior"}
MEASURES = (("psnr", "PSNR, dB", 2), ("e_r", "E_R", 4), ("e_b", "E_B", 4))
HOW = (
    "Numbers in brackets: 95 % interval of a bootstrap that redraws the seeds of the trainings and, within every "
    "source, its photos (Owen, 2007). Every degradation counts alike, and every source within one."
)


def study_page(study: Study, results: Numbers) -> Page:
    """The whole page."""
    sections = [
        _claim(results), _arms(results), _scaling(results), _mix(results), _mixtures(results["mixtures"]),
        _tsne(results["tsne"]),
        _complexity(results["complexity"]), _prior(results["content_prior"]),
        _transfer(results["transfer"]), _data(study, results), _provenance(study, results),
    ]  # fmt: skip
    claim, total = results["difference"]["claim"], _claimed(results).get(ALL)
    gained = f"{len(claim['better'])} of {len(kinds_of(_claimed(results)))}"
    tiles = [(gained, "degradations that gain out of distribution")]
    if total:
        tiles.append(
            (f"{number(total['value'], 2, signed=True)} dB", "existing + generated over existing, unseen sources")
        )
    tiles.append((str(sum(row["runs"] for row in results["budget"])), "trainings"))
    tiles.append((str(len(study.recipe.arms.seeds)), "seeds of every arm"))
    return Page(
        title="Does generated data help a restorer?",
        kind="Study",
        text="Restorers of one size, trained for equally many steps on existing data, on generated data and on both, "
        "and tested on photos from the same sources and from sources that none of them has seen.",
        tiles=tiles,
        sections=[section for section in sections if section is not None],
        footer=f"Written by gendeg {__version__}. {HOW}",
    )


def _claimed(results: Numbers) -> Numbers:
    found: Numbers = results["difference"].get(f"{BOTH} - {EXISTING}", {}).get(OOD, {}).get("psnr", {}).get("means", {})
    return found


# --- the experiment ---


def _claim(results: Numbers) -> Section:
    """Existing + generated minus existing, per degradation and per source, and generated alone minus existing."""
    told, claim = results["difference"], results["difference"]["claim"]
    both, alone = (told.get(f"{arm} - {EXISTING}", {}) for arm in (BOTH, GENERATED))
    tables = [
        _gains("Existing + generated minus existing, paired by seed and image", both),
        _sources(both.get(OOD, {})),
        _gains("Generated alone minus existing", alone),
    ]
    for arm, other in ((BESIDE, EXISTING), (BOTH, BESIDE)):
        if found := told.get(f"{arm} - {other}"):
            tables.append(_gains(f"{arm.capitalize()} minus {other} (physics: simulators in the model's place)", found))
    met = "This is met." if claim["met"] else "This is not met."
    text = [
        (
            "The claim of GenDeg: data generated beside the existing one makes restorers better out of distribution. "
            f"Wanted: a gain whose interval excludes zero for at least {claim['wanted']} degradations. {met} "
            f"Better: {', '.join(claim['better']) or 'none'}; worse: {', '.join(claim['worse']) or 'none'}; "
            "the rest is undecided. Motion blur is the paper's own weak case and stands in a row of its own."
        ),
        HOW,
    ]
    return Section("claim", "Out of distribution", text, tables)


def _gains(title: str, told: Numbers) -> Table:
    """A row a degradation, and for all of them."""
    ood, within = (told.get(which, {}) for which in (OOD, WITHIN))
    means = ood.get("psnr", {}).get("means", {})
    rows: list[list[Cell | str]] = [
        [kind, verdict(means[kind], 2), verdict(ood["ssim"]["means"].get(kind), 4),
         verdict(within.get("psnr", {}).get("means", {}).get(kind), 2), f"{means[kind]['n']}, {means[kind]['sources']}"]
        for kind in [*kinds_of(means), *(name for name in (ALL_BUT_BLUR, ALL) if name in means)]
    ]  # fmt: skip
    columns = ["degradation", "PSNR unseen, dB", "SSIM unseen", "PSNR within, dB", "unseen images, sources"]
    return Table(title, columns, rows)


def _sources(ood: Numbers) -> Table:
    rows = [
        [place.replace("/", " · "), verdict(one, 2), str(one["n"])]
        for place, one in ood.get("psnr", {}).get("sources", {}).items()
    ]
    return Table("The same for each unseen source", ["degradation and source", "PSNR, dB", "images"], rows)


def _arms(results: Numbers) -> Section:
    blocks = []
    for which, title in ((OOD, "Out of distribution"), (WITHIN, "Within distribution")):
        rows = [row for row in results["arms"] if row["set"] == which and row["psnr"]]
        if not rows:
            continue
        names = [*kinds_of(rows[0]["psnr"]), *(name for name in (ALL_BUT_BLUR, ALL) if name in rows[0]["psnr"])]
        for measure, digits, unit in (("psnr", 2, "PSNR, dB"), ("ssim", 4, "SSIM")):
            best = {name: max(row[measure][name]["value"] for row in rows if row["arm"] != INPUT) for name in names}
            cells = [[row["arm"], *(_best(row, measure, name, digits, best[name]) for name in names)] for row in rows]
            blocks.append(Table(f"{title}: {unit} (the best arm in green)", ["arm", *names], cells))
    roles = results["roles"]
    known, unseen = ([place for place, role in roles.items() if role == which] for which in (WITHIN, OOD))
    text = (
        "One network for all degradations; the arms differ in their data only. A source is within distribution when "
        f"the existing data has pairs of it: {_listed(known)}. Out of distribution: {_listed(unseen)}."
    )
    return Section("arms", "Arms", [text], blocks)


def _listed(places: Sequence[str]) -> str:
    """`haze (simulated, sots), rain (simulated)`: sources by degradation."""
    sources: dict[str, list[str]] = {}
    for kind, source in (place.split("/", 1) for place in places):
        sources.setdefault(kind, []).append(source)
    return ", ".join(f"{kind} ({', '.join(names)})" for kind, names in sources.items()) or "none"


def _best(row: Numbers, measure: str, name: str, digits: int, best: float) -> Cell:
    one = row[measure][name]
    return Cell(interval(one, digits), good=True if row["arm"] != INPUT and one["value"] == best else None)


def _scaling(results: Numbers) -> Section:
    rows = results["scaling"]
    marks = [(float(place), f"{row['share']:g}") for place, row in enumerate(rows)]
    figures = [
        plot_curves(
            f"PSNR against the share of generated samples, {title}", "share of the generated samples", "PSNR, dB",
            {kind: [(place, row[which].get(ALL)) for (place, _), row in zip(marks, rows, strict=True)]},
            marks, f"{title}, all degradations.",
        )
        for which, title, kind in (
            (OOD, "out of distribution", "generated"), (WITHIN, "within distribution", "existing"))
        if rows[0][which]
    ]  # fmt: skip
    kinds = kinds_of(rows[0][OOD])
    cells = [
        [f"{row['share']:g}", str(row["pairs"]), str(row["origins"].get("generated", 0)),
         *(verdict(row[f"{OOD} gain"][kind], 2) if row["share"] else "–" for kind in [*kinds, ALL])]
        for row in rows
    ]  # fmt: skip
    columns = ["share", "pairs", "of them generated", *kinds, ALL]
    table = Table("Gain over existing data alone out of distribution, dB", columns, cells)
    text = ["Existing data and a share of the generated samples; smaller shares of one seed lie within larger ones."]
    return Section("scaling", "How much of it", text, [Figures(figures), table])


def _mix(results: Numbers) -> Section:
    names = [f"{share:g}" for share in MIXES]
    best = {name: max(row[name]["value"] for row in results["mix"] if row[name]) for name in names}
    rows = [
        [row["arm"], str(row["pairs"]),
         *(Cell(interval(row[name], 2), good=True if row[name]["value"] == best[name] else None) for name in names)]
        for row in results["mix"]
    ]  # fmt: skip
    columns = ["trained on", "pairs", *(f"{100 * share:.0f} % unseen" for share in MIXES)]
    text = ["What to expect where a share of the photos comes from unseen sources and the rest from known ones."]
    table = Table("Mean PSNR in dB over such a stream (the best in green)", columns, rows)
    return Section("mix", "Within and out of distribution, mixed", text, [table])


def _mixtures(rows: Sequence[Numbers]) -> Section | None:
    """Proportions, strengths and degradations of the generated data."""
    if not rows:
        return None
    unseen = f"{OOD} gain"
    kinds = kinds_of(rows[0][unseen])
    cells: list[list[Cell | str]] = []
    for row in rows:
        counts = (str(row["origins"].get(origin, 0)) for origin in (EXISTING, GENERATED))
        gains = [row[unseen][kind] for kind in [*kinds, ALL]] + [row[f"{WITHIN} gain"].get(ALL)]
        over = verdict(row[f"{OOD} over both"][ALL], 2) if row["mixture"] != BOTH else "–"
        told = (verdict(one, 2) if row["mixture"] != EXISTING else "–" for one in gains)
        cells.append([row["mixture"], *counts, *told, over])
    columns = ["mixture", "existing", "generated", *kinds, ALL, f"{ALL}, seen sources", "over all of both"]
    text = (
        "Existing and generated pairs in other proportions, all trainings of equally many steps. Shares are of the "
        "pairs there are (2: each twice); a degradation's share and strength (0 the weakest, 1 the strongest of each) "
        "are of the generated ones. PSNR in dB gained over existing data alone on unseen sources, then on seen ones; "
        "in the last column on unseen ones over existing + generated as they are. Many comparisons on one test: the "
        "best of them is better here than it will be elsewhere."
    )
    return Section(
        "mixtures", "Mixtures", [text], [Table("By mixture (green: the interval excludes zero)", columns, cells)]
    )


# --- what it teaches: features, backgrounds and range of rain, content prior, task transfer ---


def _tsne(told: Numbers) -> Section:
    """A plot a degradation, and the distance of unseen images to both training sets."""
    kinds = list(dict.fromkeys(point["degradation"] for point in told["points"]))
    figures = [plot_scatter(kind, told["points"], COLOURS, kind) for kind in kinds]
    rows = []
    for kind, near in told["nearest"].items():
        ours, theirs = near.get(GENERATED), near.get(EXISTING)
        nearer = ours < theirs if ours is not None and theirs is not None else None
        texts = ["–" if value is None else f"{value:.2f}" for value in (theirs, ours)]
        rows.append([kind, texts[0], Cell(texts[1], good=nearer)])
    columns = ["degradation", "to existing", "to generated"]
    caption = "Distance of unseen images to their nearest neighbour of the set (green: generated is nearer)"
    table = Table(caption, columns, rows)
    text = (
        "t-SNE of what the degradation changes in a restorer's coarsest features (of the degraded image minus of the "
        f"clean one; {told['restorer']}). All degradations were laid out together; each plot shows one of them. "
        "Distances are in the features themselves, standardised; t-SNE's own mean little."
    )
    legend = [(colour, origin) for origin, colour in COLOURS.items()]
    return Section("tsne", "Features", [text], [Figures(figures, legend), table])


def _complexity(told: Numbers) -> Section | None:
    """Both curves of arXiv 2502.12600, in small."""
    if not told:
        return None
    counts = [(float(np.log2(row["backgrounds"])), str(row["backgrounds"])) for row in told["backgrounds"]]
    ranges = [(float(place), _range(row["range"])) for place, row in enumerate(told["ranges"])]
    blocks: list[Any] = []
    for axis, rows, marks in (("backgrounds", told["backgrounds"], counts), ("ranges", told["ranges"], ranges)):
        label = "backgrounds" if axis == "backgrounds" else "range of the rain, from narrow to full"
        figures = [
            plot_curves(
                f"{title} against {label}", label, title,
                {"generated": [(place, row[key]) for (place, _), row in zip(marks, rows, strict=True)],
                 "ideal": [(marks[0][0], told["input"][key])]},
                marks, f"{title} on unseen rain{'' if key == 'psnr' else ' (lower is better)'}.",
            )
            for key, title, _ in MEASURES
        ]  # fmt: skip
        legend = [("generated", "restored"), ("ideal", "the rainy photo as it is")]
        blocks.append(Figures(figures, legend, heading=_heading(axis, told), across=3))
        blocks.append(_curve_table(axis, rows, marks))
    text = (
        "Hu et al. (arXiv 2502.12600) find that derainers trained on fewer backgrounds, and on a wider range of rain, "
        "remove more of unseen rain: a network learns what is easier to learn, and few backgrounds leave the rain as "
        f"the easier part. Every derainer here has {told['pairs']} pairs and equally many steps. E_R: error inside the "
        "rain, E_B: error outside it. The curves show what was measured, whether it agrees or not."
    )
    return Section("complexity", "Backgrounds and range", [text], blocks)


def _heading(axis: str, told: Numbers) -> str:
    if axis == "backgrounds":
        return f"Number of backgrounds, rain of strength {_range(told['fixed_range'])}"
    return f"Range of the rain, {told['fixed_backgrounds']} backgrounds"


def _range(limits: Sequence[float]) -> str:
    return f"{limits[0]:g}–{limits[1]:g}"


def _curve_table(axis: str, rows: Sequence[Numbers], marks: Sequence[tuple[float, str]]) -> Table:
    cells = [
        [text, *(interval(row[key], digits) for key, _, digits in MEASURES)]
        for (_, text), row in zip(marks, rows, strict=True)
    ]
    head = "backgrounds" if axis == "backgrounds" else "strengths"
    return Table("Means over seeds and photos", [head, *(title for _, title, _ in MEASURES)], cells)


def _prior(rows: Sequence[Numbers]) -> Section | None:
    if not rows:
        return None
    cells = [
        [f"{row['task']}: {row['source']}", "seen" if row["seen"] else "unseen", row["network"],
         interval(row["psnr_input"], 2), interval(row["psnr"], 2), verdict(row["gain"]), interval(row["ssim"], 4)]
        for row in rows
    ]  # fmt: skip
    columns = ["tested on", "", "network", "degraded, dB", "restored, dB", "over plain, dB", "SSIM"]
    text = (
        "Narrow rain, and Gaussian noise of one deviation, are trained on; other rain and other noises are tested on. "
        "plain: degraded → clean in pixels. prior: the network changes the latent of a frozen autoencoder, whose "
        "decoder makes the image. prior+detail: with a light residual of its finest features added. A small "
        "autoencoder limits what the prior can show: its own error is part of every number of these two rows."
    )
    return Section(
        "content-prior", "Content prior", [text], [Table("Plain and through the autoencoder", columns, cells)]
    )


def _transfer(told: Numbers) -> Section:
    """What gendeg restore transfer --compare tells, or why it is absent."""
    title = "Task transfer"
    if "absent" in told:
        return Section("transfer", title, [told["absent"]], [])
    test, arms = told["test"], told["arms"]
    rows = []
    for which, measured in test.items():
        if isinstance(measured, dict):
            size = arms.get(which, {})
            good = verdict(measured["psnr"]) if " - " in which else Cell(interval(measured["psnr"], 2))
            rest = (interval(measured[key], 4) if key in measured else "–" for key in ("ssim", "e_r", "e_b"))
            rows.append([which, str(size.get("pairs", "–")), str(size.get("steps", "–")), good, *rest])
    accuracy = told["teachers"]["classifier"]["accuracy"]
    text = [
        "Two teachers learn from real photos without pairs (degraded or not; undoing a scattering blur), are distilled "
        "into one encoder, and a minority of the pairs fine-tunes it (Wang et al., arXiv 2208.13133). scratch: "
        "the same network on that minority alone; all: on every pair. All make equally many steps of fine-tuning. "
        f"Teacher 1 names {accuracy['value']:.1%} of held-out photos rightly.".replace("%", " %")
    ]
    columns = ["arm", "pairs", "steps", "PSNR, dB", "SSIM", "E_R", "E_B"]
    caption = f"On {test['n']} unseen pairs, {test['seeds']} seeds" if test else "No test pairs"
    return Section("transfer", title, text, [Table(caption, columns, rows)])


# --- what went in ---


def _data(study: Study, results: Numbers) -> Section:
    rows = [
        [row["set"], row["used"], str(sum(row["counts"].values())),
         ", ".join(f"{name} {count}" for name, count in row["counts"].items()), row["sha256"][:12]]
        for row in results["data"]
    ]  # fmt: skip
    table = Table("Sets of pairs", ["set", "used for", "pairs", "by degradation", "SHA-256"], rows)
    text = (
        "Existing: gendeg's own simulators with narrow parameters over one half of the photos, and the training split "
        "of the real pairs. Generated: gendeg build over the other half. Strangers: a second family of simulators, by "
        "other published equations (gendeg/physics/strangers.py), over test photos; nothing was trained on it."
    )
    return Section("data", "Data", [text], [table, picture_sheet(study)])


def _provenance(study: Study, results: Numbers) -> Section:
    columns = ["section", "trainings", "steps", "crops a step", "crops seen", "pairs to draw from", "images tested"]
    rows = [
        [row["section"], str(row["runs"]), *(_same(row[key]) for key in ("steps", "batch", "seen", "pairs", "tested"))]
        for row in results["budget"]
    ]
    facts = [("recipe", study.recipe.path.name), ("fingerprint", results["fingerprint"])]
    facts += [(f"SHA-256 of {name}", digest) for name, digest in results["inputs"].items() if digest]
    told = {name: value for name, value in study.recipe.described().items() if name not in PLACES}
    facts += [(name, plain(value)) for name, value in told.items() if value not in ("", [], None)]
    table = Table("Every training of a section makes the same steps and sees equally many crops", columns, rows)
    text = ["Seconds and dates stand in times.jsonl beside this page, since nothing depends on them."]
    return Section("provenance", "Budget and provenance", text, [table, Facts(facts)])


def _same(ends: Sequence[int]) -> str:
    return f"{ends[0]:,}" if ends[0] == ends[1] else f"{ends[0]:,} to {ends[1]:,}"
