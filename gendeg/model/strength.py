"""Meets the asked mu and sigma: what a small model made too weak, too strong or too even is mended, within limits."""

from jaxtyping import Float
from torch import Tensor

WEAKEST = 0.25
"""The change may shrink to this share; blending towards the clean photo is harmless."""
SHARPEST = 2.0
"""The change of a pixel may be raised to this power."""
HALVINGS, ROUNDS = 8, 6  # of the interval of powers; of bringing the mean back, which only clamping keeps from one
PIXELS = 1 << 16  # are enough to find the power from
TINY = 1e-12


def meet_mu(
    clean: Float[Tensor, "1 3 h w"], degraded: Float[Tensor, "1 3 h w"], mu: float, most: float
) -> Float[Tensor, "1 3 h w"]:
    """Signed images → clean + factor · (degraded − clean), clamped; the factor brings mean |change| to `mu`.

    Exact for what is linear in its strength: the gain of low light, the airlight of haze, the opacity of streaks,
    flakes and drops. The factor lies between `WEAKEST` and `most`; NaN (no mu was asked for) and `most` of 1 change
    nothing. Clamping may still keep a photo from it: a dark one cannot lose what it does not have.
    """
    change = degraded - clean
    measured = float(change.abs().mean()) / 2  # signed images span 2
    if most <= 1 or not mu >= 0 or measured == 0:
        return degraded
    factor = min(max(mu / measured, WEAKEST), most)
    return (clean + factor * change).clamp(-1, 1)


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
    step = max(1, round((change[0, 0].numel() / PIXELS) ** 0.5))
    few, under = (image[..., ::step, ::step] for image in (change, clean))
    low, high = 1.0, SHARPEST
    for _ in range(HALVINGS):
        power = (low + high) / 2
        enough = _deviation(_raised(under, few, power) - under) >= sigma
        low, high = (low, power) if enough else (power, high)
    return _raised(clean, change, high)


def _deviation(change: Float[Tensor, "1 3 h w"]) -> float:
    """sigma of a change between signed images."""
    return float(change.abs().std(correction=0)) / 2


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
