"""`--intensity` as a function: prior, one value or a range → mu and sigma of many samples (DESIGN.md, 3.4)."""

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
from jaxtyping import Float

from gendeg.configs import PlanConfig
from gendeg.intensity.draw import EVEN_EVERY, Drawer, Drawn
from gendeg.intensity.priors import load_priors
from gendeg.primitives.errors import BadOption
from gendeg.primitives.kinds import Mix

Statistics = Callable[[Mix, Float[np.ndarray, "n 3"], int], tuple[Drawn, list[str]]]
"""(mix, uniform draws, number of the first) → statistics of n samples, and the names of the sources."""


def statistics_of(config: PlanConfig) -> Statistics:
    """`--intensity` as a function. Raises `BadOption`."""
    mode = config.intensity.strip()
    match = re.fullmatch(r"(\d*\.?\d+)(?:-(\d*\.?\d+))?", mode)
    if mode != "prior" and match is None:
        raise BadOption("--intensity", f"must be prior, a number or a range like 0.2-0.8, not '{mode}'")
    low, high = (float(match[1]), float(match[2] or match[1])) if match else (0.0, 1.0)
    if not 0 <= low <= high <= 1:
        raise BadOption("--intensity", f"must lie in [0, 1], not '{mode}'")

    def statistics(mix: Mix, uniform: Float[np.ndarray, "n 3"], first: int) -> tuple[Drawn, list[str]]:
        drawer = _drawer(mix, config.priors)
        names = [prior.source for prior in drawer.priors]
        if match is None:
            even = (np.arange(first, first + len(uniform)) + 1) % EVEN_EVERY == 0
            return drawer.from_priors(uniform, even), names
        if match[2] is None:
            return drawer.fixed(low, len(uniform)), names
        return drawer.between(low, high, uniform), names

    return statistics


@cache
def _drawer(mix: Mix, root: str) -> Drawer:
    return Drawer(load_priors(mix, Path(root) if root else None))
