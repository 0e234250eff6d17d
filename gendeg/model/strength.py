"""Meets the asked mu and sigma: what a small model made too weak, too strong or too even is mended, within limits."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

WEAKEST = 0.25
"""The change may shrink to this share; blending towards the clean photo is harmless."""
SHARPEST = 2.0
"""The change of a pixel may be raised to this power."""
DARKEST = 4.0
"""What a photo keeps of its light may be raised to this power."""
HALVINGS, ROUNDS = 12, 6  # of the interval of powers; of bringing the mean back, which only clamping keeps from one
PIXELS = 1 << 16  # are enough to find the power from
TINY = 1e-12
NOTHING = float("nan")


@dataclass(frozen=True)
class Target:
    """What a finished image is to measure; NaN: what it came with. `exposure`: it lacks light and may lack more."""

    mu: float = NOTHING
    sigma: float = NOTHING
    exposure: bool = False


def meet(
    clean: Float[Tensor, "1 3 h w"], degraded: Float[Tensor, "1 3 h w"], target: Target, most: float
) -> Float[Tensor, "1 3 h w"]:
    """Signed images → the degraded one brought to its target; with a `most` of 1 its mu stays as it came."""
    image = meet_mu(clean, degraded, target.mu, most)
    if target.exposure and most > 1:
        image = meet_exposure(clean, image, target.mu)
    return meet_sigma(clean, image, target.sigma)


def meet_mu(
    clean: Float[Tensor, "1 3 h w"], degraded: Float[Tensor, "1 3 h w"], mu: float, most: float
) -> Float[Tensor, "1 3 h w"]:
    """Signed images → clean + factor · (degraded − clean), clamped; the factor brings mean |change| to `mu`.

    Exact for what is linear in its strength: the gain of low light, the airlight of haze, the opacity of streaks,
    flakes and drops. The factor lies between `WEAKEST` and `most`; NaN (no mu was asked for) and `most` of 1 change
    nothing. Clamping may still keep a photo from it: a dark one cannot lose what it does not have.
    """
    change = degraded - clean
    measured = _mean(change)
    if most <= 1 or not mu >= 0 or measured == 0:
        return degraded
    factor = min(max(mu / measured, WEAKEST), most)
    return (clean + factor * change).clamp(-1, 1)


def meet_exposure(
    clean: Float[Tensor, "1 3 h w"], degraded: Float[Tensor, "1 3 h w"], mu: float
) -> Float[Tensor, "1 3 h w"]:
    """Signed images → exposed shorter until mean |change| is `mu`: shares of light, not differences, so nothing clips.

    What a pixel keeps of its light, degraded / clean where that is below 1, is raised to a power from 1 to `DARKEST`,
    the least that gives `mu`; a power of a gain is a gain, in linear light too. NaN, or a mu that is there, changes
    nothing.
    """
    few, under = (_few(image) for image in (degraded, clean))
    if not _mean(few - under) < mu:
        return degraded
    return _exposed(clean, degraded, _least_power(DARKEST, lambda p: _mean(_exposed(under, few, p) - under) >= mu))


def meet_sigma(
    clean: Float[Tensor, "1 3 h w"], degraded: Float[Tensor, "1 3 h w"], sigma: float
) -> Float[Tensor, "1 3 h w"]:
    """Signed images → the same mean |change|, its standard deviation raised to `sigma`: strong parts gain, weak lose.

    The change c of a pixel, of size m = mean |c| over its channels, becomes a · m^(p − 1) · c, clamped; a keeps the
    mean, and p, from 1 to `SHARPEST`, is the least that gives `sigma`. Flakes and streaks that came out soft get edges,
    and the veil between them goes. Not for haze and darkness, which keep the photo's order of tones, nor for blur,
    which is no layer before it. NaN, or a sigma that is there already, changes nothing.
    """
    change = degraded - clean
    if not 0 < _deviation(change) < sigma:
        return degraded
    few, under = (_few(image) for image in (change, clean))
    power = _least_power(SHARPEST, lambda p: _deviation(_raised(under, few, p) - under) >= sigma)
    return _raised(clean, change, power)


def _few(image: Float[Tensor, "1 3 h w"]) -> Float[Tensor, "1 3 y x"]:
    step = max(1, round((image[0, 0].numel() / PIXELS) ** 0.5))
    return image[..., ::step, ::step]


def _least_power(most: float, enough: Callable[[float], bool]) -> float:
    """The least power from 1 to `most` that is enough, found by halving."""
    low, high = 1.0, most
    for _ in range(HALVINGS):
        power = (low + high) / 2
        low, high = (low, power) if enough(power) else (power, high)
    return high


def _mean(change: Float[Tensor, "1 3 h w"]) -> float:
    """mu of a change between signed images, which span 2."""
    return float(change.abs().mean()) / 2


def _deviation(change: Float[Tensor, "1 3 h w"]) -> float:
    """sigma of a change between signed images."""
    return float(change.abs().std(correction=0)) / 2


def _exposed(
    clean: Float[Tensor, "1 3 h w"], degraded: Float[Tensor, "1 3 h w"], power: float
) -> Float[Tensor, "1 3 h w"]:
    before, after = ((image + 1) / 2 for image in (clean, degraded))
    darker = before * (after / before.clamp(min=TINY)).clamp(min=0) ** power
    return torch.where(after < before, darker * 2 - 1, degraded)


def _raised(
    clean: Float[Tensor, "1 3 h w"], change: Float[Tensor, "1 3 h w"], power: float
) -> Float[Tensor, "1 3 h w"]:
    size = change.abs().mean(dim=1, keepdim=True)
    mean = max(float(size.mean()), TINY)
    raised = change * (size / mean) ** (power - 1)
    factor = mean / max(float(raised.abs().mean()), TINY)
    for _ in range(ROUNDS):
        image = (clean + factor * raised).clamp(-1, 1)
        factor *= mean / max(float((image - clean).abs().mean()), TINY)
    return image
