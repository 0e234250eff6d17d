"""What rain and snow share: laying many small patches on a canvas, and the veil of drops too far to be seen singly."""

import numpy as np
from jaxtyping import Float, Int

from gendeg.physics.fields import smooth_field

WIDEST_AT_ONCE, AT_ONCE = 14, 512  # radius in pixels of the patches that are laid many at once, and how many


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
    lay = _lay_at_once if radius <= WIDEST_AT_ONCE else _lay_in_turn
    lay(clear, patches, opacity.astype(np.float32), centres + radius)
    return 1 - clear[2 * radius : 2 * radius + height, 2 * radius : 2 * radius + width]


def _lay_in_turn(
    clear: Float[np.ndarray, "ch cw"],
    patches: Float[np.ndarray, "m p p"],
    opacity: Float[np.ndarray, " n"],
    corners: Int[np.ndarray, "n 2"],
) -> None:
    """Multiply what stays visible by each patch, in place."""
    size = patches.shape[1]
    for number, (row, column) in enumerate(corners):
        clear[row : row + size, column : column + size] *= 1 - opacity[number] * patches[number % len(patches)]


def _lay_at_once(
    clear: Float[np.ndarray, "ch cw"],
    patches: Float[np.ndarray, "m p p"],
    opacity: Float[np.ndarray, " n"],
    corners: Int[np.ndarray, "n 2"],
) -> None:
    """The same numbers, many patches a call: small ones cost a tenth, since a call costs more than their pixels."""
    size, columns = patches.shape[1], clear.shape[1]
    line = np.arange(size)
    window, flat = (line[:, None] * columns + line).ravel(), patches.reshape(len(patches), -1)
    for start in range(0, len(corners), AT_ONCE):
        some = corners[start : start + AT_ONCE]
        drawings = flat[np.arange(start, start + len(some)) % len(patches)]
        through = 1 - opacity[start : start + AT_ONCE, None] * drawings
        places = (some[:, 0] * columns + some[:, 1])[:, None] + window
        np.multiply.at(clear.reshape(-1), places.ravel(), through.ravel())


def counted(expected: float, most: int, generator: np.random.Generator) -> tuple[int, int]:
    """(a Poisson number of patches around `expected`, how many there could be if `most` were expected).

    Of one generator the number never falls as `expected` rises, and who draws for all that there could be and takes the
    first has the same patches at every strength, and more.
    """
    ceiling = int(most + 8 * np.sqrt(most))
    chance = generator.random(1)[0]  # of an array, which `NarrowGenerator` leaves free
    count, mean = np.arange(1, ceiling), max(min(expected, most), 1e-9)
    each = np.exp(np.r_[0.0, np.cumsum(np.log(mean / count))] - mean)  # Poisson's law
    return int(np.searchsorted(np.cumsum(each), chance)), ceiling


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
