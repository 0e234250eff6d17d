"""Rain: streaks at several depths and the veil of accumulated drops (Garg & Nayar, IJCV 2007; Li et al., CVPR 2019)."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from gendeg.physics.control import check_strength, shifted, to_lean
from gendeg.physics.fields import convolve
from gendeg.physics.layers import centred_grid, counted, cover, random_centres, scene_light, stamp, veil_transmission

MOST_NEAR_STREAKS, NEAR_DRAWINGS = 300, 24


@dataclass(frozen=True)
class StreakLayer:
    """Streaks at one depth: length and width (a Gaussian sigma) in pixels, opacity of the brightest, mean opacity."""

    length: float
    width: float
    peak: float
    coverage: float


def rain(
    clean: Float[np.ndarray, "h w 3"],
    strength: float,
    generator: np.random.Generator,
    direction: float | None = None,
    evenness: float = 0.0,
) -> Float[np.ndarray, "h w 3"]:
    """Photograph with rain of `strength` in [0, 1]; mean |clean - result| is about 0.20 * strength^1.9.

    I = (1 - near) * [T * ((1 - far) * clean + far * L) + (1 - T) * A] + near * L: the streak and veil model of
    Li et al. (CVPR 2019, eq. 3) with opaque streaks. The streaks lie along `direction` (degrees, see `to_lean`; None:
    drawn). `evenness` (see `shifted`) is from bright streaks in clear air to faint ones in mist. One generator draws
    the same streaks at every strength, and more. Raises `ValueError` for a strength outside [0, 1].
    """
    check_strength(strength)
    height, width = clean.shape[:2]
    light, airlight = rain_light(clean, generator)
    contrast = max(float(np.abs(light - clean).mean()), 0.08)
    amount = 0.55 * strength**1.9 * (1 + 0.34 * strength**2) * float(np.clip(0.38 / contrast, 0.4, 1.7)) ** 0.75
    veil_share = 0.5 * shifted(evenness, generator) ** 1.5  # most rain that one sees is streaks, some is half mist
    angle = float(np.radians(generator.triangular(-40, 0, 40)))
    angle = angle if direction is None else to_lean(direction)
    scale = min(height, width) / 256
    far_layers, near_layer = streak_layers(amount * (1 - veil_share), strength, scale, generator, evenness)
    far = render_far_streaks(height, width, far_layers, angle, generator)
    near = render_near_streaks(height, width, near_layer, angle, generator)
    transmission = veil_transmission(height, width, min(0.6, 1.25 * amount * veil_share), generator)
    return compose(clean, far, near, transmission, light, airlight)


def compose(
    clean: Float[np.ndarray, "h w 3"],
    far: Float[np.ndarray, "h w"],
    near: Float[np.ndarray, "h w"],
    transmission: Float[np.ndarray, "h w 1"],
    light: Float[np.ndarray, " 3"],
    airlight: Float[np.ndarray, " 3"],
) -> Float[np.ndarray, "h w 3"]:
    """From back to front: scene, far streaks, veil, near streaks (equation in `rain`); all in [0, 1]."""
    behind = cover(cover(clean, far[..., None], light), 1 - transmission, airlight)
    return np.clip(cover(behind, near[..., None], light), 0, 1).astype(np.float32)


def rain_light(
    clean: Float[np.ndarray, "h w 3"], generator: np.random.Generator
) -> tuple[Float[np.ndarray, " 3"], Float[np.ndarray, " 3"]]:
    """Colours in [0, 1] of the streaks and of the veil: a drop gathers light from 165 degrees, so mostly sky."""
    tint = np.array([-0.02, 0.0, 0.02]) * generator.uniform(0, 1.5)
    light = 0.3 * scene_light(clean) + 0.7 * generator.uniform(0.85, 1.05) + tint
    airlight = generator.uniform(0.75, 0.95) * light + tint
    return np.clip(light, 0, 1).astype(np.float32), np.clip(airlight, 0, 1).astype(np.float32)


def streak_layers(
    coverage: float, strength: float, scale: float, generator: np.random.Generator, evenness: float = 0.0
) -> tuple[list[StreakLayer], StreakLayer]:
    """Far to middle layers and the near one, together covering `coverage`; lengths grow with nearness and `scale`."""
    scale = max(scale, 0.5)
    # A small concentration: one or two depths make most of the streaks of a picture, so it shows few widths.
    shares = generator.dirichlet([1.2, 1.8, 1.8, 0.9])
    stretch, bold = generator.uniform(0.7, 1.6), shifted(-evenness, generator)
    lengths = np.array([8, 16, 32, 60]) * stretch * scale
    widths = np.array([0.42, 0.5, 0.65, 1.2]) * generator.uniform(0.85, 1.2) * np.sqrt(scale)
    # Few bright streaks or many faint ones may change a photo as much; heavy rain is bright as well.
    peaks = np.array([0.65, 0.85, 0.95, 0.7]) * (0.3 + 0.7 * max(bold, strength**2))
    rows = zip(lengths, widths, peaks, shares * coverage, strict=True)
    layers = [StreakLayer(*(float(number) for number in row)) for row in rows]
    return layers[:3], layers[3]


def streak_profile(
    along: Float[np.ndarray, "..."],
    across: Float[np.ndarray, "..."],
    length: Float[np.ndarray, "..."] | float,
    width: Float[np.ndarray, "..."] | float,
) -> Float[np.ndarray, "..."]:
    """Opacity in [0, 1] of a round drop that moves `length` pixels at even speed: a soft box times a Gaussian.

    `along` and `across` are distances in pixels from the centre; the box ends fade over one streak width.
    """
    soft = 1.2 * width + 0.15 * length
    box = np.tanh((along + length / 2) / soft) - np.tanh((along - length / 2) / soft)
    return 0.5 * box * np.exp(-0.5 * (across / width) ** 2)


def streak_kernel(length: float, width: float, angle: float) -> Float[np.ndarray, "k k"]:
    """A falling drop during one exposure, sum 1 (a drop spreads its light, it gains none).

    `angle` in radians from the vertical, positive leaning to the right as it falls.
    """
    rows, columns = centred_grid(int(np.ceil(0.8 * length + 3 * width)))
    along = rows * np.cos(angle) + columns * np.sin(angle)
    across = columns * np.cos(angle) - rows * np.sin(angle)
    kernel = streak_profile(along, across, length, width)
    return (kernel / kernel.sum()).astype(np.float32)


def render_far_streaks(
    height: int, width: int, layers: list[StreakLayer], angle: float, generator: np.random.Generator
) -> Float[np.ndarray, "h w"]:
    """Opacity in [0, 1) of dense streaks: random points convolved with each layer's motion kernel."""
    total = np.zeros((height, width), dtype=np.float32)
    for layer in layers:
        jitter = generator.normal(0, 0.05)
        kernel = streak_kernel(layer.length * generator.uniform(0.85, 1.15), layer.width, angle + jitter)
        kernel /= kernel.max()
        # A drop's mean brightness is half the peak; the coverage, had none hidden another, fixes how many fall.
        density = -np.log1p(-min(layer.coverage, 0.9)) / (0.5 * layer.peak * float(kernel.sum()))
        points = (generator.random((height, width)) < density) * generator.random((height, width)) * layer.peak
        total += convolve(points[..., None].astype(np.float32), kernel)[..., 0]
    return 1 - np.exp(-np.maximum(total, 0))


def render_near_streaks(
    height: int, width: int, layer: StreakLayer, angle: float, generator: np.random.Generator
) -> Float[np.ndarray, "h w"]:
    """Opacity in [0, 1] of the few long, wide, out of focus streaks, each with its own length, width and lean.

    The ripple along a streak is the drop's oscillation seen by Garg & Nayar (SIGGRAPH 2006, section 3).
    """
    radius = int(np.ceil(0.8 * 1.3 * layer.length))
    rows, columns = (grid[None] for grid in centred_grid(radius))
    area = 0.75 * layer.length * layer.width * np.sqrt(2 * np.pi) * layer.peak
    expected = layer.coverage * (height + 2 * radius) * (width + 2 * radius) / area
    count, most = counted(expected, MOST_NEAR_STREAKS, generator)
    drawings = min(max(count, 1), NEAR_DRAWINGS)

    def draw(low: float, high: float) -> Float[np.ndarray, "m 1 1"]:
        return generator.uniform(low, high, (NEAR_DRAWINGS, 1, 1)).astype(np.float32)[:drawings]

    lean = angle + generator.normal(0, 0.035, (NEAR_DRAWINGS, 1, 1)).astype(np.float32)[:drawings]
    length, blur = layer.length * draw(0.6, 1.2), layer.width * draw(0.6, 1.5)
    along = rows * np.cos(lean) + columns * np.sin(lean)
    across = columns * np.cos(lean) - rows * np.sin(lean)
    ripple = 1 + 0.25 * np.cos(along * draw(8, 25) / layer.length + draw(0, 6.28))
    streaks = np.clip(streak_profile(along, across, length, blur) * ripple, 0, 1)
    opacity = np.minimum(generator.uniform(0.4, 1.25, most)[:count] * layer.peak, 1)
    centres = random_centres(most, radius, height, width, generator)[:count]
    return stamp(streaks, opacity, centres, height, width)
