"""How far one half of a pair is shifted against the other: phase correlation."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from PIL import Image

from gendeg.primitives.images import U8Image

SIDE = 512  # longer side at which it is looked for
SURE = 0.05  # peak of the correlation below which nothing is said


class Shift(NamedTuple):
    """Pixels by which the second image must be moved onto the first, and the correlation's peak in [0, 1]."""

    down: float
    right: float
    peak: float

    @property
    def length(self) -> float:
        return float(np.hypot(self.down, self.right))


def find_shift(first: U8Image, second: U8Image) -> Shift:
    """Whole pixels of the compared size, which is at most `SIDE` (Kuglin and Hines, 1975).

    Edges are compared, not brightness: haze and darkness change the one and not the other. Raises `ValueError` when
    the sizes differ.
    """
    if first.shape != second.shape:
        raise ValueError(f"{first.shape} and {second.shape}: only images of one size can be compared")
    scale = min(1.0, SIDE / max(first.shape[:2]))
    edges = [_edges(image, scale) for image in (first, second)]
    one, other = (np.fft.rfft2(image) for image in edges)
    product = one * np.conj(other)
    size = np.abs(product)
    shape = edges[0].shape
    correlation = np.fft.irfft2(np.where(size > 1e-9, product / np.maximum(size, 1e-9), 0), s=shape)
    down, right = (int(i) for i in np.unravel_index(int(correlation.argmax()), shape))
    down, right = (n - whole if n > whole // 2 else n for n, whole in zip((down, right), shape, strict=True))
    return Shift(down / scale, right / scale, float(correlation.max()))


def _edges(image: U8Image, scale: float) -> Float[np.ndarray, "y x"]:
    """Strength of the grey image's gradient, fading out towards the borders, which do not continue."""
    height, width = image.shape[:2]
    small = max(4, round(width * scale)), max(4, round(height * scale))
    grey = np.asarray(Image.fromarray(image).convert("L").resize(small, Image.Resampling.BOX), np.float64)
    down, right = np.gradient(grey)
    window = np.hanning(grey.shape[0])[:, None] * np.hanning(grey.shape[1])[None, :]
    return np.hypot(down, right) * window
