"""The measures of an evaluation as sections of its page: tables with intervals, plots, confusion matrices."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from typing import Any, TypeVar

import numpy as np

from gendeg.jobs.evaluation_files import ALL, Calibration, Results, Sample, Structure
from gendeg.jobs.report_plots import plot_arms, plot_by_intensity
from gendeg.metrics.uncertainty import Estimate
from gendeg.report.cells import column, interval
from gendeg.report.html import Block, Cell, Facts, Figure, Figures, Section, Table, percent

Column = tuple[str, str, int, float]
"""An estimate's name, the column's head, digits after the point, and a factor."""

ARMS = {
    "model": ("generated", "model: as gendeg synth makes it"),
    "uncorrected": ("existing", "uncorrected: without structure correction"),
    "uncalibrated": ("prior", "uncalibrated: without the stored calibration"),
    "simulator": ("simulated", "simulator: simple physics at the same mu"),
    "roundtrip": ("ideal", "roundtrip: the simulator's image through the autoencoder only"),
}
"""Arm → colour on the page, and what it is."""

CALIBRATION: Sequence[Column] = (
    ("mu_mae", "mean error of mu", 4, 1.0),
    ("mu_bias", "bias of mu", 4, 1.0),
    ("mu_spearman", "Spearman of mu", 3, 1.0),
    ("sigma_mae", "mean error of sigma", 4, 1.0),
    ("sigma_bias", "bias of sigma", 4, 1.0),
    ("sigma_spearman", "Spearman of sigma", 3, 1.0),
    ("refused", "refused, %", 1, 100.0),
)
STRUCTURE: Sequence[Column] = (
    ("psnr", "PSNR to the photo, dB", 1, 1.0),
    ("shift", "shift, pixels", 2, 1.0),
    ("aligned", "within half a pixel, %", 1, 100.0),
    ("detail", "detail kept", 3, 1.0),
    ("detail_relative", "detail, of the simulator's", 3, 1.0),
    ("ssim", "SSIM without low frequencies", 3, 1.0),
)
REALISM: Sequence[Column] = (
    ("model", "model", 3, 1.0),
    ("simulator", "simulator", 3, 1.0),
    ("clean", "not degraded at all", 3, 1.0),
    ("real", "another draw of real photos", 3, 1.0),
    ("gain", "simulator − model", 3, 1.0),
)
DIVERSITY: Sequence[Column] = (
    ("model", "model", 4, 1.0),
    ("simulator", "simulator", 4, 1.0),
    ("ratio", "model ÷ simulator", 2, 1.0),
)
CHANGE: Sequence[Column] = (
    ("distance", "distance to the simulators' ÷ other seeds'", 2, 1.0),
    ("spread", "spread over seeds ÷ the simulators'", 2, 1.0),
)
CHANGE_GROUPS: Sequence[Column] = (
    ("fine", "fine layer", 2, 1.0),
    ("spectrum", "spectrum", 2, 1.0),
    ("direction", "direction", 2, 1.0),
    ("length", "length", 2, 1.0),
    ("colour", "colour", 2, 1.0),
    ("brightness", "dependence on the photo", 2, 1.0),
)
CHANGE_STATISTICS: Sequence[Column] = (
    ("kurtosis", "kurtosis of the fine layer", 1, 1.0),
    ("skewness", "its skewness", 2, 1.0),
    ("fine_share", "its share", 2, 1.0),
    ("coherence_local", "coherence, local", 2, 1.0),
    ("coherence_global", "coherence, over the picture", 2, 1.0),
    ("length", "length, pixels", 1, 1.0),
    ("width", "width, pixels", 1, 1.0),
)
Part = TypeVar("Part", Calibration, Structure)
PARTS = (("", "all intensities"), ("_strong", "intensity ≥ 0.5"))
DISTANCES = {
    "sliced_wasserstein": "Sliced Wasserstein distance of Laplacian patches to real photos (lower is closer)",
    "two_sample": "A classifier tells real from made: area under its curve (0.5: it cannot)",
    "kid": "KID to real photos (lower is closer)",
}


def _kinds(parts: Mapping[str, Any]) -> list[str]:
    """Degradations in the file's order; the pooled row last."""
    return [kind for kind in parts if kind != ALL] + ([ALL] if ALL in parts else [])


def _table(caption: str, parts: Mapping[str, Any], columns: Sequence[Column]) -> Table:
    """A row a degradation: of its estimates, by field or by key, those columns that somebody has."""
    kinds = _kinds(parts)
    found = [(spec, [_one(parts[kind], spec[0]) for kind in kinds]) for spec in columns]
    there = [(spec, estimates) for spec, estimates in found if any(estimates)]
    cells = [column(estimates, digits, scale) for (_, _, digits, scale), estimates in there]
    rows: list[list[Cell | str]] = [[kind, *(cell[row] for cell in cells)] for row, kind in enumerate(kinds)]
    return Table(caption, ["degradation", *(spec[1] for spec, _ in there)], rows)


def _one(part: Any, name: str) -> Estimate | None:
    found: Estimate | None = part.get(name) if isinstance(part, Mapping) else getattr(part, name)
    return found


# --- sections ---


def calibration_section(results: Results, samples: Sequence[Sample]) -> Section | None:
    arms = results.calibration
    if not arms:
        return None
    blocks: list[Block] = [_table(_title(arm), parts, CALIBRATION) for arm, parts in _ordered(arms)]
    grid = [one for one in samples if one.purpose == "grid" and one.arm in arms]
    for name in ("mu", "sigma"):
        figures = []
        for kind in _single(arms):
            drawn = {arm: _asked(grid, arm, kind, name) for arm in ("simulator", "uncalibrated", "model")}
            drawn = {ARMS[arm][0]: values for arm, values in drawn.items() if len(values[0])}
            images = sum(len(asked) for asked, _ in drawn.values())
            figures.append(Figure(plot_arms(kind, name, drawn), f"{kind}, {images:,} images"))
        legend = [(ARMS[arm][0], arm) for arm in ("model", "uncalibrated", "simulator") if arm in arms]
        blocks.append(Figures(figures, legend, f"{name}, asked and measured"))
    text = "On a grid of intensities, one image of each photo. The dashed line is asked = measured."
    return Section("calibration", "Calibration", [text], blocks)


def _title(arm: str) -> str:
    return ARMS.get(arm, ("", arm))[1]


def _single(arms: Mapping[str, Mapping[str, Part]]) -> list[str]:
    """The degradations of the model, or of the first arm."""
    return [kind for kind in _kinds(arms.get("model", next(iter(arms.values())))) if kind != ALL]


def _asked(samples: Iterable[Sample], arm: str, kind: str, name: str) -> tuple[np.ndarray, np.ndarray]:
    those = [one.record for one in samples if one.arm == arm and one.record.degradation == kind]
    asked = np.array([getattr(record, f"{name}_requested") for record in those], float)
    return asked, np.array([getattr(record, name) for record in those], float)


def _ordered(arms: Mapping[str, Mapping[str, Part]]) -> list[tuple[str, Mapping[str, Part]]]:
    return [(arm, arms[arm]) for arm in (*(a for a in ARMS if a in arms), *(a for a in arms if a not in ARMS))]


def structure_section(results: Results) -> Section | None:
    arms = results.structure
    if not arms:
        return None
    blocks: list[Block] = [_table(_title(arm), parts, STRUCTURE) for arm, parts in _ordered(arms)]
    legend = [(ARMS[arm][0], arm) for arm, _ in _ordered(arms) if arm in ARMS]
    for key, label in (("psnr", "PSNR, dB"), ("detail", "detail kept")):
        figures = []
        for kind in _single(arms):
            curves = {
                ARMS[arm][0]: [(point.intensity, getattr(point, key)) for point in parts[kind].by_intensity or ()]
                for arm, parts in _ordered(arms)
                if arm in ARMS and kind in parts
            }
            figures.append(Figure(plot_by_intensity(kind, label, curves), kind))
        blocks.append(Figures(figures, legend, f"{label}, by intensity"))
    limit = results.autoencoder
    through = {"clean photos": limit.psnr_clean, **limit.psnr_degraded} if limit else {}
    rows = [(f"{what} through the autoencoder, PSNR in dB", interval(one, 1)) for what, one in through.items()]
    text = (
        "Is the degraded image still this photo? The simulator never moves anything and is the reference; the round "
        "trip through the autoencoder is what no sampling could improve on."
    )
    return Section("structure", "Structure", [text], [*blocks, *([Facts(rows)] if rows else [])])


def realism_section(results: Results) -> Section | None:
    blocks: list[Block] = []
    for name, parts in (results.realism or {}).items():
        table = _table(DISTANCES.get(name, name), parts, REALISM)
        rows = [
            [*row, str(parts[kind].real_photos), parts[kind].closer]
            for row, kind in zip(table.rows, _kinds(parts), strict=True)
        ]
        blocks.append(Table(table.caption, [*table.columns, "real photos", "closer to them"], rows))
    text = (
        "Distance between generated and real degraded photos. Another draw of real photos says how near one can come "
        "with so few. Where clean photos are nearest, the distance speaks of what is in the photos, and of how weakly "
        "they are degraded, more than of what degraded them."
    )
    return Section("realism", "Realism", [text], blocks) if blocks else None


def diversity_section(results: Results) -> Section | None:
    parts = results.diversity or {}
    text = "Same photo, same intensity, other seeds: how far the images are from each other."
    table = _table("Distance between seeds", parts, DIVERSITY)
    return Section("diversity", "Diversity", [text], [table]) if parts else None


def change_section(results: Results) -> Section | None:
    parts = results.change
    if not parts:
        return None
    rows, columns = {}, list(CHANGE)
    for kind, part in parts.items():
        at = {f"at {point.intensity:g}": point.distance for point in part.by_intensity}
        rows[kind] = {"distance": part.distance, **at, "spread": part.spread}
        columns[1:-1] = [(name, name, 2, 1.0) for name in at]
    blocks: list[Block] = [
        _table("All statistics, by intensity", rows, columns),
        _table(
            "The same distance by what the statistics speak of", {k: p.groups for k, p in parts.items()}, CHANGE_GROUPS
        ),
        _table(ARMS["model"][1], {kind: part.model for kind, part in parts.items()}, CHANGE_STATISTICS),
        _table(ARMS["simulator"][1], {kind: part.simulator for kind, part in parts.items()}, CHANGE_STATISTICS),
    ]
    text = (
        "The change, degraded − clean, of the model and of the simulators on the same photos: how fine, how peaked, "
        "which way, how long, what colour, where. A model that averages makes soft blots of the right strength, which "
        "these statistics see. The distance is 1 for the simulators with other seeds, and says how much more two sets "
        "of 16 changes are apart than chance makes them; the spread is how much the statistics of seeds differ."
    )
    return Section("change", "The change itself", [text], blocks)


def recognition_section(results: Results) -> Section | None:
    found = results.recognition
    if not found:
        return None
    columns: list[Column] = []
    right: dict[str, dict[str, Estimate]] = {}
    tables: list[Block] = []
    for (arm, naming), (ending, title) in product((("model", found.model), ("simulator", found.simulator)), PARTS):
        columns.append((arm + ending, f"{arm}, {title}, %", 1, 100.0))
        for kind, one in getattr(naming, f"accuracy{ending}").items():
            right.setdefault(kind, {})[arm + ending] = one
        counts = getattr(naming, f"confusion{ending}")
        tables.append(_confusion(f"{arm}: confusion matrix, {title}", found.labels, counts))
    classifier = found.classifier
    text = (
        f"A small classifier, trained on {classifier.get('trained_on', '?')} pairs (and right in "
        f"{percent(classifier.get('held_out_accuracy', 0.0), 1)} of {classifier.get('held_out', '?')} held-out ones), "
        "names the degradation."
    )
    return Section("recognition", "Type recognition", [text], [_table("Named rightly", right, columns), *tables])


def _confusion(caption: str, labels: Sequence[str], counts: Sequence[Sequence[int]]) -> Table:
    rows: list[list[Cell | str]] = []
    for label, row in zip(labels, counts, strict=True):
        total = max(1, sum(row))
        rows.append([label, *(Cell(str(count) if count else "·", shade=count / total) for count in row), f"{sum(row)}"])
    return Table(f"{caption} (row: asked for; column: named)", ["", *labels, "images"], rows)
