"""What ties a simulator's arguments to its physical parameters: a check, what a direction means, a solver."""

import math
from collections.abc import Callable

import numpy as np

STRONGEST = 1.3
"""Data are drawn with strengths up to 1; who looks for a mu on a photo that loses little may go so far."""


def check_strength(strength: float, most: float = STRONGEST) -> float:
    """Return `strength` when it lies in [0, most]; `ValueError` otherwise (NaN included)."""
    if not 0.0 <= strength <= most:
        raise ValueError(f"strength must lie in [0, {most:g}], got {strength!r}")
    return float(strength)


def shifted(by: float, generator: np.random.Generator) -> float:
    """A draw from [0, 1), moved by that share of the way to 1, or for a negative one to 0; 0 leaves it as it is."""
    drawn = generator.random()
    return drawn + by * (1 - drawn if by > 0 else drawn)


def to_lean(direction: float) -> float:
    """A direction in degrees → the lean in radians within [-pi/2, pi/2) of the line that it names.

    Direction is the angle between a line in the picture and the vertical: 0 falls straight down, positive goes to the
    right on its way down, so that the line runs along (down, right) = (cos, sin); 90 is level. A line has no sense, so
    the period is 180 degrees. `ValueError` when it is not finite.
    """
    if not math.isfinite(direction):
        raise ValueError(f"direction must be a finite number of degrees, got {direction!r}")
    return math.radians((direction + 90.0) % 180.0 - 90.0)


def solve_rising(rising: Callable[[float], float], target: float, high: float, steps: int = 30) -> float:
    """Bisect for x in [0, high] where the rising function reaches `target`; the nearer end when it never does."""
    low = 0.0
    for _ in range(steps):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if rising(middle) < target else (low, middle)
    return 0.5 * (low + high)
