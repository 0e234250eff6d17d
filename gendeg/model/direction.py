"""The direction that a sample is told: the asked one, or one drawn from those that were measured in pairs."""

import math
from collections.abc import Sequence

import torch

from gendeg.intensity.direction import Direction


def settle_direction(measured: Sequence[Sequence[float]], asked: Direction, generator: torch.Generator) -> Direction:
    """The asked one where it is known, or nothing is `measured`; else one of those.

    `measured` are (cos 2θ, sin 2θ) · coherence of training pairs of this mix: the prior, as a sample of it. The
    sample's own generator chooses, and is drawn from only where there is something to choose.
    """
    if not measured or not math.isnan(asked.cos):
        return asked
    return Direction(*measured[int(torch.randint(len(measured), (), generator=generator, device=generator.device))])
