"""Noise on latents, and what a network says of it: there and back again, and one deterministic step on."""

from jaxtyping import Float
from torch import Tensor

Image = Float[Tensor, "b c h w"]


def noised(latent: Image, noise: Image, alphas_cumprod: Float[Tensor, " b"]) -> Image:
    """x_t = √ᾱ x_0 + √(1 − ᾱ) ε (DDPM, equation 4)."""
    kept = alphas_cumprod[:, None, None, None]
    return kept.sqrt() * latent + (1 - kept).sqrt() * noise


def target_of(prediction_type: str, latent: Image, noise: Image, alphas_cumprod: Float[Tensor, " b"]) -> Image:
    """What the UNet is to say: ε, x_0, or v = √ᾱ ε − √(1 − ᾱ) x_0 (Salimans & Ho, ICLR 2022, section 4)."""
    kept = alphas_cumprod[:, None, None, None]
    if prediction_type == "epsilon":
        return noise
    if prediction_type == "sample":
        return latent
    if prediction_type == "v_prediction":
        return kept.sqrt() * noise - (1 - kept).sqrt() * latent
    raise ValueError(f"unknown prediction type '{prediction_type}'")


def generated_of(prediction_type: str, said: Image, noisy: Image, alphas_cumprod: Float[Tensor, " b"]) -> Image:
    """x_0 from what the UNet says of x_t: the inverse of `target_of`."""
    kept = alphas_cumprod[:, None, None, None]
    if prediction_type == "epsilon":
        return (noisy - (1 - kept).sqrt() * said) / kept.sqrt()
    if prediction_type == "sample":
        return said
    if prediction_type == "v_prediction":
        return kept.sqrt() * noisy - (1 - kept).sqrt() * said
    raise ValueError(f"unknown prediction type '{prediction_type}'")


def landed(
    prediction_type: str, said: Image, noisy: Image, alphas_cumprod: Float[Tensor, " b"], following: Float[Tensor, " b"]
) -> Image:
    """x at the levels `following` from what the UNet says of x_t: the noise stays, its share falls (DDIM, equation 12).

    Some noise must be in x_t, and of pure noise a network that says ε tells nothing.
    """
    generated = generated_of(prediction_type, said, noisy, alphas_cumprod)
    kept, later = alphas_cumprod[:, None, None, None], following[:, None, None, None]
    noise = (noisy - kept.sqrt() * generated) / (1 - kept).sqrt()
    return later.sqrt() * generated + (1 - later).sqrt() * noise
