"""Meets the asked mu and sigma: a change is scaled, and spread over the picture or gathered, within limits."""

from collections.abc import Mapping, Sequence
from math import isnan

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from gendeg.intensity.measure import Intensity
from gendeg.model.latents import local_mean
from gendeg.model.moves import exact, to_device
from gendeg.primitives.kinds import Degradation, Mix

WEAKEST = 0.25
"""The change may shrink to this share; blending towards the clean photo is harmless."""


PART = 8
"""How strong a change is at a place is its mean over about that part of the short side."""
FAINTEST = 0.05
"""Of the mean strength: a place with less counts as that."""
NOTHING = 1e-6
"""A change of a signed image that is none."""
SHORT = 128
"""Side of the small image, about."""
SAMPLE = 1 << 14
"""Pixels on which sigma is looked for, about; more are as many times the work and find the same."""
TURNS = 8
"""Halvings of the range in which a power is looked for."""


def checked_evenness(evenness: Mapping[str, float]) -> dict[str, float]:
    """`evenness` of a configuration. Raises `ValueError` for what is no degradation, or not in [0, 1]."""
    for name, most in evenness.items():
        if name not in list(Degradation) or not 0 <= most <= 1:
            raise ValueError(f"evenness: {name} = {most}: a degradation, and a power of at most 1")
    return dict(evenness)


def evenness_of(evenness: Mapping[str, float], mix: Mix) -> float:
    """How far a mix may go: no further than any of its members."""
    return min((evenness.get(kind, 0.0) for kind in mix), default=0.0)


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
    wanted = exact(to_device(torch.tensor(list(mu), dtype=torch.float64).reshape(-1, 1, 1, 1), degraded.device))
    measured = exact(change.abs().mean(dim=(1, 2, 3), keepdim=True)) / 2  # signed images span 2
    factor = (wanted / measured).clamp(WEAKEST, most)
    brought = (clean + factor.float() * change).clamp(-1, 1)
    return torch.where((wanted >= 0) & (measured != 0), brought, degraded)


def spread(
    clean: Float[Tensor, "n 3 h w"],
    degraded: Float[Tensor, "b 3 h w"],
    asked: Sequence[Intensity],
    powers: Sequence[float],
    most: float,
) -> Float[Tensor, "b 3 h w"]:
    """Signed images → the same with as much change, laid so that, brought to mu, it has the asked sigma.

    The change is multiplied by its own local strength to a power, of which `powers` holds the most either way for each
    image: above 0 gathers it where it is strong, below 0 spreads it over the picture, as the simulators' `evenness`
    does. Not clamped, for `meet_mu` follows, with the same `most`. Images of which mu or sigma is not asked for (NaN),
    or whose power is 0, stay as they are.
    """
    rows = [row for row, (mu, sigma) in enumerate(asked) if powers[row] > 0 and not isnan(mu + sigma)]
    if not rows:
        return degraded
    photo = clean[rows] if len(clean) > 1 else clean
    change = degraded[rows] - photo
    weight, size = _weight(change), _size(change)
    step = max(1, round((change[0, 0].numel() / SAMPLE) ** 0.5))
    few, few_photo, few_weight = (one[..., ::step, ::step] for one in (change, photo, weight))
    numbers = torch.tensor([[*asked[row], powers[row]] for row in rows], dtype=torch.float64)
    mu, sigma, end = exact(to_device(numbers, change.device)).reshape(-1, 3, 1, 1, 1).unbind(1)
    brought = _size(few)  # signed images span 2
    brought = torch.clamp(2 * mu, WEAKEST * brought, most * brought) if most > 1 else brought
    low, high = -end, end
    for _ in range(TURNS):
        power = (low + high) / 2
        moved = few * few_weight ** power.float()
        made = ((few_photo + (brought / _size(moved)).float() * moved).clamp(-1, 1) - few_photo).abs() / 2
        enough = exact(made).std(dim=(1, 2, 3), keepdim=True, correction=0) >= sigma
        low, high = torch.where(enough, low, power), torch.where(enough, power, high)
    moved = change * weight ** ((low + high) / 2).float()
    laid = photo + (size / _size(moved)).float() * moved
    return laid if len(rows) == len(degraded) else degraded.index_copy(0, torch.tensor(rows, device=laid.device), laid)


def _weight(change: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 1 h w"]:
    """How strong it is around each pixel, smoothly, as parts of the mean; of a large image, found on a small one."""
    size = change.shape[-2:]
    amount = change.abs().mean(dim=1, keepdim=True)
    if (step := min(size) // SHORT) > 1:
        amount = F.avg_pool2d(amount, step, ceil_mode=True, count_include_pad=False)
    side = 2 * (min(amount.shape[-2:]) // PART // 2) + 1
    local = local_mean(local_mean(amount, side), side)
    parts = (local / local.mean(dim=(2, 3), keepdim=True).clamp(min=NOTHING)).clamp(min=FAINTEST)
    return parts if step < 2 else F.interpolate(parts, size, mode="bilinear")


def _size(change: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 1 1 1"]:
    """Mean |change|, at least `NOTHING`."""
    return exact(change.abs().mean(dim=(1, 2, 3), keepdim=True)).clamp(min=NOTHING)
