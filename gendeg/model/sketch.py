"""Sampling that begins with a simulator's draw under noise, instead of noise alone (SDEdit, Meng et al., 2108.01073).

What has to agree over the whole picture, which way streaks lie and a camera moved, how far a veil reaches, a small
network cannot make up, for it sees a part at a time. What they look like there it has learnt from pairs.
"""

import math
from collections.abc import Sequence

import torch

from gendeg.intensity.ask import Ask
from gendeg.intensity.reach import nearest
from gendeg.primitives.images import U8Image
from gendeg.primitives.rng import for_sample


def draw_sketches(photos: Sequence[U8Image], asks: Sequence[Ask], noise: Sequence[torch.Generator]) -> list[U8Image]:
    """Each photo, degraded as near to what is asked of it as the simulators come.

    Drawn from the sample's seed, but not as `--model physics` draws from it: the two are compared. Raises `ValueError`
    where no mu, or no degradation, is asked for.
    """
    if any(math.isnan(ask.mu) for ask in asks):
        raise ValueError("this model begins with a simulator's draw, which needs mu, and one of them is NaN")
    return [
        nearest(photo, ask, int(for_sample(generator.initial_seed(), ask.name, "sketch").integers(2**63))).image
        for photo, ask, generator in zip(photos, asks, noise, strict=True)
    ]
