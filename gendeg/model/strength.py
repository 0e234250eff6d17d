"""Meets the asked mu: what a model made too weak or too strong is scaled, within limits."""

from collections.abc import Sequence
from math import isnan

import torch
from jaxtyping import Float
from torch import Tensor

from gendeg.model.moves import to_device

WEAKEST = 0.25
"""The change may shrink to this share; blending towards the clean photo is harmless."""


def in_reach(made: float, mu: float, most: float) -> float:
    """The mu nearest to the asked one that an image of mu `made` can be brought to, if nothing of it is clamped."""
    return made if most <= 1 else min(max(mu, WEAKEST * made), most * made)


def meet_mu(
    clean: Float[Tensor, "n 3 h w"], degraded: Float[Tensor, "b 3 h w"], mu: Sequence[float], most: float
) -> Float[Tensor, "b 3 h w"]:
    """Signed images → clean + factor · (degraded − clean), clamped; the factor brings mean |change| to `mu`.

    Exact for what is linear in its strength: the gain of low light, the airlight of haze, the opacity of streaks,
    flakes and drops. The factor lies between `WEAKEST` and `most`; NaN (no mu was asked for) and `most` of 1 change
    nothing. Clamping may still keep a photo from it: a dark one cannot lose what it does not have. n is b, or 1 for
    all. What is measured on a GPU stays there, where it decides, so that nobody waits for it.
    """
    if most <= 1 or all(isnan(value) for value in mu):
        return degraded
    change = degraded - clean
    wanted = _exact(to_device(torch.tensor(list(mu), dtype=torch.float64).reshape(-1, 1, 1, 1), degraded.device))
    measured = _exact(change.abs().mean(dim=(1, 2, 3), keepdim=True)) / 2  # signed images span 2
    factor = (wanted / measured).clamp(WEAKEST, most)
    brought = (clean + factor.float() * change).clamp(-1, 1)
    return torch.where((wanted >= 0) & (measured != 0), brought, degraded)


def _exact(numbers: Tensor) -> Tensor:
    """Sums of pixels go on in float64, which Apple's GPUs lack."""
    return numbers.float() if numbers.device.type == "mps" else numbers.double()
