"""The changes that a model makes beside the simulators' of the same photos: the section `change` of an evaluation."""

from collections import defaultdict

import numpy as np

from gendeg.configs import EvaluateConfig
from gendeg.jobs.evaluate_images import CHANGE, CHANGED_AT, GRID, MODEL, SIMULATOR
from gendeg.jobs.evaluate_measures import Summary
from gendeg.jobs.evaluation_files import Change, ChangePoint, Sample
from gendeg.metrics.change import BLUR_WINDOW, NAMES, change_statistics
from gendeg.metrics.energy import compare_changes
from gendeg.metrics.uncertainty import Estimate
from gendeg.primitives.images import read_rgb
from gendeg.primitives.kinds import Degradation, parse_mix
from gendeg.primitives.rng import for_sample

SHOWN = ("kurtosis", "skewness", "fine_share", "coherence_local", "coherence_global", "length", "width")
FEWEST = 2  # photos
Versions = dict[str, dict[float, list[Sample]]]
"""Photo → intensity → its images, by seed."""


def summarise_change(summary: Summary, config: EvaluateConfig) -> dict[str, Change]:
    """Degradation → distance and spread as in `metrics/energy.py`, and medians of some statistics of both arms.

    Of the photos that are compared, where both arms have every seed at each of `CHANGED_AT`; a degradation with fewer
    than two of them is left out.
    """
    found = {}
    for name in summary.degradations:
        model, simulator = (_versions(summary, arm, name, config.variants) for arm in (MODEL, SIMULATOR))
        photos = [photo for photo in model if photo in simulator]
        if len(photos) < FEWEST:
            continue
        other, reference = (_statistics(rows, photos, name, config) for rows in (model, simulator))
        generator = for_sample(config.seed, f"change/{name}", "bootstrap")
        compared = compare_changes(reference, other, config.draws, generator)
        medians = {
            arm: _medians(summary, f"change/{name}/{arm}", [rows[photo] for photo in photos], changes)
            for arm, rows, changes in ((MODEL, model, other), (SIMULATOR, simulator, reference))
        }
        points = [ChangePoint(q, one) for q, one in zip(CHANGED_AT, compared.intensities, strict=True)]
        found[name] = Change(
            compared.distance, points, compared.groups, compared.spread, len(photos), config.variants, **medians
        )
    return found


def _versions(summary: Summary, arm: str, degradation: str, wanted: int) -> Versions:
    """Photos that have all versions, and are large enough to measure."""
    found: dict[str, dict[float, dict[int, Sample]]] = defaultdict(lambda: defaultdict(dict))
    for row in summary.rows:
        record, large = row.record, min(row.record.width, row.record.height) >= BLUR_WINDOW
        mine = row.arm == arm and row.purpose in (GRID, CHANGE) and record.degradation == degradation
        if mine and large and record.intensity in CHANGED_AT:
            found[row.photo][record.intensity][record.seed] = row
    whole = {
        photo: {q: [seeds[seed] for seed in sorted(seeds)] for q, seeds in by_intensity.items()}
        for photo, by_intensity in found.items()
    }
    return {photo: rows for photo, rows in whole.items() if all(len(rows.get(q, ())) == wanted for q in CHANGED_AT)}


def _statistics(rows: Versions, photos: list[str], degradation: str, config: EvaluateConfig) -> np.ndarray:
    """[intensities, photos, versions, statistics]."""
    blur = Degradation.MOTION_BLUR in parse_mix(degradation)

    def of(row: Sample) -> np.ndarray:
        clean, degraded = (read_rgb(config.out / file) for file in (row.clean, row.degraded))
        return change_statistics(clean, degraded, blur)

    return np.array([[[of(row) for row in rows[photo][q]] for photo in photos] for q in CHANGED_AT])


def _medians(
    summary: Summary, name: str, photos: list[dict[float, list[Sample]]], changes: np.ndarray
) -> dict[str, Estimate]:
    """Of `SHOWN`, over intensities, photos and seeds; kurtosis and skewness of the fine layer, lengths in pixels."""
    rows = [row for q in CHANGED_AT for photo in photos for row in photo[q]]
    flat = changes.reshape(-1, len(NAMES))
    plain = {"kurtosis": np.exp, "skewness": np.sinh, "length": np.exp2, "width": np.exp2}
    found = {}
    for statistic in SHOWN:
        values = plain.get(statistic, np.asarray)(flat[:, NAMES.index(statistic)])
        found[statistic] = summary.over(f"{name}/{statistic}", rows, lambda at, v=values: float(np.median(v[at])))  # type: ignore[misc]
    return found
