"""Light scattered by drops on its way: the atmospheric point spread function (Metari & Deschênes, ICCV 2007).

Their kernel is a generalised Gaussian, h(r) ∝ exp(−(r / A)^p) with A = σ √(Γ(1/p) / Γ(3/p)), where p grows with the
optical thickness of the air and σ with how widely its drops scatter; here σ is in pixels. That task transfer (Wang et
al., arXiv 2208.13133) reconstructs scattered photos is the paper's idea; this kernel and its range are our choice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, gamma, sqrt

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

THICK = 0.5, 2.0  # p: a narrow peak with a wide skirt … a Gaussian
NARROWEST = 0.2  # the smallest σ drawn, relative to the largest
REACH = 2.5  # the kernel's radius in units of the largest σ; what lies beyond is cut


@dataclass(frozen=True)
class Scattering:
    """One draw: σ in pixels (0: nothing is scattered) and the exponent p."""

    sigma: float
    power: float


def draw_scattering(widest: float, generator: np.random.Generator) -> Scattering:
    """σ uniform from a fifth of `widest` pixels up to it, p uniform in [0.5, 2]."""
    return Scattering(float(widest * generator.uniform(NARROWEST, 1.0)), float(generator.uniform(*THICK)))


def scattering_kernels(drawn: Sequence[Scattering], widest: float) -> Float[Tensor, "b side side"]:
    """Kernels that sum to 1, all as wide as the widest needs; σ 0 gives the identity. Raises `ValueError` below 0."""
    if min([widest, *(one.sigma for one in drawn)]) < 0:
        raise ValueError("sigma is a width in pixels: 0 or more")
    radius = ceil(REACH * widest)
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    kernels = np.stack([_kernel(np.hypot(x, y), one) for one in drawn])
    return torch.from_numpy(kernels.astype(np.float32))


def _kernel(r: Float[np.ndarray, "side side"], one: Scattering) -> Float[np.ndarray, "side side"]:
    if one.sigma == 0:
        return (r == 0).astype(np.float64)
    scale = one.sigma * sqrt(gamma(1 / one.power) / gamma(3 / one.power))
    kernel = np.exp(-((r / scale) ** one.power))
    return kernel / kernel.sum()


def scatter(images: Float[Tensor, "b 3 h w"], kernels: Float[Tensor, "b side side"]) -> Float[Tensor, "b 3 h w"]:
    """Each image convolved with its own kernel; borders repeat the last pixel, so a flat image stays as it is."""
    radius = kernels.shape[-1] // 2
    if not radius:
        return images
    padded = F.pad(images, (radius,) * 4, mode="replicate")
    b, c, height, width = padded.shape
    weight = kernels.to(images).repeat_interleave(c, dim=0)[:, None]
    return F.conv2d(padded.reshape(1, b * c, height, width), weight, groups=b * c).reshape(images.shape)
