"""Two-way classifier-free guidance (InstructPix2Pix, CVPR 2023, equation 3), as weights of up to three UNet passes."""

from collections.abc import Sequence
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor


class Branch(NamedTuple):
    """One UNet pass and its weight in the sum; the weights of all branches add up to 1."""

    weight: float
    text: bool
    image: bool


def branches(guidance_text: float, guidance_image: float) -> list[Branch]:
    """e_uncond + s_text (e_full − e_image) + s_image (e_image − e_uncond), gathered by pass.

    A pass whose weight is zero is left out: with both scales at 1 only the full one remains.
    """
    every = [
        Branch(guidance_text, text=True, image=True),
        Branch(guidance_image - guidance_text, text=False, image=True),
        Branch(1.0 - guidance_image, text=False, image=False),
    ]
    return [branch for branch in every if branch.weight != 0.0]


FULL = Branch(1.0, text=True, image=True)


def guided(chosen: list[Branch], interval: Sequence[float], level: float) -> list[Branch]:
    """Those of a step at this noise / signal: all within [low, high], the full pass alone outside; (): everywhere.

    At high noise guidance throws out variety, at low noise it changes next to nothing (Kynkäänniemi et al., "Applying
    Guidance in a Limited Interval", NeurIPS 2024).
    """
    return chosen if not interval or interval[0] <= level <= interval[1] else [FULL]


def combine(predictions: Sequence[Float[Tensor, "b c h w"]], chosen: list[Branch]) -> Float[Tensor, "b c h w"]:
    """Weighted sum of the passes, in the order of `chosen`."""
    return sum(branch.weight * e for branch, e in zip(chosen, predictions, strict=True))  # type: ignore[return-value]
