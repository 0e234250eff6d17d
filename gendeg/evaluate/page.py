"""An evaluation's report: the sections of its page, from results.json, samples.jsonl and the images beside them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gendeg import __version__
from gendeg.build.page_rows import evenly_ranked
from gendeg.evaluate.page_samples import LARGEST, OF_A_KIND, VISIBLE, best_and_worst, sample_card
from gendeg.evaluate.page_sections import (
    ARMS,
    calibration_section,
    change_section,
    diversity_section,
    realism_section,
    recognition_section,
    structure_section,
)
from gendeg.evaluate.results import ALL, RESULTS, Results, Scored, read_results, read_samples
from gendeg.pairs.photos import by_turns
from gendeg.primitives.progress import track
from gendeg.report.cells import interval, number
from gendeg.report.config import ReportConfig
from gendeg.report.html import Block, Cell, Facts, Page, Section, Sheet, Table, percent, plain

EXTREMES = 10  # of the best and of the worst
REFUSED_SHOWN = 24
OTHERS = 3  # of the other arms a third as many pictures as of the model


def evaluation_page(config: ReportConfig) -> Page:
    """Raises `BadManifest` when the files are not an evaluation of this version."""
    results, samples = read_results(config.path), read_samples(config.path)
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
    photos, kinds = len({one.photo for one in samples}), ", ".join(results.settings.get("types", []))
    return Page(
        title=str(results.model.get("name", "")),
        kind="Evaluation",
        text=f"How well this model degrades photographs ({kinds}), measured on {photos} photos.",
        tiles=_tiles(results, samples),
        sections=[section for section in sections if section is not None],
        footer=f"Measured by gendeg {results.gendeg}, written by gendeg {__version__}. Numbers in "
        "brackets: 95 % interval of a bootstrap over photos.",
    )


def _tiles(results: Results, samples: Sequence[Scored]) -> list[tuple[str, str]]:
    tiles = [(f"{len(samples):,}", "images measured")]
    pooled = results.calibration.get("model", {}).get(ALL)
    if pooled:
        tiles.append((number(pooled.mu_mae.value, 4), "mean |mu measured − asked|"))
        if pooled.mu_spearman:
            tiles.append((number(pooled.mu_spearman.value, 3), "Spearman of mu"))
        if pooled.refused:
            tiles.append((percent(pooled.refused.value, 1), "refused by the filter"))
    if results.recognition and ALL in results.recognition.model.accuracy_strong:
        strong = results.recognition.model.accuracy_strong[ALL]
        tiles.append((percent(strong.value, 1), "named rightly at intensity ≥ 0.5"))
    targets = [row for row in results.headline if row.met is not None]
    if targets:
        tiles.append((f"{sum(bool(row.met) for row in targets)} of {len(targets)}", "targets met"))
    return tiles


# --- sections ---


def _headline(results: Results) -> Section | None:
    rows: list[list[Cell | str]] = [
        [Cell(row.title), row.degradation, " ".join(filter(None, [interval(row.estimate, 4), row.unit])),
         f"{'≤' if row.better == 'lower' else '≥'} {row.wanted:g}",
         Cell("met" if row.met else "missed", good=row.met)]
        for row in results.headline
        if row.met is not None
    ]  # fmt: skip
    if not rows:
        return None
    table = Table("What was aimed at, and what came out", ["measure", "degradation", "measured", "wanted", ""], rows)
    return Section("headline", "Targets", [], [table])


def _extremes(config: ReportConfig, samples: Sequence[Scored]) -> Section:
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


def _refused(config: ReportConfig, results: Results, samples: Sequence[Scored]) -> Section:
    parts = results.calibration.get("model", {})
    reasons = {kind: part.reasons or {} for kind, part in parts.items() if kind != ALL}
    names = sorted({name for counts in reasons.values() for name in counts})
    blocks: list[Block] = []
    if names:
        most = max(sum(counts.values()) for counts in reasons.values())
        rows: list[list[Cell | str]] = [
            [kind, Cell(bars=[("failed", sum(counts.values()) / most)]), *(str(counts.get(name, 0)) for name in names)]
            for kind, counts in reasons.items()
        ]
        blocks.append(Table("Refused images by reason", ["degradation", "", *names], rows))
    refused = [one for one in samples if one.arm == "model" and one.verdict]
    chosen = by_turns(refused, lambda one: (one.verdict, one.record.degradation), REFUSED_SHOWN)
    if chosen:
        blocks.append(Sheet([sample_card(config.path, one, config.picture_size) for one in chosen]))
    if results.failures:
        failed = [[one.failed, one.clean_path, one.message] for one in results.failures]
        blocks.append(Table("What could not be read, or made so strong", ["reason", "photo", "message"], failed))
    mine = sum(one.arm == "model" for one in samples)
    text = (
        f"{len(refused):,} of the model's {mine:,} images would be refused by the filter of gendeg build at the first "
        f"attempt. {len(chosen)} of them are shown, the reasons and degradations by turns."
    )
    return Section("failures", "Failures", [text], blocks)


def _contact(config: ReportConfig, samples: Sequence[Scored]) -> Section:
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


def _provenance(results: Results) -> Section:
    model, settings = results.model, results.settings
    rows = [("model", str(model.get("name", ""))), ("SHA-256 of the model", str(model.get("sha256", "")))]
    rows += [(name.replace("_", " "), plain(value)) for name, value in model.items() if name not in ("name", "sha256")]
    rows += [(name.replace("_", " "), plain(value)) for name, value in settings.items() if value not in ("", None)]
    rows += [("made", f"{results.created}, in {results.seconds:,.0f} s, by gendeg {results.gendeg}")]
    return Section("provenance", "Provenance", [], [Facts(rows)])


def is_evaluation(folder: Path) -> bool:
    return (folder / RESULTS).is_file()
