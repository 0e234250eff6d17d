"""What a small model generates: the change of the latent, divided by the size that mu and sigma promise it.

rms(change of the scaled latent) / hypot(mu, sigma) is nearly the same number r for all pairs of one degradation, so
change / (r · hypot(mu, sigma)) has unit variance at every intensity, and one range of noise levels fits all of them.
"""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

LEAST_SIZE = 0.004
"""hypot(mu, sigma) counts as this where it is less, a grey level of 255: what is hardly there is not blown up."""


def change_sizes(
    scales: Mapping[str, float], names: Sequence[str], mu: Sequence[float], sigma: Sequence[float]
) -> Float[Tensor, " b"]:
    """r · hypot(mu, sigma) of each sample, by which its normalised change is multiplied.

    `scales` maps mix names to r. Raises `ValueError` for a degradation that is not in it, or a null statistic: without
    them nothing tells how large a change is to be.
    """
    unknown = sorted({name for name in names if name not in scales})
    if unknown or len(names) != len(mu):
        raise ValueError(f"this model needs the degradation of every sample, one of {', '.join(scales)}; got {names}")
    asked = torch.hypot(*(torch.tensor(list(one), dtype=torch.float32) for one in (mu, sigma)))
    if bool(asked.isnan().any()):
        raise ValueError("this model needs mu and sigma of every sample, and one of them is NaN")
    return asked.clamp(min=LEAST_SIZE) * torch.tensor([scales[name] for name in names])


def fit_scale(changes: Sequence[Float[Tensor, "c _ _"]], mu: Sequence[float], sigma: Sequence[float]) -> float:
    """r of one degradation: the root mean square of rms(change) / hypot(mu, sigma) over pairs.

    `changes` are differences of scaled latents. Raises `ValueError` when no pair has a change to measure.
    """
    asked = [float(torch.hypot(torch.tensor(m), torch.tensor(s))) for m, s in zip(mu, sigma, strict=True)]
    ratios = [c.float().square().mean() / a**2 for c, a in zip(changes, asked, strict=True) if a >= LEAST_SIZE]
    if not ratios:
        raise ValueError("no pair of this degradation changes its photo")
    return float(torch.stack(ratios).mean().sqrt())
