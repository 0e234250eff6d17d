"""Generated images beside real degraded photos, versions of one photo beside each other, changes beside simulators'."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from gendeg.evaluate.config import EvaluateConfig
from gendeg.evaluate.images import CHANGE, CHANGED_AT, GRID, MODEL, SIMULATOR, VARIED_AT
from gendeg.evaluate.measures import Summary
from gendeg.evaluate.results import Change, ChangePoint, Diversity, Realism, Scored
from gendeg.metrics.change import BLUR_WINDOW, NAMES, change_statistics
from gendeg.metrics.distance import compare_with_real, feature_distance, laplacian_patches, patch_distance
from gendeg.metrics.diversity import diversity
from gendeg.metrics.energy import compare_changes
from gendeg.metrics.features import load_features
from gendeg.metrics.recognition import image_statistics, two_sample_auc
from gendeg.metrics.uncertainty import Estimate
from gendeg.pairs.photo import Photo
from gendeg.pairs.photos import open_real
from gendeg.primitives.errors import BadImage
from gendeg.primitives.images import U8Image, read_rgb, resize_short_side
from gendeg.primitives.kinds import Degradation, parse_mix
from gendeg.primitives.progress import track
from gendeg.primitives.records import Failure
from gendeg.primitives.rng import for_sample

Describe = Callable[[U8Image], np.ndarray]
MOST_REAL = 60  # photos of one degradation
FEWEST_REAL, FEWEST_PHOTOS = 4, 2
DRAWS = 100  # at most: each sorts tens of thousands of projections
SHOWN = ("kurtosis", "skewness", "fine_share", "coherence_local", "coherence_global", "length", "width")
Versions = dict[str, dict[float, list[Scored]]]
"""Photo → intensity → its images, by seed."""


def summarise_realism(
    summary: Summary, config: EvaluateConfig, failures: list[Failure]
) -> dict[str, dict[str, Realism]]:
    """Measure → degradation → distances. Real photos that cannot be read go to `failures`."""
    assert config.real is not None
    real = open_real(config.real, config.split, MOST_REAL)
    measures: dict[str, tuple[Describe, Callable[[Sequence[np.ndarray], Sequence[np.ndarray]], float]]] = {
        "sliced_wasserstein": (_patches, patch_distance),
        "two_sample": (image_statistics, two_sample_auc),
    }
    if config.features:
        measures["kid"] = (
            load_features(Path(config.features), config.device if config.device != "auto" else "cpu"),
            feature_distance,
        )
    found: dict[str, dict[str, Realism]] = {name: {} for name in measures}
    wanted = [name for name in summary.degradations if name in real]
    for name in track(wanted, "realism", wanted=config.progress):
        photos = _read_real(real[name], config.size, failures)
        pairs = _same_requests(summary, name)
        if len(photos) < FEWEST_REAL or len({row.photo for row, _ in pairs}) < FEWEST_PHOTOS:
            continue
        answers, references = zip(*pairs, strict=True)
        whole = (
            photos,
            [read_rgb(config.out / row.degraded) for row in answers],
            [read_rgb(config.out / row.degraded) for row in references],
            [read_rgb(config.out / row.clean) for row in answers],
        )
        names = [row.photo for row in answers]
        for measure, (describe, distance) in measures.items():
            targets, generated, simulated, clean = ([describe(image) for image in images] for images in whole)
            generator = for_sample(config.seed, f"{measure}/{name}", "realism")
            draws = min(config.draws, DRAWS)
            compared = compare_with_real(targets, generated, simulated, clean, names, distance, draws, generator)
            found[measure][name] = Realism(**vars(compared), closer=compared.closer, real_photos=len(photos))
    return found


def _patches(image: U8Image) -> np.ndarray:
    """Patches at random places, the same ones whenever the same image comes."""
    return laplacian_patches(image, np.random.default_rng(int(image.sum())))


def _read_real(photos: Sequence[Photo], size: int, failures: list[Failure]) -> list[U8Image]:
    """At the evaluated size, which takes most of a JPEG's own traces away."""
    images = []
    for photo in photos:
        try:
            images.append(resize_short_side(photo.image(), size))
        except BadImage as error:
            failures.append(Failure.of(error, photo.name))
    return images


def _same_requests(summary: Summary, degradation: str) -> list[tuple[Scored, Scored]]:
    """(the model's, the simulator's) of every request of the grid."""
    simulated = {row.place: row for row in summary.grid(SIMULATOR, degradation)}
    return [(row, simulated[row.place]) for row in summary.grid(MODEL, degradation) if row.place in simulated]


def summarise_diversity(summary: Summary, config: EvaluateConfig) -> dict[str, Diversity]:
    """Degradation → difference between seeds, of the model's images and the simulator's."""
    found = {}
    for name in summary.degradations:
        model, simulator = (_versions(summary, arm, name) for arm in (MODEL, SIMULATOR))
        photos = [photo for photo in model if photo in simulator]
        if not photos:
            continue
        spread = [[_difference(rows[photo], config.out) for photo in photos] for rows in (model, simulator)]
        first = [model[photo][0] for photo in photos]
        found[name] = Diversity(
            summary.mean(f"diversity/{name}/model", first, spread[0]),
            summary.mean(f"diversity/{name}/simulator", first, spread[1]),
            summary.ratio(f"diversity/{name}/ratio", first, *spread) if sum(spread[1]) > 0 else None,
        )
    return found


def _versions(summary: Summary, arm: str, degradation: str) -> dict[str, list[Scored]]:
    """Photo → its images with different seeds at `VARIED_AT`, where there are at least two."""
    rows = (row for row in summary.rows if row.arm == arm and row.degradation == degradation)
    seeds = {photo: list(found.get(VARIED_AT, {}).values()) for photo, found in _by_seed(rows).items()}
    return {photo: versions for photo, versions in seeds.items() if len(versions) > 1}


def _by_seed(rows: Iterable[Scored]) -> dict[str, dict[float, dict[int, Scored]]]:
    """Photo → intensity → seed → image."""
    found: dict[str, dict[float, dict[int, Scored]]] = defaultdict(lambda: defaultdict(dict))
    for row in rows:
        found[row.photo][row.record.intensity][row.record.seed] = row
    return found


def _difference(rows: Sequence[Scored], out: Path) -> float:
    return diversity([read_rgb(out / row.degraded) for row in rows])


# --- the changes themselves ---


def summarise_change(summary: Summary, config: EvaluateConfig) -> dict[str, Change]:
    """Degradation → distance and spread as in `metrics/energy.py`, and medians of some statistics of both arms.

    Of the photos that are compared, where both arms have every seed at each of `CHANGED_AT`; a degradation with fewer
    than two of them is left out.
    """
    found = {}
    for name in summary.degradations:
        model, simulator = (_whole(summary, arm, name, config.variants) for arm in (MODEL, SIMULATOR))
        photos = [photo for photo in model if photo in simulator]
        if len(photos) < FEWEST_PHOTOS:
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


def _whole(summary: Summary, arm: str, degradation: str, wanted: int) -> Versions:
    """Photos that have all versions, and are large enough to measure."""
    found = _by_seed(
        row for row in summary.rows
        if row.arm == arm and row.purpose in (GRID, CHANGE) and row.degradation == degradation
        and min(row.record.width, row.record.height) >= BLUR_WINDOW
    )  # fmt: skip
    return {
        photo: {q: [rows[q][seed] for seed in sorted(rows[q])] for q in CHANGED_AT}
        for photo, rows in found.items()
        if all(len(rows.get(q, ())) == wanted for q in CHANGED_AT)
    }


def _statistics(rows: Versions, photos: list[str], degradation: str, config: EvaluateConfig) -> np.ndarray:
    """[intensities, photos, versions, statistics]."""
    blur = Degradation.MOTION_BLUR in parse_mix(degradation)

    def of(row: Scored) -> np.ndarray:
        clean, degraded = (read_rgb(config.out / file) for file in (row.clean, row.degraded))
        return change_statistics(clean, degraded, blur)

    return np.array([[[of(row) for row in rows[photo][q]] for photo in photos] for q in CHANGED_AT])


def _medians(
    summary: Summary, name: str, photos: list[dict[float, list[Scored]]], changes: np.ndarray
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
