"""Meets the asked mu and sigma: what a small model made too weak, too strong or too even is mended, within limits."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isnan

import torch
from jaxtyping import Float
from torch import Tensor

from gendeg.model.moves import to_device

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
SAMPLE = (1, 2, 3)  # the dimensions of one

Images = Float[Tensor, "#b 3 y x"]
Some = Float[Tensor, "some 3 y x"]
Column = Float[Tensor, "#b 1 1 1"]


@dataclass(frozen=True)
class Target:
    """What a finished image is to measure; NaN: what it came with. `exposure`: it lacks light and may lack more."""

    mu: float = NOTHING
    sigma: float = NOTHING
    exposure: bool = False


def meet(
    clean: Float[Tensor, "n 3 h w"], degraded: Float[Tensor, "b 3 h w"], targets: Sequence[Target], most: float
) -> Float[Tensor, "b 3 h w"]:
    """Signed images → each brought to its target; with a `most` of 1 its mu stays as it came. n is b, or 1 for all.

    What is measured on a GPU stays there, where it decides, so that nobody waits for it.
    """
    image = meet_mu(clean, degraded, [one.mu for one in targets], most)
    if most > 1:
        image = meet_exposure(clean, image, [one.mu if one.exposure else NOTHING for one in targets])
    return meet_sigma(clean, image, [one.sigma for one in targets])


def meet_mu(
    clean: Float[Tensor, "n 3 h w"], degraded: Float[Tensor, "b 3 h w"], mu: Sequence[float], most: float
) -> Float[Tensor, "b 3 h w"]:
    """Signed images → clean + factor · (degraded − clean), clamped; the factor brings mean |change| to `mu`.

    Exact for what is linear in its strength: the gain of low light, the airlight of haze, the opacity of streaks,
    flakes and drops. The factor lies between `WEAKEST` and `most`; NaN (no mu was asked for) and `most` of 1 change
    nothing. Clamping may still keep a photo from it: a dark one cannot lose what it does not have.
    """
    if most <= 1 or not _asked(mu):
        return degraded
    change, wanted = degraded - clean, _column(mu, degraded)
    measured = _mean(change)
    factor = (wanted / measured).clamp(WEAKEST, most)
    brought = (clean + factor.float() * change).clamp(-1, 1)
    return torch.where((wanted >= 0) & (measured != 0), brought, degraded)


def meet_exposure(
    clean: Float[Tensor, "n 3 h w"], degraded: Float[Tensor, "b 3 h w"], mu: Sequence[float]
) -> Float[Tensor, "b 3 h w"]:
    """Signed images → exposed shorter until mean |change| is `mu`: shares of light, not differences, so nothing clips.

    What a pixel keeps of its light, degraded / clean where that is below 1, is raised to a power from 1 to `DARKEST`,
    the least that gives `mu`; a power of a gain is a gain, in linear light too. NaN, or a mu that is there, changes
    nothing.
    """
    if not (rows := _asked(mu)):
        return degraded
    own, image, wanted = _of(clean, rows), _of(degraded, rows), _column([mu[row] for row in rows], degraded)
    few, under = (_few(one) for one in (image, own))
    missing = _mean(few - under) < wanted
    if _for_nothing(missing):
        return degraded
    power = _least_power(DARKEST, wanted, lambda p: _mean(_exposed(under, few, p) - under) >= wanted)
    return _put(degraded, rows, torch.where(missing, _exposed(own, image, power), image))


def meet_sigma(
    clean: Float[Tensor, "n 3 h w"], degraded: Float[Tensor, "b 3 h w"], sigma: Sequence[float]
) -> Float[Tensor, "b 3 h w"]:
    """Signed images → the same mean |change|, its standard deviation raised to `sigma`: strong parts gain, weak lose.

    The change c of a pixel, of size m = mean |c| over its channels, becomes a · m^(p − 1) · c, clamped; a keeps the
    mean, and p, from 1 to `SHARPEST`, is the least that gives `sigma`. Flakes and streaks that came out soft get edges,
    and the veil between them goes. Not for haze and darkness, which keep the photo's order of tones, nor for blur,
    which is no layer before it. NaN, or a sigma that is there already, changes nothing.
    """
    if not (rows := _asked(sigma)):
        return degraded
    own, image, wanted = _of(clean, rows), _of(degraded, rows), _column([sigma[row] for row in rows], degraded)
    change = image - own
    spread = _deviation(change)
    missing = (spread > 0) & (spread < wanted)
    if _for_nothing(missing):
        return degraded
    few, under = (_few(one) for one in (change, own))
    power = _least_power(SHARPEST, wanted, lambda p: _deviation(_raised(under, few, p) - under) >= wanted)
    return _put(degraded, rows, torch.where(missing, _raised(own, change, power), image))


# --- the samples of a batch that something is asked of ---


def _asked(values: Sequence[float]) -> list[int]:
    return [row for row, value in enumerate(values) if not isnan(value)]


def _of(images: Images, rows: list[int]) -> Some:
    """Those rows; all there are where samples share one photo."""
    return images if len(images) == 1 or rows == list(range(len(images))) else images[rows]


def _put(images: Images, rows: list[int], some: Some) -> Images:
    """The batch with those rows replaced."""
    return some if len(some) == len(images) else images.index_copy(0, torch.tensor(rows, device=images.device), some)


def _column(values: Sequence[float], like: Tensor) -> Column:
    return _exact(to_device(torch.tensor(list(values), dtype=torch.float64).reshape(-1, 1, 1, 1), like.device))


def _exact(numbers: Tensor) -> Tensor:
    """Sums of pixels go on in float64, which Apple's GPUs lack."""
    return numbers.float() if numbers.device.type == "mps" else numbers.double()


def _for_nothing(missing: Tensor) -> bool:
    """Whether no sample needs what comes next; only on a CPU, for of a GPU one would have to wait for the answer."""
    return missing.device.type == "cpu" and not bool(missing.any())


# --- pixels ---


def _few(image: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 y x"]:
    step = max(1, round((image[0, 0].numel() / PIXELS) ** 0.5))
    return image[..., ::step, ::step]


def _least_power(most: float, like: Column, enough: Callable[[Column], Tensor]) -> Column:
    """The least power from 1 to `most` that is enough, for each sample, found by halving."""
    low, high = torch.ones_like(like), torch.full_like(like, most)
    for _ in range(HALVINGS):
        power = (low + high) / 2
        reached = enough(power)
        low, high = torch.where(reached, low, power), torch.where(reached, power, high)
    return high


def _mean(change: Images) -> Column:
    """mu of changes between signed images, which span 2."""
    return _exact(change.abs().mean(dim=SAMPLE, keepdim=True)) / 2


def _deviation(change: Images) -> Column:
    """sigma of changes between signed images."""
    return _exact(change.abs().std(dim=SAMPLE, correction=0, keepdim=True)) / 2


def _exposed(clean: Images, degraded: Images, power: Column) -> Images:
    before, after = ((image + 1) / 2 for image in (clean, degraded))
    darker = before * (after / before.clamp(min=TINY)).clamp(min=0) ** power.float()
    return torch.where(after < before, darker * 2 - 1, degraded)


def _raised(clean: Images, change: Images, power: Column) -> Images:
    size = change.abs().mean(dim=1, keepdim=True)
    mean = _exact(size.mean(dim=SAMPLE, keepdim=True)).clamp(min=TINY)
    raised = change * (size / mean.float()) ** (power - 1).float()
    factor = mean / (2 * _mean(raised)).clamp(min=TINY)
    for _ in range(ROUNDS):
        image = (clean + factor.float() * raised).clamp(-1, 1)
        factor = factor * (mean / (2 * _mean(image - clean)).clamp(min=TINY))
    return image
