"""What the trainings of autoencoder, diffusion and structure minimise."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

Image = Float[Tensor, "b c h w"]


def gradient_l1(prediction: Image, target: Image) -> Float[Tensor, ""]:
    """Mean absolute error of the horizontal and vertical differences (Mathieu et al., ICLR 2016, equation 6, α = 1)."""
    error = prediction - target
    return (error[..., 1:, :] - error[..., :-1, :]).abs().mean() + (error[..., 1:] - error[..., :-1]).abs().mean()


def reconstruction_loss(prediction: Image, target: Image, gradient_weight: float) -> Float[Tensor, ""]:
    """L1 of the pixels plus `gradient_weight` times L1 of their gradients; signed images."""
    return F.l1_loss(prediction, target) + gradient_weight * gradient_l1(prediction, target)


def psnr(prediction: Image, target: Image) -> Float[Tensor, " b"]:
    """Peak signal-to-noise ratio of signed images (peak 2), dB per image; 100 dB for equal ones."""
    error = ((prediction.clamp(-1, 1) - target) ** 2).mean(dim=(1, 2, 3))
    return 10 * torch.log10(4.0 / error.clamp(min=4e-10))


def snr_plus_one_weight(alphas_cumprod: Float[Tensor, " b"], cap: float) -> Float[Tensor, " b"]:
    """Weight of each example's squared error of x_0: SNR + 1, which makes it that of v (Salimans & Ho, section 4).

    Never above `cap`, so that the cleanest examples do not take everything, and 1 where there is nothing but noise.
    """
    snr = alphas_cumprod / (1 - alphas_cumprod).clamp(min=1e-8)
    return (snr + 1).clamp(max=cap)
