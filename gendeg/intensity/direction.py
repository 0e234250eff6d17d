"""The direction of a degradation, measured in a pair like mu and sigma: where streaks fall, where the camera went."""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from gendeg.primitives.images import GREY, U8Image
from gendeg.primitives.kinds import Degradation, Mix, has_direction

SECTORS = 24  # of the half circle of directions
BAND = (0.04, 0.4)  # cycles per pixel: below are few waves, above is noise
SMOOTH, SLOPE, ACROSS = (0.25, 0.5, 0.25), (-0.5, 0.0, 0.5), (3 / 16, 10 / 16, 3 / 16)
TINY = 1e-12
LEAST = 1e-7
"""Squared gradients, in squares of the unit range per pixel, below which there is nothing to see a direction in."""


class Direction(NamedTuple):
    """(cos 2θ, sin 2θ) times coherence: θ from the vertical, positive to the right on the way down, period 180°.

    Doubled, because a streak has no head; a coherence of 0 is no direction, 1 is one direction only. NaN: unknown.
    """

    cos: float
    sin: float

    @classmethod
    def of(cls, degrees: float) -> "Direction":
        """One direction only, as people ask for it: of coherence 1."""
        doubled = math.radians(2 * degrees)
        return cls(math.cos(doubled), math.sin(doubled))

    @property
    def known(self) -> bool:
        return not math.isnan(self.cos)

    @property
    def recorded(self) -> tuple[float, float]:
        """(degrees, coherence) as records say them: 0 and 0 where there is none."""
        return (self.degrees, min(self.coherence, 1.0)) if self.known and self.coherence > 0 else (0.0, 0.0)

    @property
    def degrees(self) -> float:
        """θ in (−90, 90]; 0 falls straight down."""
        return math.degrees(math.atan2(self.sin, self.cos)) / 2

    @property
    def coherence(self) -> float:
        """How strongly there is one, in [0, 1]."""
        return math.hypot(self.cos, self.sin)


UNKNOWN = Direction(math.nan, math.nan)


def measure_direction(clean: U8Image, degraded: U8Image, mix: Mix) -> Direction:
    """The main direction of a pair's change, `UNKNOWN` for mixes without one.

    Streaks and flakes: the structure tensor of the change (Bigun and Granlund, ICCV 1987), across whose main gradient
    they run. Motion blur: of each direction of the spectrum, what share of its squared gradients the photo has kept; a
    blur takes nothing across itself, and shares do not see which way the photo's own edges run.
    """
    if not has_direction(mix):
        return UNKNOWN
    before, after = (image @ GREY.astype(np.float32) / np.float32(255) for image in (clean, degraded))
    if Degradation.MOTION_BLUR in mix:
        return _along_loss(before, after)
    return _across_gradients(structure_tensor(after - before))


def structure_tensor(image: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "2 2"]:
    """The mean of ∇I ∇Iᵀ over the picture, rows and columns in the order (down, right).

    Gradients of Scharr's operator over binomially smoothed pixels: plain differences turn lines that are a pixel wide.
    """
    if min(image.shape) < 5:
        return np.zeros((2, 2))
    smooth = _along(_along(image, SMOOTH, 0), SMOOTH, 1)
    down = _along(_along(smooth, SLOPE, 0), ACROSS, 1)
    right = _along(_along(smooth, SLOPE, 1), ACROSS, 0)
    products = ((down * down, down * right), (down * right, right * right))
    return np.array([[float(one.mean(dtype=np.float64)) for one in row] for row in products])


def _along(image: np.ndarray, weights: tuple[float, float, float], axis: int) -> np.ndarray:
    """Weighted sum of each three neighbours along an axis, which gets two shorter."""
    size = image.shape[axis]
    parts = [np.take(image, range(start, size - 2 + start), axis) for start in range(3)]
    return weights[0] * parts[0] + weights[1] * parts[1] + weights[2] * parts[2]


def _across_gradients(tensor: Float[np.ndarray, "2 2"]) -> Direction:
    total = float(np.trace(tensor))
    if total < LEAST:
        return Direction(0.0, 0.0)
    # Of the direction along the streak, (down, right) = (cos θ, sin θ), tensor(θ) is the least.
    return Direction(float(tensor[1, 1] - tensor[0, 0]) / total, -2 * float(tensor[0, 1]) / total)


def _along_loss(before: Float[np.ndarray, "h w"], after: Float[np.ndarray, "h w"]) -> Direction:
    if min(before.shape) < 8:
        return Direction(0.0, 0.0)
    window = np.outer(np.hanning(before.shape[0]), np.hanning(before.shape[1])).astype(np.float32)
    power = [np.abs(np.fft.rfft2((image - image.mean()) * window)) ** 2 for image in (before, after)]
    down, right = np.fft.fftfreq(before.shape[0])[:, None], np.fft.rfftfreq(before.shape[1])[None, :]
    frequency = np.hypot(down, right)
    seen = (frequency > BAND[0]) & (frequency < BAND[1])
    sector = (np.arctan2(right, down)[seen] % np.pi / np.pi * SECTORS).astype(int) % SECTORS
    totals = [np.bincount(sector, (one * frequency**2)[seen], SECTORS) for one in power]
    kept = np.clip(totals[1] / np.maximum(totals[0], TINY), 0.0, 1.0)
    angles = (np.arange(SECTORS) + 0.5) * np.pi / SECTORS
    mean = -complex((kept * np.exp(2j * angles)).sum()) / max(float(kept.sum()), TINY)
    return Direction(mean.real, mean.imag)
