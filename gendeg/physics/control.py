"""What ties a simulator's strength to its physical parameters: a range check and a one-dimensional solver."""

from collections.abc import Callable


def check_strength(strength: float) -> float:
    """Return `strength` when it lies in [0, 1]; `ValueError` otherwise (NaN included)."""
    if not 0.0 <= strength <= 1.0:
        raise ValueError(f"strength must lie in [0, 1], got {strength!r}")
    return float(strength)


def solve_rising(rising: Callable[[float], float], target: float, high: float, steps: int = 30) -> float:
    """Bisect for x in [0, high] where the rising function reaches `target`; the nearer end when it never does."""
    low = 0.0
    for _ in range(steps):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if rising(middle) < target else (low, middle)
    return 0.5 * (low + high)
