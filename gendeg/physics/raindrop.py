"""Raindrops on the glass before the lens: I = (1 - M) * B + R (Qian et al., CVPR 2018; Halimeh & Roser, IV 2009)."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from gendeg.physics.control import check_strength
from gendeg.physics.fields import convolve
from gendeg.physics.layers import centred_grid, random_centres

WATER_INDEX = 1.33
MOST_DROPS, MOST_DRAWN_PIXELS = 1200, 60_000


@dataclass(frozen=True)
class DropOptics:
    """How drops look: distance of the scene and defocus radius in pixels; opacity, gain, rim and glint in [0, 2]."""

    distance: float
    defocus: float
    opacity: float
    gain: float
    rim: float
    glint: float
    glint_slope: tuple[float, float]


def raindrop(
    clean: Float[np.ndarray, "h w 3"], strength: float, generator: np.random.Generator
) -> Float[np.ndarray, "h w 3"]:
    """Photograph through a wet pane, `strength` in [0, 1]; mean |clean - result| is about 0.10 * strength^1.7.

    Raises `ValueError` for a strength outside [0, 1].
    """
    check_strength(strength)
    height, width = clean.shape[:2]
    scale = max(0.5, min(height, width) / 256)
    optics = draw_optics(strength, scale, min(height, width), generator)
    coverage = 0.67 * strength**1.15 * (1 + 0.2 * strength**4)
    thickness = drop_thickness(height, width, coverage, strength, scale, generator)
    return look_through(clean, thickness, optics)


def draw_optics(strength: float, scale: float, side: int, generator: np.random.Generator) -> DropOptics:
    """Random optics for one picture; weak raindrops are also fainter and less glinting."""
    return DropOptics(
        distance=side * generator.uniform(0.7, 1.5),
        defocus=scale * generator.uniform(0.4, 2.6),
        opacity=min(1.0, 0.14 + 0.97 * strength**0.9) * generator.uniform(0.85, 1.0),
        gain=generator.uniform(1.05, 1.55),
        rim=generator.uniform(0.1, 0.5),
        glint=generator.uniform(0.1, 0.55),
        glint_slope=(generator.uniform(0.3, 0.7), generator.uniform(-0.4, 0.4)),
    )


def drop_shapes(lobes: Float[np.ndarray, "n k 3"], half: int) -> Float[np.ndarray, "n p p"]:
    """Water thickness in pixels of n drops, each the smooth union of k lobes (row, column, radius in pixels).

    One lobe is the paraboloid h = r/2 * (1 - d^2 / r^2), whose slope at the rim is 1 whatever its size (a fixed
    contact angle). The union is the metaball sum of exp(-c * d^2 / r^2), read back as a distance.
    """
    rows, columns = centred_grid(half)
    sharp = 3.0
    total = np.full((len(lobes), 2 * half + 1, 2 * half + 1), 1e-30, dtype=np.float32)
    size = np.zeros_like(total)
    for k in range(lobes.shape[1]):
        row, column, radius = (lobes[:, k, i, None, None].astype(np.float32) for i in range(3))
        apart = ((rows - row) ** 2 + (columns - column) ** 2) / np.maximum(radius, 1e-3) ** 2
        share = np.exp(np.maximum(-sharp * apart, -60))
        total, size = total + share, size + share * radius
    return np.maximum(0.5 * size / total * (1 + np.log(total) / sharp), 0)


def bead_lobes(radius: Float[np.ndarray, " n"], generator: np.random.Generator) -> Float[np.ndarray, "n 3 3"]:
    """A main lobe and two smaller ones near it: beads are round to pear-shaped, sagging a little."""
    count = len(radius)
    turn = generator.uniform(0, 2 * np.pi, (count, 2))
    reach = generator.uniform(0.1, 0.7, (count, 2)) * radius[:, None]
    lobes = np.zeros((count, 3, 3))
    lobes[:, 0, 2] = radius
    lobes[:, 1:, 0], lobes[:, 1:, 1] = reach * np.cos(turn), 0.8 * reach * np.sin(turn)
    lobes[:, 1:, 2] = radius[:, None] * generator.uniform(0.35, 0.8, (count, 2))
    return lobes


def run_lobes(radius: Float[np.ndarray, " n"], generator: np.random.Generator) -> Float[np.ndarray, "n 11 3"]:
    """A drop that runs down: a head and a wavering, thinner trail above it, of varied length."""
    count, steps = len(radius), np.arange(11)
    sway = generator.normal(0, 0.16, (count, 11)).cumsum(axis=1)
    trail = generator.uniform(0.45, 0.7, (count, 1)) * generator.uniform(0.88, 1.1, (count, 11))
    ends = steps > generator.integers(3, 12, (count, 1))
    lobes = np.zeros((count, 11, 3))
    lobes[:, :, 0] = (2.6 - 0.52 * steps) * radius[:, None]
    lobes[:, :, 1] = sway * radius[:, None]
    lobes[:, :, 2] = radius[:, None] * np.where(steps == 0, 1.0, np.where(ends, 1e-3, trail))
    return lobes


def lay_drops(
    thickness: Float[np.ndarray, "h w"],
    drops: Float[np.ndarray, "m p p"],
    corners: Int[np.ndarray, "n 2"],
    area: float,
) -> Float[np.ndarray, "h w"]:
    """Thickness in pixels with drops laid at n corners (row, column) until they wet `area` square pixels.

    The m drawings take turns, the area is met to half a drop. A drop that would land on another by more than 15 %
    is left out: water on glass merges, it never piles up.
    """
    size = drops.shape[1]
    canvas, wet, wetted = thickness.copy(), drops > 0, 0
    pixels = np.count_nonzero(wet, axis=(1, 2))
    for number, (row, column) in enumerate(corners):
        which = number % len(drops)
        if wetted + 0.5 * pixels[which] > area:
            break
        window = canvas[row : row + size, column : column + size]
        if np.count_nonzero((window > 0) & wet[which]) > 0.15 * pixels[which]:
            continue
        np.maximum(window, drops[which], out=window)
        wetted += pixels[which]
    return canvas


def drop_thickness(
    height: int, width: int, coverage: float, strength: float, scale: float, generator: np.random.Generator
) -> Float[np.ndarray, "h w"]:
    """Water on the pane in pixels: large, running and small drops that together cover about `coverage` of it."""
    typical = scale * np.exp(generator.uniform(-0.35, 0.4)) * (0.75 + 0.35 * strength)
    # (mean radius at 256 pixels, share of the water, kind, half extent in radii), large first: small fill the gaps
    shares = generator.dirichlet([4, 0.8, 2.5])
    kinds = zip((8.5, 4.6, 3.0), shares, (bead_lobes, run_lobes, bead_lobes), (2.0, 3.8, 2.0), strict=True)
    margin = 2 * int(np.ceil(1.7 * 4.6 * typical * 3.8))
    canvas = np.zeros((height + 2 * margin, width + 2 * margin), dtype=np.float32)
    for base, share, shape, extent in kinds:
        half = int(np.ceil(1.7 * base * typical * extent))
        area = coverage * share * (height + 2 * half) * (width + 2 * half) * generator.uniform(0.7, 1.3)
        # The lay stops at the area; twice the expected number makes up for those that find no place.
        count = min(MOST_DROPS, 2 + int(2.5 * area / (np.pi * (base * typical) ** 2)))
        drawn = min(count, int(np.clip(MOST_DRAWN_PIXELS // (2 * half + 1) ** 2, 8, 64)))
        radius = base * typical * np.minimum(np.exp(generator.normal(0, 0.35, drawn)), 1.7)
        drops = drop_shapes(shape(radius, generator), half)
        corners = random_centres(count, half, height, width, generator) + margin - half
        canvas = lay_drops(canvas, drops, corners, area)
    return canvas[margin : margin + height, margin : margin + width]


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

    R is the refracted scene, darker where the water is steep (Fresnel), with a glint where its slope mirrors the sky.
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
    drops[wet, :3] = np.clip(shown * optics.gain * (1 - optics.rim * steep**4) + glint, 0, 1)
    drops[wet, 3] = 1
    drops *= np.clip(thickness, 0, 1)[..., None]
    drops = convolve(drops, disc(optics.defocus)) * optics.opacity
    return np.clip(clean * (1 - drops[..., 3:]) + drops[..., :3], 0, 1).astype(np.float32)
