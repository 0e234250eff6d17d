"""How different several degraded versions of one photo are: the same request with other seeds."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from gendeg.metrics.pyramid import laplacian_pyramid
from gendeg.primitives.images import U8Image


def perceptual_distance(first: U8Image, second: U8Image) -> float:
    """Mean over the Laplacian levels of mean |difference|, unit range: 0 for equal images.

    What LPIPS (Zhang et al., CVPR 2018) does with a network's features is done with bands, which need none: the same
    mean difference counts more when it lies in many bands, as streaks and flakes do, than as an even veil.
    """
    pairs = zip(laplacian_pyramid(first), laplacian_pyramid(second), strict=True)
    return float(np.mean([np.abs(one - other).mean() for one, other in pairs]))


def diversity(versions: Sequence[U8Image]) -> float:
    """Mean `perceptual_distance` over all pairs of versions. Raises `ValueError` for fewer than two."""
    if len(versions) < 2:
        raise ValueError("at least two versions are needed to tell how different they are")
    return float(np.mean([perceptual_distance(one, other) for one, other in combinations(versions, 2)]))
