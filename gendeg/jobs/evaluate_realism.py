"""Generated images beside real degraded photos, and versions of one photo beside each other."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from gendeg.configs import EvaluateConfig
from gendeg.jobs.evaluate_images import MODEL, SIMULATOR, VARIED_AT
from gendeg.jobs.evaluate_measures import Summary
from gendeg.jobs.evaluate_photos import real_photos
from gendeg.jobs.evaluation_files import Diversity, Realism, Sample
from gendeg.metrics.distance import compare_with_real, feature_distance, laplacian_patches, patch_distance
from gendeg.metrics.diversity import diversity
from gendeg.metrics.features import load_features
from gendeg.metrics.recognition import image_statistics, two_sample_auc
from gendeg.primitives.errors import BadImage
from gendeg.primitives.images import U8Image, read_rgb, resize_short_side
from gendeg.primitives.progress import track
from gendeg.primitives.records import Failure
from gendeg.primitives.rng import for_sample

Describe = Callable[[U8Image], np.ndarray]
MOST_REAL = 60  # photos of one degradation
FEWEST_REAL, FEWEST_PHOTOS = 4, 2
DRAWS = 100  # at most: each sorts tens of thousands of projections


def summarise_realism(
    summary: Summary, config: EvaluateConfig, failures: list[Failure]
) -> dict[str, dict[str, Realism]]:
    """Measure → degradation → distances. Real photos that cannot be read go to `failures`."""
    assert config.real is not None
    real = real_photos(config.real, config.split, MOST_REAL)
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


def _read_real(paths: Sequence[Path], size: int, failures: list[Failure]) -> list[U8Image]:
    """At the evaluated size, which takes most of a JPEG's own traces away."""
    images = []
    for path in paths:
        try:
            images.append(resize_short_side(read_rgb(path), size))
        except BadImage as error:
            failures.append(Failure.of(error, path))
    return images


def _same_requests(summary: Summary, degradation: str) -> list[tuple[Sample, Sample]]:
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


def _versions(summary: Summary, arm: str, degradation: str) -> dict[str, list[Sample]]:
    """Photo → its images with different seeds, where there are at least two."""
    by_seed: dict[str, dict[int, Sample]] = defaultdict(dict)
    for row in summary.rows:
        record = row.record
        if row.arm == arm and record.degradation == degradation and record.intensity == VARIED_AT:
            by_seed[row.photo][record.seed] = row
    return {photo: list(rows.values()) for photo, rows in by_seed.items() if len(rows) > 1}


def _difference(rows: Sequence[Sample], out: Path) -> float:
    return diversity([read_rgb(out / row.degraded) for row in rows])
