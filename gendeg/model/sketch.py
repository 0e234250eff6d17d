"""Sampling that begins with a simulator's draw under noise, instead of noise alone (SDEdit, Meng et al., 2108.01073).

What has to agree over the whole picture, which way streaks lie and a camera moved, how far a veil reaches, a small
network cannot make up, for it sees a part at a time. What they look like there it has learnt from pairs. A degradation
of which it has learnt enough begins with noise alone.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from gendeg.intensity.ask import Ask
from gendeg.intensity.direction import UNKNOWN, Direction, measure_direction
from gendeg.intensity.reach import nearest
from gendeg.primitives.images import U8Image
from gendeg.primitives.kinds import Degradation
from gendeg.primitives.rng import for_sample


@dataclass(frozen=True)
class Sketch:
    """A photo, degraded by a simulator, and what that measures; or the photo itself, where none is to degrade it."""

    image: U8Image
    direction: Direction
    mu: float


def checked_levels(sketch: float, lower: Mapping[str, float]) -> dict[str, float]:
    """`sketch_levels` of a configuration. Raises `ValueError` for what is no degradation, or too high."""
    for name, level in lower.items():
        if name not in list(Degradation) or not 0 <= level <= sketch:
            allowed = f"a degradation, and a level of at most {sketch:g}, or 0 to begin with noise alone"
            raise ValueError(f"sketch_levels: {name} = {level}: {allowed}")
    return dict(lower)


def draw_sketch(photo: U8Image, ask: Ask, seed: int) -> Sketch:
    """The photo, degraded as near to what is asked of it as the simulators come.

    Drawn from the sample's seed, but not as `--model physics` draws from it: the two are compared. Raises `ValueError`
    where no mu, or no degradation, is asked for.
    """
    if math.isnan(ask.mu):
        raise ValueError("this model begins with a simulator's draw, which needs mu, and one of them is NaN")
    shot = nearest(photo, ask, int(for_sample(seed, ask.name, "sketch").integers(2**63)))
    return Sketch(shot.image, measure_direction(photo, shot.image, ask.mix), shot.measured.mu)


def no_sketch(photo: U8Image, ask: Ask, seed: int) -> Sketch:
    """In the place of a draw where sampling begins with noise alone: no change at all."""
    return Sketch(photo, UNKNOWN, ask.mu)
