"""How far two sets of images are apart: sliced Wasserstein on Laplacian patches, KID on a network's features."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from gendeg.metrics.pyramid import laplacian_pyramid
from gendeg.metrics.uncertainty import Estimate, estimate_from_draws, rows_by_cluster
from gendeg.primitives.images import U8Image

Points = Float[np.ndarray, "n d"]
Others = Float[np.ndarray, "m d"]
PATCH = 7  # pixels
PER_LEVEL = 24  # patches of each level of each image
DIRECTIONS = 48
LEVELS = 4  # finest ones; all images of a comparison must have them (short side 128)


# --- sliced Wasserstein ---


def laplacian_patches(image: U8Image, generator: np.random.Generator) -> Float[np.ndarray, "levels patches d"]:
    """Random 7 × 7 patches of each level of the pyramid, finest first, unit range (Karras et al., ICLR 2018, 5).

    As many levels as the image has, at most `LEVELS`; images of one short side have equally many.
    """
    pyramid = laplacian_pyramid(image)[:LEVELS]
    return np.stack([_patches(level, generator) for level in pyramid])


def _patches(level: Float[np.ndarray, "y x 3"], generator: np.random.Generator) -> Float[np.ndarray, "patches d"]:
    if min(level.shape[:2]) < PATCH:
        raise ValueError(f"an image of at least {PATCH} pixels a side is needed, this level has {level.shape[:2]}")
    tops, lefts = (generator.integers(0, n - PATCH + 1, PER_LEVEL) for n in level.shape[:2])
    return np.stack([level[y : y + PATCH, x : x + PATCH].ravel() for y, x in zip(tops, lefts, strict=True)])


def sliced_wasserstein(first: Points, second: Others, directions: Float[np.ndarray, "d k"]) -> float:
    """Mean over directions of the Wasserstein-1 distance of the projected sets (Rabin et al., SSVM 2011).

    Sets of unequal size are compared at the quantiles of the larger one.
    """
    count = max(len(first), len(second))
    one, other = (_quantiles(np.sort(points @ directions, axis=0), count) for points in (first, second))
    return float(np.abs(one - other).mean())


def _quantiles(ordered: Float[np.ndarray, "n k"], count: int) -> Float[np.ndarray, "count k"]:
    return ordered[((np.arange(count) + 0.5) / count * len(ordered)).astype(int)]


def random_directions(dimensions: int, generator: np.random.Generator) -> Float[np.ndarray, "d k"]:
    """Unit vectors, even on the sphere."""
    vectors = generator.normal(size=(dimensions, DIRECTIONS))
    return vectors / np.linalg.norm(vectors, axis=0)


def patch_distance(first: Sequence[np.ndarray], second: Sequence[np.ndarray]) -> float:
    """Mean over levels of the sliced Wasserstein distance of two sets of images' `laplacian_patches`.

    Each level is in units of the mean of both sets' standard deviations, so that a level of faint bands counts as much
    as one of strong ones. Unlike the original, sets are not normalised apart: how bright and contrasty an image is
    belongs to haze and darkness.
    """
    one, other = (np.concatenate(list(images), axis=1) for images in (first, second))
    directions = random_directions(one.shape[2], np.random.default_rng(0))
    levels = []
    for a, b in zip(one, other, strict=True):
        scale = 0.5 * (float(a.std()) + float(b.std())) or 1.0
        levels.append(sliced_wasserstein(a / scale, b / scale, directions))
    return float(np.mean(levels))


# --- KID ---


def kernel_distance(first: Points, second: Others) -> float:
    """KID: unbiased squared maximum mean discrepancy with the kernel (x·y / d + 1)³ (Bińkowski et al., ICLR 2018).

    0 on average for two draws of one distribution, and so sometimes below. Each set needs at least two points.
    """
    n, m = len(first), len(second)
    if min(n, m) < 2:
        raise ValueError("KID needs at least two images in each set")
    within_a, within_b, across = _kernel(first, first), _kernel(second, second), _kernel(first, second)
    inside = (within_a.sum() - np.trace(within_a)) / (n * (n - 1)) + (within_b.sum() - np.trace(within_b)) / (
        m * (m - 1)
    )
    return float(inside - 2 * across.mean())


def _kernel(first: Points, second: Others) -> Float[np.ndarray, "n m"]:
    return (first @ second.T / first.shape[1] + 1) ** 3


def feature_distance(first: Sequence[np.ndarray], second: Sequence[np.ndarray]) -> float:
    """KID of two sets of images by their feature vectors."""
    return kernel_distance(np.stack(list(first)), np.stack(list(second)))


# --- against real photos ---


@dataclass(frozen=True)
class Comparison:
    """Distances to real photos; `gain` is simulator − model: above 0 the model is closer.

    `clean` is what not degrading at all gives: where it is nearest, the distance speaks of scenes, not of degradations.
    """

    model: Estimate
    simulator: Estimate
    clean: Estimate
    real: Estimate
    gain: Estimate

    @property
    def closer(self) -> str:
        """Who is closer, where the whole interval of the gain says so."""
        if self.gain.low > 0:
            return "model"
        return "simulator" if self.gain.high < 0 else "undecided"


def compare_with_real(
    real: Sequence[np.ndarray],
    model: Sequence[np.ndarray],
    simulator: Sequence[np.ndarray],
    clean: Sequence[np.ndarray],
    photos: Sequence[str],
    distance: Callable[[Sequence[np.ndarray], Sequence[np.ndarray]], float],
    draws: int,
    generator: np.random.Generator,
) -> Comparison:
    """Descriptors of images → distances of the model, the simulator, clean and other real photos to real photos.

    `model[i]` and `simulator[i]` answer the same request for `clean[i]`, the photo named `photos[i]`, which counts
    once. Each draw takes a random half of the photos, and halves the real ones: one half is what all are compared with,
    the other is the scale (rather too far, for it is the smallest set). Half-samples vary as the whole does (the
    delete-half jackknife, Shao and Wu, Annals of Statistics 1989), so the 95 % percentiles are intervals over other
    photos, clean and real; nothing is in a set twice, which these distances would take for a difference. Values are
    means over the draws. Raises `ValueError` for fewer than four real photos, or two of the others.
    """
    if len(real) < 4 or not len(model) == len(simulator) == len(clean) == len(photos) > 0:
        raise ValueError("at least four real photos are needed, and a simulator's image for each of the model's")
    half = len(real) // 2
    groups, rows = rows_by_cluster(photos), []
    if len(groups) < 2:
        raise ValueError("at least two clean photos are needed")
    for _ in range(draws):
        order = generator.permutation(len(real))
        target, others = ([real[int(i)] for i in part] for part in (order[:half], order[half : 2 * half]))
        drawn = [groups[int(i)] for i in generator.permutation(len(groups))[: max(len(groups) // 2, 2)]]
        answers, references = ([whole[i] for places in drawn for i in places] for whole in (model, simulator))
        originals = [clean[places[0]] for places in drawn]
        rows.append([distance(images, target) for images in (answers, references, originals, others)])
    columns = np.array(rows).T
    all_columns = [*columns, columns[1] - columns[0]]
    return Comparison(*(estimate_from_draws(float(one.mean()), one, len(model)) for one in all_columns))
