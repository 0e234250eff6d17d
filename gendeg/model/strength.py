"""Meets the asked mu: what a small model made too weak or too strong is scaled to it, within limits."""

from jaxtyping import Float
from torch import Tensor

WEAKEST = 0.25
"""The change may shrink to this share; blending towards the clean photo is harmless."""


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
