"""What a degradation layer looks like: how much of the image it covers, how wide, long and inclined its structures are.

Wavelengths from the mean square of the slope (Rice, "Mathematical Analysis of Random Noise", 1944) along the axes of
the structure tensor (Bigün and Granlund, ICCV 1987).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from gendeg.primitives.images import GREY

Layer = Float[np.ndarray, "h w 3"]
VISIBLE = 5 / 255  # change of a pixel's grey value that counts as covered
LONGEST = 1000.0  # pixels, of a layer without slope in one direction
FAINT = 1e-4  # standard deviation of a layer that has no structure


@dataclass(frozen=True)
class LayerShape:
    """`density` in [0, 1]; `width` and `length` in pixels (of one light-dark period across and along the structures);
    `direction` in degrees from the vertical, (−90, 90], positive leaning right as it falls; `coherence` in [0, 1]: 0
    no direction at all, 1 one only. A layer without structure has width, length, direction and coherence 0."""

    density: float
    width: float
    length: float
    direction: float
    coherence: float


def layer_shape(layer: Layer) -> LayerShape:
    """Of degraded − clean in [−1, 1]; a layer of one row or column has no structure."""
    grey = layer.astype(np.float64) @ GREY
    density = float((np.abs(grey) > VISIBLE).mean())
    spread = float(grey.std())
    if spread < FAINT or min(grey.shape) < 3:
        return LayerShape(density, 0.0, 0.0, 0.0, 0.0)
    down, right = np.gradient(grey)
    xx, yy, xy = ((one * two).mean() for one, two in ((right, right), (down, down), (right, down)))
    across, along = _eigenvalues(xx, yy, xy)
    width, length = (min(2 * np.pi * spread / max(np.sqrt(value), 1e-12), LONGEST) for value in (across, along))
    # The gradient points across a structure: it lies to the horizontal as the structure lies to the vertical.
    lean = np.degrees(0.5 * np.arctan2(2 * xy, xx - yy))
    coherence = (across - along) / (across + along)
    return LayerShape(density, float(width), float(length), float(_wrapped(-lean)), float(coherence))


def _eigenvalues(xx: float, yy: float, xy: float) -> tuple[float, float]:
    """Larger and smaller one of a symmetric matrix."""
    middle, half = (xx + yy) / 2, float(np.hypot((xx - yy) / 2, xy))
    return middle + half, max(middle - half, 0.0)


def _wrapped(degrees: float) -> float:
    return 90.0 - (90.0 - degrees) % 180.0
