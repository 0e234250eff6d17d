"""Raindrops on the glass before the lens: I = (1 - M) * B + R (Qian et al., CVPR 2018; Halimeh & Roser, IV 2009)."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from gendeg.physics.control import check_strength, shifted
from gendeg.physics.fields import convolve
from gendeg.physics.layers import centred_grid, scene_light

WATER_INDEX = 1.33
MOST_DROPS = 480
MOST_LOBES = 8
RUNNING = 0.12  # share of the drops that run down
SHORTEST_SIDE = 64  # smaller photos get the drops of one this large

Lobes = Float[np.ndarray, "n k 3"]
"""Balls of water that make up each of n drops: row, column, radius in units of the drop's radius."""


@dataclass(frozen=True)
class DropOptics:
    """How drops look: distance of the scene and defocus radius in pixels; the rest are parts in [0, 2]."""

    distance: float
    defocus: float
    opacity: float
    gain: float
    rim: float
    glint: float
    glint_slope: tuple[float, float]
    milk: float = 0.0


@dataclass(frozen=True)
class Drops:
    """Drops in the order they land: radius in pixels, centre as parts of height and width, and their lobes."""

    radius: Float[np.ndarray, " n"]
    centre: Float[np.ndarray, "n 2"]
    lobes: Lobes


def raindrop(
    clean: Float[np.ndarray, "h w 3"], strength: float, generator: np.random.Generator, evenness: float = 0.0
) -> Float[np.ndarray, "h w 3"]:
    """Photograph through a wet pane, `strength` in [0, 1]; mean |clean - result| is about 0.09 * strength^1.6.

    Strength is the share of the pane that is wet: the same generator at a larger strength shows the same drops and
    more. A camera that looks through the pane is focused on the scene, so most drops are out of focus by about their
    own radius. `evenness` (see `shifted`) is from drops with dark rims and glints to pale ones that let it through.
    Raises `ValueError` for a strength outside [0, 1].
    """
    check_strength(strength)
    height, width = clean.shape[:2]
    side = max(min(height, width), SHORTEST_SIDE)
    typical = side * float(np.exp(generator.uniform(np.log(0.022), np.log(0.062))))
    optics = draw_optics(typical, side, generator, evenness)
    drops = draw_drops(typical, generator)
    coverage = min(0.95, 0.75 * strength**1.6)
    return look_through(clean, lay_drops(height, width, drops, coverage * height * width), optics)


def draw_optics(typical: float, side: int, generator: np.random.Generator, evenness: float = 0.0) -> DropOptics:
    """Random optics for one picture whose drops have a radius of `typical` pixels; a quarter are nearly in focus."""
    sharp, spread = generator.random() < 0.25, generator.random()
    return DropOptics(
        distance=side * generator.uniform(0.35, 1.3),
        defocus=typical * (0.05 + 0.2 * spread if sharp else 0.3 + 0.7 * spread),
        opacity=1.0 - 0.2 * shifted(evenness, generator),
        gain=generator.uniform(0.85, 1.25),
        rim=0.6 - 0.5 * shifted(evenness, generator),
        glint=0.7 * (1 - shifted(evenness, generator)) ** 2,
        glint_slope=(generator.uniform(0.3, 0.7), generator.uniform(-0.4, 0.4)),
        milk=0.35 * generator.random() ** 2,
    )


def draw_drops(typical: float, generator: np.random.Generator) -> Drops:
    """More drops than any strength needs, of log-normal sizes around `typical` pixels; nothing depends on strength."""
    runs = generator.random(MOST_DROPS) < RUNNING
    radius = typical * np.exp(np.clip(generator.normal(0.0, 0.45, MOST_DROPS), -1.1, 0.9))
    lobes = np.where(runs[:, None, None], run_lobes(MOST_DROPS, generator), bead_lobes(MOST_DROPS, generator))
    return Drops(np.where(runs, 0.6, 1.0) * radius, generator.random((MOST_DROPS, 2)), lobes)


def drop_shapes(lobes: Float[np.ndarray, "n k 3"], half: int) -> Float[np.ndarray, "n p p"]:
    """Water thickness in pixels of n drops, each the smooth union of k lobes (row, column, radius in pixels).

    One lobe is the paraboloid h = r/2 * (1 - d^2 / r^2), whose slope at the rim is 1 whatever its size (a fixed
    contact angle). The union is the metaball sum of exp(-c * d^2 / r^2), read back as a distance.
    """
    line, sharp = np.arange(-half, half + 1, dtype=np.float32), 3.0
    row, column, radius = (lobes[:, :, i, None].astype(np.float32) for i in range(3))
    breadth = np.maximum(radius, 1e-3)
    # A Gaussian is a product of one over rows and one over columns, so the sum over lobes is a matrix product.
    down = np.exp(-sharp * ((line - row) / breadth) ** 2).swapaxes(1, 2)
    right = np.exp(-sharp * ((line - column) / breadth) ** 2)
    total = down @ right + np.float32(1e-30)
    size = (down * radius.swapaxes(1, 2)) @ right
    return np.maximum(0.5 * size / total * (1 + np.log(total) / sharp), 0)


def bead_lobes(count: int, generator: np.random.Generator) -> Lobes:
    """A main lobe and a few smaller ones on it, sagging a little: round, pear-shaped or two drops that have met."""
    turn = generator.uniform(0, 2 * np.pi, (count, MOST_LOBES - 1))
    reach = generator.uniform(0.1, 0.95, (count, MOST_LOBES - 1))
    lobes = np.zeros((count, MOST_LOBES, 3))
    lobes[:, 0, 2] = 1.0
    lobes[:, 1:, 0] = 1.15 * reach * np.cos(turn)
    lobes[:, 1:, 1] = 0.8 * reach * np.sin(turn)
    lobes[:, 1:, 2] = generator.uniform(0.3, 0.8, (count, MOST_LOBES - 1))
    lobes[:, 1:, 2] *= np.arange(MOST_LOBES - 1) < generator.integers(0, 4, (count, 1))
    return lobes


def run_lobes(count: int, generator: np.random.Generator) -> Lobes:
    """A drop that runs down: a head and a wavering, thinner trail above it, of varied length."""
    steps = np.arange(MOST_LOBES)
    sway = generator.normal(0, 0.16, (count, MOST_LOBES)).cumsum(axis=1)
    trail = generator.uniform(0.45, 0.7, (count, 1)) * generator.uniform(0.88, 1.1, (count, MOST_LOBES))
    ends = steps > generator.integers(3, MOST_LOBES + 1, (count, 1))
    lobes = np.zeros((count, MOST_LOBES, 3))
    lobes[:, :, 0] = 2.2 - 0.62 * steps
    lobes[:, :, 1] = sway
    lobes[:, :, 2] = np.where(steps == 0, 1.0, np.where(ends, 0.0, trail))
    return lobes


def lay_drops(height: int, width: int, drops: Drops, area: float) -> Float[np.ndarray, "h w"]:
    """Water thickness in pixels: drops land in their order until `area` square pixels of the picture are wet.

    The last one is as small as the area asks, so that a little more strength is a little more water. A drop that would
    land on another by more than a third is left out: water on glass merges, it never piles up.
    """
    thickness = np.zeros((height, width), dtype=np.float32)
    missing = float(area)
    for radius, centre, lobes in zip(drops.radius, drops.centre, drops.lobes, strict=True):
        if missing < 0.5:
            break
        room = np.sqrt(missing / np.pi)  # a round drop of this radius wets all that is missing
        missing -= _land(thickness, min(float(radius), float(room)), centre, lobes)
    return thickness


def _land(
    thickness: Float[np.ndarray, "h w"], radius: float, centre: Float[np.ndarray, " 2"], lobes: Float[np.ndarray, "k 3"]
) -> int:
    """Add one drop to the pane in place, cut off at its borders; how many pixels it wets, 0 when it finds no place."""
    height, width = thickness.shape
    row, column = int(centre[0] * height), int(centre[1] * width)
    if thickness[row, column] > 0:
        return 0
    used = lobes[lobes[:, 2] > 0] * radius
    half = int(np.ceil(np.max(np.abs(used[:, :2]).max(axis=1) + 1.3 * used[:, 2]))) + 1
    drop = drop_shapes(used[None], half)[0]
    top, left = max(0, row - half), max(0, column - half)
    bottom, right = min(height, row + half + 1), min(width, column + half + 1)
    window = thickness[top:bottom, left:right]
    drop = drop[top - row + half : bottom - row + half, left - column + half : right - column + half]
    wet = drop > 0
    pixels = int(np.count_nonzero(wet))
    if np.count_nonzero((window > 0) & wet) > pixels / 3:
        return 0
    before = np.count_nonzero(window)
    np.maximum(window, drop, out=window)
    return int(np.count_nonzero(window) - before)


def refraction_map(
    thickness: Float[np.ndarray, "h w"], distance: float, index: float = WATER_INDEX
) -> Float[np.ndarray, "2 h w"]:
    """Row and column in the scene that each pixel sees: p + distance * (index - 1) * grad(thickness).

    Snell's law for a thin prism (Halimeh & Roser 2009, small angles): towards the drop's middle, so the view is
    upside down and small once distance * (index - 1) exceeds the radius.
    """
    height, width = thickness.shape
    slopes = [np.gradient(thickness, axis=axis) if thickness.shape[axis] > 1 else 0 * thickness for axis in (0, 1)]
    here = np.meshgrid(np.arange(height), np.arange(width), indexing="ij")
    return np.stack([here[axis] + distance * (index - 1) * slopes[axis] for axis in (0, 1)]).astype(np.float32)


def sample(image: Float[np.ndarray, "h w 3"], places: Float[np.ndarray, "2 n"]) -> Float[np.ndarray, "n 3"]:
    """Image at fractional (row, column), bilinear; beyond the border the scene goes on mirrored."""
    height, width = image.shape[:2]
    corners, weights = [], []
    for place, size in ((places[0], height), (places[1], width)):
        period = max(2 * (size - 1), 1)
        folded = np.abs((place + size - 1) % period - (size - 1)) if size > 1 else 0 * place
        low = np.minimum(folded.astype(np.intp), max(size - 2, 0))
        corners.append((low, np.minimum(low + 1, size - 1)))
        weights.append((folded - low)[..., None].astype(np.float32))
    (top, bottom), (left, right) = corners
    upper = image[top, left] * (1 - weights[1]) + image[top, right] * weights[1]
    lower = image[bottom, left] * (1 - weights[1]) + image[bottom, right] * weights[1]
    return upper * (1 - weights[0]) + lower * weights[0]


def disc(radius: float) -> Float[np.ndarray, "k k"]:
    """Defocus of a round aperture: an even disc of `radius` pixels with a one-pixel soft edge, sum 1."""
    rows, columns = centred_grid(int(np.ceil(radius)) + 1)
    kernel = np.clip(radius + 0.5 - np.hypot(rows, columns), 0, 1)
    return (kernel / kernel.sum()).astype(np.float32)


def shrink(image: Float[np.ndarray, "h w 3"], factor: int) -> Float[np.ndarray, "h2 w2 3"]:
    """Means of factor x factor blocks; the border is repeated to fill the last block."""
    height, width = image.shape[:2]
    padded = np.pad(image, ((0, -height % factor), (0, -width % factor), (0, 0)), mode="edge")
    blocks = padded.reshape(padded.shape[0] // factor, factor, padded.shape[1] // factor, factor, 3)
    return blocks.mean(axis=(1, 3))


def look_through(
    clean: Float[np.ndarray, "h w 3"], thickness: Float[np.ndarray, "h w"], optics: DropOptics
) -> Float[np.ndarray, "h w 3"]:
    """(1 - M) * clean + R (Qian et al., CVPR 2018, eq. 1): M the defocused drop mask, R what the drops show of it.

    R is the refracted scene, darker where the water is steep (Fresnel), with a glint where its slope mirrors the sky,
    and milky with the light of the scene that dirty water scatters.
    """
    wet = thickness > 0
    places = refraction_map(thickness, optics.distance)[:, wet]
    # The view in a drop is many times smaller, so the scene must be averaged before it is sampled.
    factor = max(1, round(0.012 * min(clean.shape[:2])))
    shown = sample(shrink(clean, factor), (places - (factor - 1) / 2) / factor)
    slope = (places - np.argwhere(wet).T) / (optics.distance * (WATER_INDEX - 1))
    steep = np.clip(np.hypot(slope[0], slope[1]), 0, 1.2)[:, None]
    off = (slope[0] - optics.glint_slope[0]) ** 2 + (slope[1] - optics.glint_slope[1]) ** 2
    glint = optics.glint * np.exp(-off / (2 * 0.16**2))[:, None]
    drops = np.zeros((*thickness.shape, 4), dtype=np.float32)
    shown = shown * optics.gain * (1 - optics.rim * steep**4)
    drops[wet, :3] = np.clip(shown + optics.milk * (scene_light(clean) - shown) + glint, 0, 1)
    drops[wet, 3] = 1
    drops *= np.clip(thickness, 0, 1)[..., None]
    drops = convolve(drops, disc(optics.defocus)) * optics.opacity
    return np.clip(clean * (1 - drops[..., 3:]) + drops[..., :3], 0, 1).astype(np.float32)
