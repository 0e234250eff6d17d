"""An evaluation's report: the sections of its page, from results.json, samples.jsonl and the images beside them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gendeg import __version__
from gendeg.configs import ReportConfig
from gendeg.jobs.evaluation_files import RESULTS, SAMPLES
from gendeg.jobs.report_measures import (
    ARMS,
    calibration_section,
    change_section,
    diversity_section,
    realism_section,
    recognition_section,
    structure_section,
)
from gendeg.jobs.report_rows import evenly_ranked
from gendeg.jobs.report_samples import LARGEST, OF_A_KIND, VISIBLE, Sample, best_and_worst, read_samples, sample_card
from gendeg.primitives.errors import BadManifest
from gendeg.primitives.files import read_json_object
from gendeg.primitives.progress import track
from gendeg.report.cells import interval
from gendeg.report.html import Block, Cell, Facts, Page, Section, Sheet, Table, plain

SCHEMA = "gendeg-evaluation-1"
EXTREMES = 10  # of the best and of the worst
REFUSED_SHOWN = 24
OTHERS = 3  # of the other arms a third as many pictures as of the model
Numbers = Mapping[str, Any]


def evaluation_page(config: ReportConfig) -> Page:
    """Raises `BadManifest` when the files are not an evaluation of this version."""
    folder = config.path
    results = read_json_object(folder / RESULTS)
    if results.get("schema") != SCHEMA:
        reason = f"an evaluation of another version ({results.get('schema')!r}, not {SCHEMA})"
        raise BadManifest(folder / RESULTS, 0, reason, "evaluate again")
    samples = read_samples(folder / SAMPLES)
    try:
        return _page(config, results, samples)
    except (KeyError, TypeError, AttributeError) as error:
        reason = f"not as gendeg evaluate writes it ({error!r})"
        raise BadManifest(folder / RESULTS, 0, reason, "evaluate again") from error


def _page(config: ReportConfig, results: Numbers, samples: Sequence[Sample]) -> Page:
    model, settings = results["model"], results["settings"]
    sections = [
        _headline(results),
        _extremes(config, samples),
        calibration_section(results, samples),
        _refused(config, results, samples),
        structure_section(results),
        realism_section(results),
        diversity_section(results),
        change_section(results),
        recognition_section(results),
        _contact(config, samples),
        _provenance(results),
    ]
    photos, kinds = len({one.photo for one in samples}), ", ".join(settings.get("types", []))
    return Page(
        title=f"{model['name']}",
        kind="Evaluation",
        text=f"How well this model degrades photographs ({kinds}), measured on {photos} photos.",
        tiles=_tiles(results, samples),
        sections=[section for section in sections if section is not None],
        footer=f"Measured by gendeg {results.get('gendeg', '?')}, written by gendeg {__version__}. Numbers in "
        "brackets: 95 % interval of a bootstrap over photos.",
    )


def _tiles(results: Numbers, samples: Sequence[Sample]) -> list[tuple[str, str]]:
    tiles = [(f"{len(samples):,}", "images measured")]
    pooled = results.get("calibration", {}).get("model", {}).get("all", {})
    strong = results.get("recognition", {}).get("model", {}).get("accuracy_strong", {}).get("all")
    for one, label, form in (
        (pooled.get("mu_mae"), "mean |mu measured − asked|", "{:.4f}"),
        (pooled.get("mu_spearman"), "Spearman of mu", "{:.3f}"),
        (pooled.get("refused"), "refused by the filter", "{:.1%}"),
        (strong, "named rightly at intensity ≥ 0.5", "{:.1%}"),
    ):
        if one:
            tiles.append((form.format(one["value"]).replace("%", " %"), label))
    targets = [row for row in results.get("headline", []) if "met" in row]
    if targets:
        tiles.append((f"{sum(row['met'] for row in targets)} of {len(targets)}", "targets met"))
    return tiles


# --- sections ---


def _headline(results: Numbers) -> Section | None:
    rows = [
        [Cell(row["title"]), row.get("degradation", ""),
         interval(row, 4) + (f" {row['unit']}" if row.get("unit") else ""),
         ("≤ " if row.get("better") == "lower" else "≥ ") + f"{row['wanted']:g}",
         Cell("met" if row["met"] else "missed", good=row["met"])]
        for row in results.get("headline", [])
        if "met" in row
    ]  # fmt: skip
    if not rows:
        return None
    table = Table("What was aimed at, and what came out", ["measure", "degradation", "measured", "wanted", ""], rows)
    return Section("headline", "Targets", [], [table])


def _extremes(config: ReportConfig, samples: Sequence[Sample]) -> Section:
    best, worst = best_and_worst(samples, EXTREMES)
    text = (
        f"Of the model's own images at intensity {VISIBLE} and above, by rule and not by hand: each is ranked among "
        "the images of the same degradation and intensity by its error of mu, its error of sigma, the detail kept and "
        "the certainty of its right name (what was measured of these), and the ranks are averaged. Images that the "
        f"filter refuses come first among the worst. At most {OF_A_KIND} of one degradation and of one photo, as long "
        f"as there are others. Full size (at most {LARGEST} pixels); small images are enlarged to be seen."
    )
    sheets: list[Block] = []
    for title, chosen in (("Best", best), ("Worst", worst)):
        cards = [sample_card(config.path, one, LARGEST) for one in track(chosen, title, len(chosen), config.progress)]
        sheets.append(Sheet(cards, large=True, heading=f"{title} {len(cards)}"))
    return Section("extremes", "Best and worst", [text], sheets)


def _refused(config: ReportConfig, results: Numbers, samples: Sequence[Sample]) -> Section:
    parts = results.get("calibration", {}).get("model", {})
    reasons = {kind: part.get("reasons", {}) for kind, part in parts.items() if kind != "all"}
    names = sorted({name for counts in reasons.values() for name in counts})
    blocks: list[Block] = []
    if names:
        most = max(sum(counts.values()) for counts in reasons.values())
        rows = [
            [kind, Cell(bars=[("failed", sum(counts.values()) / most)]), *(str(counts.get(name, 0)) for name in names)]
            for kind, counts in reasons.items()
        ]
        blocks.append(Table("Refused images by reason", ["degradation", "", *names], rows))
    refused = [one for one in samples if one.arm == "model" and one.verdict]
    chosen = _varied_refused(refused)
    if chosen:
        blocks.append(Sheet([sample_card(config.path, one, config.picture_size) for one in chosen]))
    failures = results.get("failures", [])
    if failures:
        rows = [[str(row.get(name, "")) for name in ("failed", "clean_path", "message")] for row in failures]
        blocks.append(Table("Photos that could not be used", ["reason", "photo", "message"], rows))
    mine = sum(one.arm == "model" for one in samples)
    text = (
        f"{len(refused):,} of the model's {mine:,} images would be refused by the filter of gendeg build at the first "
        f"attempt. {len(chosen)} of them are shown, the reasons and degradations by turns."
    )
    return Section("failures", "Failures", [text], blocks)


def _varied_refused(refused: Sequence[Sample]) -> list[Sample]:
    turns: dict[tuple[str, str], int] = {}
    order = []
    for one in refused:
        group = one.verdict, one.record.degradation
        turns[group] = turns.get(group, 0) + 1
        order.append((turns[group], group, one))
    return [one for *_, one in sorted(order, key=lambda item: item[:2])[:REFUSED_SHOWN]]


def _contact(config: ReportConfig, samples: Sequence[Sample]) -> Section:
    grid = [one for one in samples if one.purpose == "grid"]
    fewer, chosen = max(1, config.pictures // OTHERS), []
    for kind in dict.fromkeys(one.record.degradation for one in grid):
        for arm in dict.fromkeys([*ARMS, *(one.arm for one in grid)]):
            here = [one for one in grid if one.record.degradation == kind and one.arm == arm]
            count = config.pictures if arm == "model" else fewer
            if here:
                chosen += [here[i] for i in evenly_ranked(np.array([one.record.mu for one in here]), count)]
    bar = track(chosen, "reading pictures", len(chosen), config.progress)
    cards = [sample_card(config.path, one, config.picture_size) for one in bar]
    text = (
        f"{len(cards):,} of {len(samples):,} images, by rule: those of each degradation in the order of measured mu, "
        f"{config.pictures} of the model's at evenly spaced ranks and {fewer} of every other maker. Scaled to at most "
        f"{config.picture_size} pixels. Move the line with the pointer, a finger, or the arrow keys."
    )
    return Section("pairs", "Contact sheet", [text], [Sheet(cards, controls=True, made_by="Made by")])


def _provenance(results: Numbers) -> Section:
    model, settings = results["model"], results["settings"]
    rows = [("model", str(model.get("name", ""))), ("SHA-256 of the model", str(model.get("sha256", "")))]
    rows += [(name.replace("_", " "), plain(value)) for name, value in model.items() if name not in ("name", "sha256")]
    rows += [(name.replace("_", " "), plain(value)) for name, value in settings.items() if value not in ("", None)]
    seconds, version = results.get("seconds", 0), results.get("gendeg", "")
    rows += [("made", f"{results.get('created', '')}, in {seconds:,.0f} s, by gendeg {version}")]
    return Section("provenance", "Provenance", [], [Facts(rows)])


def is_evaluation(folder: Path) -> bool:
    return (folder / RESULTS).is_file()
