"""Snow: flakes at three depths, moved by wind, under a veil (Liu et al., TIP 2018; Chen et al. JSTASR, ECCV 2020)."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from gendeg.physics.control import check_strength, shifted, to_lean
from gendeg.physics.layers import centred_grid, counted, cover, random_centres, scene_light, stamp, veil_transmission

MOST_FLAKES, MOST_DRAWN_PIXELS, EXPOSURE_STEPS = 2500, 20_000, 6
WINDY = 0.5  # part of the longest path that flakes fly at least when a direction is asked


@dataclass(frozen=True)
class FlakeLayer:
    """Flakes at one depth: mean radius, edge softness and wind path in pixels, opacity, share of the picture."""

    radius: float
    softness: float
    path: float
    opacity: float
    coverage: float


def snow(
    clean: Float[np.ndarray, "h w 3"],
    strength: float,
    generator: np.random.Generator,
    direction: float | None = None,
    evenness: float = 0.0,
) -> Float[np.ndarray, "h w 3"]:
    """Photograph with falling snow of `strength` in [0, 1]; mean |clean - result| is about 0.20 * strength^1.8.

    I = T * K + (1 - T) * A with K = (1 - z) * clean + z * C (Chen et al., ECCV 2020, eq. 1 and 2). Flakes fly along
    `direction` (degrees, see `to_lean`; None: drawn), and fast enough for it to show when one is asked.
    `evenness` (see `shifted`) is from white flakes in clear air to faint ones in a veil. One generator draws the same
    flakes at every strength, and more. Raises `ValueError` for a strength outside [0, 1].
    """
    check_strength(strength)
    height, width = clean.shape[:2]
    flake, airlight = snow_light(clean, generator)
    contrast = max(float(np.abs(flake - clean).mean()), 0.08)
    amount = 0.43 * strength**1.8 * (1 + 0.46 * strength**2) * float(np.clip(0.45 / contrast, 0.4, 1.7)) ** 0.75
    veil_share = 0.6 * shifted(evenness, generator) ** 1.5
    wind = float(np.radians(generator.triangular(-65, 0, 65)))
    wind = wind if direction is None else to_lean(direction)
    calm = 0.0 if direction is None else WINDY
    transmission = veil_transmission(height, width, min(0.8, 1.25 * amount * veil_share), generator)
    image = cover(clean, 1 - transmission, airlight)
    scale = min(height, width) / 256
    for layer in flake_layers(amount * (1 - veil_share), strength, scale, generator, calm, evenness):
        mask = render_flakes(height, width, layer, wind, generator)
        image = cover(image, colour_fringe(mask, generator.uniform(0, 0.4)), flake)
    return np.clip(image, 0, 1).astype(np.float32)


def snow_light(
    clean: Float[np.ndarray, "h w 3"], generator: np.random.Generator
) -> tuple[Float[np.ndarray, " 3"], Float[np.ndarray, " 3"]]:
    """Colours in [0, 1] of flakes and veil: white under the scene's light, the veil a little darker and bluer."""
    flake = 0.25 * scene_light(clean) + 0.75 * generator.uniform(0.9, 1.0)
    airlight = generator.uniform(0.82, 0.96) * flake + generator.uniform(0, 1) * np.array([-0.02, 0.0, 0.03])
    return np.clip(flake, 0, 1).astype(np.float32), np.clip(airlight, 0, 1).astype(np.float32)


def flake_layers(
    coverage: float,
    strength: float,
    scale: float,
    generator: np.random.Generator,
    slowest: float = 0.0,
    evenness: float = 0.0,
) -> list[FlakeLayer]:
    """Far, middle and near flakes, far first: nearer is larger, faster, more out of focus and more transparent.

    Wind paths are drawn between `slowest` (in [0, 1]) and 1 times the longest.
    """
    scale = max(scale, 0.5)
    shares = generator.dirichlet([2.5, 4, 1.2]) * coverage
    radii = np.array([0.75, 1.6, 5.0]) * generator.uniform(0.75, 1.45) * scale
    softness = np.array([0.25, 0.3, 1.2]) * generator.uniform(0.6, 1.5, 3) * scale
    # Most snow falls gently; a squared uniform number now and then gives a blizzard.
    paths = np.array([2.5, 5.0, 5.0]) * radii * (slowest + (1 - slowest) * generator.random() ** 1.5)
    bold = shifted(-evenness, generator)
    bold = 0.35 + 0.65 * max(bold, strength)  # few white flakes or many faint ones
    opacities = np.array([0.85, 1.0, 0.7]) * bold
    rows = zip(radii, softness, paths, opacities, shares, strict=True)
    return [FlakeLayer(*(float(number) for number in row)) for row in rows]


def flake_patches(
    radius: Float[np.ndarray, " n"],
    softness: float,
    path: float,
    direction: float,
    half: int,
    generator: np.random.Generator,
) -> Float[np.ndarray, "n p p"]:
    """Irregular soft flakes in [0, 1], p = 2 * half + 1, averaged over a `path` of that many pixels.

    `direction` in radians from the vertical. The outline is radius * (1 + harmonics 2 to 4 of the polar angle).
    """
    rows, columns = (grid[None] for grid in centred_grid(half))

    def draw(low: float, high: float) -> Float[np.ndarray, "n 1 1"]:
        return generator.uniform(low, high, (len(radius), 1, 1)).astype(np.float32)

    # The outline's harmonics are powers of a unit complex number: ten times quicker than arctan2 and cosines.
    lean, travel = direction + draw(-0.2, 0.2), path * draw(0.7, 1.2)
    row, column = draw(-0.5, 0.5), draw(-0.5, 0.5)
    waves = [(draw(0, 0.32 / (k - 1)) * np.exp(1j * draw(0, 6.28))).astype(np.complex64) for k in (2, 3, 4)]
    size, steps = radius[:, None, None].astype(np.float32), min(EXPOSURE_STEPS, 1 + int(np.ceil(path)))
    seen = np.zeros((len(radius), 2 * half + 1, 2 * half + 1), dtype=np.float32)
    for moment in np.linspace(-0.5, 0.5, steps) if steps > 1 else [0.0]:
        down, right = rows - row - moment * travel * np.cos(lean), columns - column - moment * travel * np.sin(lean)
        distance = np.hypot(down, right)
        turn = (right + 1j * down) / np.maximum(distance, 1e-6)
        outline = size * (1 + (turn * turn * (waves[0] + turn * (waves[1] + turn * waves[2]))).real)
        seen += 1 / (1 + np.exp(np.clip(2 * (distance - outline) / softness, -30, 30)))
    return (seen / steps).astype(np.float32)


def render_flakes(
    height: int, width: int, layer: FlakeLayer, direction: float, generator: np.random.Generator
) -> Float[np.ndarray, "h w"]:
    """Mask z in [0, 1] of one layer, with mean near its coverage; sizes spread log-normally around its radius.

    Few drawings are stamped many times at random places and opacities: it looks the same and costs a tenth.
    """
    half = int(np.ceil(2 * layer.radius + 2.5 * layer.softness + 0.6 * layer.path))
    drawn = int(np.clip(MOST_DRAWN_PIXELS // (2 * half + 1) ** 2, 12, 64))
    radius = layer.radius * np.clip(np.exp(generator.normal(0, 0.4, drawn)), 0.4, 1.9)
    drawings = flake_patches(radius, layer.softness, layer.path, direction, half, generator)
    area = float(drawings.sum(axis=(1, 2)).mean()) * layer.opacity * 0.8
    expected = layer.coverage * (height + 2 * half) * (width + 2 * half) / area
    count, most = counted(expected, MOST_FLAKES, generator)
    opacity = np.minimum(layer.opacity * generator.uniform(0.35, 1.25, most)[:count], 1)
    return stamp(drawings, opacity, random_centres(most, half, height, width, generator)[:count], height, width)


def colour_fringe(mask: Float[np.ndarray, "h w"], shift: float) -> Float[np.ndarray, "h w 3"]:
    """Chromatic aberration of the flakes (DesnowNet): red moves `shift` in [0, 1] pixels right, blue left."""
    red = mask + shift * (np.roll(mask, 1, axis=1) - mask)
    blue = mask + shift * (np.roll(mask, -1, axis=1) - mask)
    return np.stack([red, mask, blue], axis=-1)
