"""A generator that draws a simulator's parameters from the middle of their ranges: narrow data from wide simulators.

How wide a range of degradations a network has seen decides what it generalises to (Hu et al., arXiv 2502.12600); the
range is one number here, for every simulator, so that it can be the axis of a plot.
"""

from typing import Any

import numpy as np


class NarrowGenerator(np.random.Generator):
    """Draws as its source would, but every parameter comes from the middle `width` (in [0, 1]) of its range.

    Parameters are what simulators draw by `uniform`, `triangular`, `dirichlet`, `choice` and single `random` numbers:
    directions, sizes, opacities, colours, kinds. Where streaks and drops lie, and noise, are not: `integers`,
    `poisson`, `normal` and arrays of `random` stay free, so that two pictures are never the same. 1 changes nothing.
    """

    def __init__(self, source: np.random.Generator, width: float):
        """Raises `ValueError` for a width outside [0, 1]."""
        if not 0.0 <= width <= 1.0:
            raise ValueError(f"width must lie in [0, 1], got {width!r}")
        super().__init__(source.bit_generator)
        self.width = width

    def uniform(self, low: Any = 0.0, high: Any = 1.0, size: Any = None) -> Any:
        drawn = super().uniform(low, high, size)
        return self._towards(drawn, (np.asarray(low, float) + np.asarray(high, float)) / 2)

    def triangular(self, left: Any, mode: Any, right: Any, size: Any = None) -> Any:
        return self._towards(super().triangular(left, mode, right, size), mode)

    def dirichlet(self, alpha: Any, size: Any = None) -> Any:
        weights = np.asarray(alpha, float)
        return self._towards(super().dirichlet(alpha, size), weights / weights.sum())

    def random(self, size: Any = None, *rest: Any, **more: Any) -> Any:
        drawn = super().random(size, *rest, **more)
        return self._towards(drawn, 0.5) if size is None else drawn

    def choice(self, a: Any, size: Any = None, replace: Any = True, p: Any = None, **more: Any) -> Any:  # type: ignore[override]
        """The likeliest (the first, without `p`) of the kinds more often, by 1 − width."""
        drawn = super().choice(a, size, replace, p, **more)
        if size is not None or self.width == 1.0:
            return drawn
        kinds = np.arange(a) if np.ndim(a) == 0 else np.asarray(a)
        return drawn if super().random() < self.width else kinds[int(np.argmax(p)) if p is not None else 0]

    def _towards(self, drawn: Any, middle: Any) -> Any:
        if self.width == 1.0:
            return drawn
        moved = middle + self.width * (np.asarray(drawn) - middle)
        return moved if np.ndim(moved) else float(moved)
