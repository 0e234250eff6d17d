"""What rain and snow share: laying many small patches on a canvas, and the veil of drops too far to be seen singly."""

import numpy as np
from jaxtyping import Float, Int

from gendeg.physics.fields import smooth_field


def centred_grid(radius: int) -> tuple[Float[np.ndarray, "p p"], Float[np.ndarray, "p p"]]:
    """Row and column distance in pixels from the centre of a patch of side p = 2 * radius + 1."""
    line = np.arange(-radius, radius + 1, dtype=np.float32)
    return line[:, None] + 0 * line[None, :], line[None, :] + 0 * line[:, None]


def stamp(
    patches: Float[np.ndarray, "m p p"],
    opacity: Float[np.ndarray, " n"],
    centres: Int[np.ndarray, "n 2"],
    height: int,
    width: int,
) -> Float[np.ndarray, "h w"]:
    """Opacity in [0, 1] of n patches laid over each other: 1 - prod(1 - patch), as independent occluders do.

    The m drawings take turns. `centres` are (row, column) in pixels, up to half a patch outside the picture.
    """
    radius = patches.shape[1] // 2
    clear = np.ones((height + 4 * radius, width + 4 * radius), dtype=np.float32)
    for number, (row, column) in enumerate(centres + radius):
        through = 1 - np.float32(opacity[number]) * patches[number % len(patches)]
        clear[row : row + 2 * radius + 1, column : column + 2 * radius + 1] *= through
    return 1 - clear[2 * radius : 2 * radius + height, 2 * radius : 2 * radius + width]


def random_centres(
    count: int, radius: int, height: int, width: int, generator: np.random.Generator
) -> Int[np.ndarray, "n 2"]:
    """Uniform patch centres over the picture and the border from which a patch still reaches into it."""
    rows = generator.integers(-radius, height + radius, count)
    return np.stack([rows, generator.integers(-radius, width + radius, count)], axis=1)


def cover(
    below: Float[np.ndarray, "h w 3"], opacity: Float[np.ndarray, "h w #c"], colour: Float[np.ndarray, " 3"]
) -> Float[np.ndarray, "h w 3"]:
    """(1 - z) * below + z * colour, the mask model of DesnowNet (Liu et al., TIP 2018, eq. 1); z in [0, 1].

    For rain z is the share of the exposure during which a drop stands before the pixel (Garg & Nayar, IJCV 2007).
    """
    return (below + opacity * (colour - below)).astype(np.float32)


def veil_transmission(
    height: int, width: int, loss: float, generator: np.random.Generator
) -> Float[np.ndarray, "h w 1"]:
    """Transmission in (0, 1] with mean near 1 - `loss`: more veil towards the top, where scenes are far, and patchy.

    Stands in for exp(-beta * depth) (Li et al., CVPR 2019, eq. 3) where no depth is known.
    """
    rise = np.linspace(1.35, 0.65, height, dtype=np.float32)[:, None]
    patchy = 0.7 + 0.6 * smooth_field(height, width, 2.0, generator)
    optical_depth = -np.log1p(-min(loss, 0.95)) * rise * patchy
    return np.exp(-optical_depth)[..., None].astype(np.float32)


def scene_light(clean: Float[np.ndarray, "h w 3"]) -> Float[np.ndarray, " 3"]:
    """Colour of the light that fills the scene, in [0, 1]: its bright pixels, drawn half-way to their own grey."""
    pixels = clean.reshape(-1, 3)
    luminance = pixels.mean(axis=1)
    bright = pixels[luminance >= np.quantile(luminance[:: max(1, len(luminance) // 4096)], 0.8)]
    colour = bright.mean(axis=0) if len(bright) else pixels.mean(axis=0)
    return (0.3 * colour + 0.7 * colour.mean()).astype(np.float32)
