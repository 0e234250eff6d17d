"""Removal and reconstruction apart: what is left of a degradation, what became of the rest (after arXiv 2502.12600)."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from gendeg.primitives.images import U8Image

Mask = Bool[np.ndarray, "h w"]

THRESHOLD = 0.05  # of |clean − degraded| in [0, 1], largest over the channels: below it lie noise and JPEG's traces


@dataclass(frozen=True)
class Removal:
    """Root mean squared errors in [0, 1]; NaN where the image has no such pixel."""

    removal: float  # E_R, inside the mask
    background: float  # E_B, outside


def degradation_mask(clean: U8Image, degraded: U8Image) -> Mask:
    """Where an additive degradation lies: max over channels of |clean − degraded| above `THRESHOLD`."""
    return np.abs(clean.astype(np.int16) - degraded.astype(np.int16)).max(axis=2) > THRESHOLD * 255


def removal_errors(clean: U8Image, restored: U8Image, mask: Mask) -> Removal:
    """E_R = √ mean over M of (restored − clean)², E_B = the same outside M; over pixels and channels, in [0, 1].

    Errors against the clean photo, both: of an image that is left as it is, E_R is the degradation's own strength and
    E_B about 0; a restorer that takes away half of every streak has half of that E_R. Lower is better.
    """
    square = ((restored.astype(np.float64) - clean.astype(np.float64)) / 255) ** 2
    return Removal(_root_mean(square[mask]), _root_mean(square[~mask]))


def _root_mean(values: Float[np.ndarray, "n 3"]) -> float:
    return float(np.sqrt(values.mean())) if values.size else float("nan")
