"""mu and sigma: how far a degraded image is from its clean one (GenDeg, CVPR 2025, section 3.2)."""

from typing import NamedTuple

import numpy as np

from gendeg.primitives.images import U8Image


class Intensity(NamedTuple):
    """Mean and standard deviation of |clean − degraded| over all pixels and channels, images in [0, 1]."""

    mu: float
    sigma: float


def measure_intensity(clean: U8Image, degraded: U8Image) -> Intensity:
    """Measure a pair as it is stored: two u8 images of one size.

    Integer arithmetic up to the last division, so that equal bytes give equal numbers on every machine.
    Raises `ValueError` when the sizes differ.
    """
    if clean.shape != degraded.shape:
        raise ValueError(f"clean is {clean.shape} and degraded is {degraded.shape}: a pair has one size")
    difference = np.abs(clean.astype(np.int32) - degraded.astype(np.int32))
    counts = np.bincount(difference.ravel(), minlength=256)
    levels = np.arange(256)
    mean = float((counts * levels).sum()) / difference.size
    square = float((counts * levels**2).sum()) / difference.size
    return Intensity(mean / 255.0, max(square - mean * mean, 0.0) ** 0.5 / 255.0)
