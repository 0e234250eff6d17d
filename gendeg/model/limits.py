"""What a photo can lose: a smooth one has no detail that even the longest blur could take, a dark one little light."""

import math

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from gendeg.primitives.kinds import Degradation, Mix

GAMMA = 2.2
MOST_PIXELS = 256  # the short side at which it is measured: what a long blur takes away is coarse
SOFTNESS = 8  # the higher, the closer to the limit a mu stays what was asked


def limit_of(photo: Float[Tensor, "1 3 h w"], mix: Mix, blur_extent: float, darkening: float) -> float:
    """The mu that a signed photo can lose to a degradation; infinite where nothing limits it, as an extent of 0."""
    if mix == (Degradation.MOTION_BLUR,) and blur_extent:
        return blur_limit(photo, blur_extent)
    if mix == (Degradation.LOW_LIGHT,) and darkening:
        return light_limit(photo, darkening)
    return math.inf


def blur_limit(clean: Float[Tensor, "1 3 h w"], extent: float) -> float:
    """mu in [0, 1] of a signed photo blurred in all directions at once, over `extent` of its short side.

    A box blur in linear light, where exposures add up (Kupyn et al., CVPR 2018): no shake of that extent takes more.
    """
    short = min(clean.shape[-2:])
    unit = (clean.float() + 1) / 2
    if short > MOST_PIXELS:
        unit, short = F.interpolate(unit, scale_factor=MOST_PIXELS / short, mode="area"), MOST_PIXELS
    margin = round(extent * short) // 2
    light = F.pad(unit.clamp(0, 1) ** GAMMA, (margin,) * 4, mode="replicate")
    blurred = F.avg_pool2d(light, 2 * margin + 1, stride=1) ** (1 / GAMMA)
    return float((blurred - unit).abs().mean())


def light_limit(clean: Float[Tensor, "1 3 h w"], darkening: float) -> float:
    """mu in [0, 1] of a signed photo that has lost that share of its brightness everywhere."""
    return darkening * float((clean.float() + 1).mean()) / 2


def within(mu: float, limit: float) -> float:
    """A mu that stays below the limit and rises with the asked one; half the limit loses one part in two thousand.

    NaN, the null statistic, stays; so does any mu where the limit is infinite. A photo with nothing to lose gets 0.
    """
    if not mu > 0 or math.isinf(limit):
        return mu
    if limit <= 0:
        return 0.0
    return mu * (1 + (mu / limit) ** SOFTNESS) ** (-1 / SOFTNESS)
