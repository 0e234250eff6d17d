"""The direction that each sample is told: the asked one, or one drawn from those that were measured in pairs."""

import math
from collections.abc import Mapping, Sequence

import torch

from gendeg.intensity.direction import UNKNOWN, Direction

Measured = Mapping[str, Sequence[Sequence[float]]]
"""Mix name → (cos 2θ, sin 2θ) · coherence of training pairs: the prior, as a sample of it."""


def settle_directions(
    measured: Measured,
    names: Sequence[str],
    asked: Sequence[Direction],
    generators: Sequence[torch.Generator],
) -> list[Direction]:
    """One for each sample: the asked one where it is known, else one of those measured for its mix, else `UNKNOWN`.

    A sample's generator chooses, and is drawn from only where there is something to choose.
    """
    if not measured:
        return list(asked)
    wanted = list(asked) or [UNKNOWN] * len(generators)
    named = list(names) or [""] * len(generators)
    samples = zip(named, wanted, generators, strict=True)
    return [_settle(measured.get(name, ()), direction, generator) for name, direction, generator in samples]


def _settle(measured: Sequence[Sequence[float]], asked: Direction, generator: torch.Generator) -> Direction:
    if not measured or not math.isnan(asked.cos):
        return asked
    return Direction(*measured[int(torch.randint(len(measured), (), generator=generator, device=generator.device))])
