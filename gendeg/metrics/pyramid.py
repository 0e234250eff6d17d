"""The Laplacian pyramid: an image as bands, one an octave (Burt and Adelson, IEEE Trans. Communications, 1983)."""

import numpy as np
from jaxtyping import Float
from scipy.ndimage import convolve1d

from gendeg.primitives.images import U8Image, u8_to_unit

Unit = Float[np.ndarray, "h w 3"]
Level = Float[np.ndarray, "y x 3"]

KERNEL = np.array([1, 4, 6, 4, 1]) / 16
SMALLEST = 16  # pixels of the short side of the coarsest level


def laplacian_pyramid(image: U8Image) -> list[Level]:
    """Unit range, finest band first; the last level is what is left, the small image. Their expansion is the image."""
    level: np.ndarray = u8_to_unit(image)
    bands = []
    while min(level.shape[:2]) >= 2 * SMALLEST:
        small = _blurred(level)[::2, ::2]
        bands.append(level - expand(small, level.shape[:2]))
        level = small
    return [*bands, level]


def expand(small: Level, shape: tuple[int, ...]) -> Float[np.ndarray, "bigger_y bigger_x 3"]:
    """A level at twice its size, `shape` in pixels: zeros between its pixels, then the kernel.

    Divided by what the same does to ones, so that borders keep their brightness.
    """
    wide = np.zeros((*shape, 3), small.dtype)
    weight = np.zeros((*shape, 1), small.dtype)
    wide[::2, ::2], weight[::2, ::2] = small, 1
    return _blurred(wide) / _blurred(weight)


def _blurred(level: np.ndarray) -> np.ndarray:
    return convolve1d(convolve1d(level, KERNEL, axis=0, mode="constant"), KERNEL, axis=1, mode="constant") / _border(
        level
    )


def _border(level: np.ndarray) -> np.ndarray:
    """The kernel's weight inside the image; 1 but within two pixels of the border."""
    rows, columns = (convolve1d(np.ones(n, level.dtype), KERNEL, mode="constant") for n in level.shape[:2])
    return (rows[:, None] * columns[None, :])[..., None]
