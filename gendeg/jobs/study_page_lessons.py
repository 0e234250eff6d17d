"""Sections of a study's page that teach: features, backgrounds and range of rain, content prior, task transfer."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gendeg.jobs.study_data import EXISTING, GENERATED
from gendeg.jobs.study_plots import plot_curves, plot_scatter
from gendeg.jobs.study_tables import estimate, signed
from gendeg.jobs.study_tsne import UNSEEN
from gendeg.report.html import Cell, Figures, Section, Table

Numbers = Mapping[str, Any]
COLOURS = {EXISTING: "existing", GENERATED: "generated", UNSEEN: "prior"}
MEASURES = (("psnr", "PSNR, dB", 2), ("e_r", "E_R", 4), ("e_b", "E_B", 4))


def tsne_section(told: Numbers) -> Section:
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


def complexity_section(told: Numbers) -> Section | None:
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
        [text, *(estimate(row[key], digits) for key, _, digits in MEASURES)]
        for (_, text), row in zip(marks, rows, strict=True)
    ]
    head = "backgrounds" if axis == "backgrounds" else "strengths"
    return Table("Means over seeds and photos", [head, *(title for _, title, _ in MEASURES)], cells)


def prior_section(rows: Sequence[Numbers]) -> Section | None:
    if not rows:
        return None
    cells = [
        [f"{row['task']}: {row['source']}", "seen" if row["seen"] else "unseen", row["network"],
         estimate(row["psnr_input"], 2), estimate(row["psnr"], 2), _gain(row["gain"]), estimate(row["ssim"], 4)]
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


def _gain(one: Numbers | None) -> Cell:
    if not one:
        return Cell("–")
    return Cell(signed(one, 2), good=True if one["low"] > 0 else False if one["high"] < 0 else None)


def transfer_section(told: Numbers) -> Section:
    """What gendeg restore transfer --compare tells, or why it is absent."""
    title = "Task transfer"
    if "absent" in told:
        return Section("transfer", title, [told["absent"]], [])
    test, arms = told["test"], told["arms"]
    rows = []
    for which, measured in test.items():
        if isinstance(measured, dict):
            size = arms.get(which, {})
            good = _gain(measured["psnr"]) if " - " in which else Cell(estimate(measured["psnr"], 2))
            rest = (estimate(measured[key], 4) if key in measured else "–" for key in ("ssim", "e_r", "e_b"))
            rows.append([which, str(size.get("pairs", "–")), str(size.get("steps", "–")), good, *rest])
    accuracy = told["teachers"]["classifier"]["accuracy"]
    text = [
        "Two teachers learn from real photos without pairs (degraded or not; undoing a scattering blur), are distilled "
        "into one encoder, and a minority of the pairs fine-tunes it (Wang et al., arXiv 2208.13133). scratch: "
        "the same network on that minority alone; all: on every pair. All make equally many steps of fine-tuning. "
        f"Teacher 1 names {accuracy['value']:.1%} of held-out photos rightly.".replace("%", " %"),
    ]
    columns = ["arm", "pairs", "steps", "PSNR, dB", "SSIM", "E_R", "E_B"]
    caption = f"On {test['n']} unseen pairs, {test['seeds']} seeds" if test else "No test pairs"
    return Section("transfer", title, text, [Table(caption, columns, rows)])
