"""One way to call the autoencoders of diffusers: KL (SD 1.5), DC (the bundled one) and Tiny."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, get_args

import numpy as np
import torch
import torch.nn.functional as F
from diffusers.models.autoencoders.autoencoder_dc import AutoencoderDC
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny
from jaxtyping import Float, UInt8
from torch import Tensor

from gendeg.model.moves import exact, put_rows, rows_of
from gendeg.primitives.errors import BadOption
from gendeg.primitives.kinds import EVERY, mix_name

Autoencoder: TypeAlias = AutoencoderKL | AutoencoderDC | AutoencoderTiny
AUTOENCODERS = {kind.__name__: kind for kind in get_args(Autoencoder)}
"""By the name that a configuration tells."""


@dataclass(frozen=True)
class CleanLatent:
    """Encoded photos of one size: one for each sample of a batch, or one that all of its samples share (n = 1).

    `decoded` is what the latents decode to, where the pipeline's `residual_decoding` needs it; `pixels` are the
    photos in main memory, for a model that begins with a simulator's draw.
    """

    image: Float[Tensor, "n 3 h w"]
    latent: Float[Tensor, "n c y x"]
    height: int
    width: int
    decoded: Float[Tensor, "n 3 h w"] | None = None
    pixels: tuple[UInt8[np.ndarray, "photo_h photo_w 3"], ...] = ()

    @classmethod
    def batch(cls, each: Sequence["CleanLatent"]) -> "CleanLatent":
        """Several as one; all of one size."""
        decoded = [one.decoded for one in each if one.decoded is not None]
        image, latent = (torch.cat(parts) for parts in zip(*((one.image, one.latent) for one in each), strict=True))
        pixels = tuple(pixels for one in each for pixels in one.pixels)
        return cls(image, latent, each[0].height, each[0].width, torch.cat(decoded) if decoded else None, pixels)

    def of(self, *samples: int) -> "CleanLatent":
        """The photos of these samples; all of them where they share one."""
        if not self.several:
            return self
        run = samples == tuple(range(samples[0], samples[0] + len(samples)))

        def some(rows: Tensor) -> Tensor:  # of a run a view, no copy
            return rows[samples[0] : samples[-1] + 1] if run else rows_of(rows, samples)

        decoded = None if self.decoded is None else some(self.decoded)
        pixels = tuple(self.pixels[sample] for sample in samples) if self.pixels else ()
        return CleanLatent(some(self.image), some(self.latent), self.height, self.width, decoded, pixels)

    @property
    def several(self) -> bool:
        """Whether each sample has its own."""
        return len(self.latent) > 1

    @property
    def photo(self) -> Float[Tensor, "n 3 y x"]:
        """The images without what padded them."""
        return self.image[..., : self.height, : self.width]


def encode(vae: Autoencoder, image: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b c y x"]:
    """Signed images → latents, not scaled; of a posterior, its mode."""
    output = vae.encode(image)
    for name in ("latent", "latents"):
        if hasattr(output, name):
            return getattr(output, name)
    return output.latent_dist.mode()


def sample_posterior(
    vae: AutoencoderKL, image: Float[Tensor, "b 3 h w"], noise: Float[Tensor, "b c y x"]
) -> Float[Tensor, "b c y x"]:
    """Signed images → latents, not scaled: mean + deviation · noise of their posteriors."""
    posterior = vae.encode(image).latent_dist
    drawn: Tensor = posterior.mean + posterior.std * noise
    return drawn


def decode(vae: Autoencoder, latent: Float[Tensor, "b c y x"]) -> Float[Tensor, "b 3 h w"]:
    """Latents, not scaled → signed images, not clamped."""
    return vae.decode(latent).sample


def onto_photo(
    photo: Float[Tensor, "#b 3 h w"],
    degraded: Float[Tensor, "b 3 h w"],
    decoded_photo: Float[Tensor, "#b 3 h w"] | None,
) -> Float[Tensor, "b 3 h w"]:
    """photo + (degraded − decoded_photo), all signed, not clamped: the decoded change laid onto the photo itself.

    What the autoencoder loses of the photo is lost in both decoded images and cancels. Without a `decoded_photo` the
    degraded image is returned as it is.
    """
    return degraded if decoded_photo is None else photo + degraded - decoded_photo


DETAIL = 5
"""Pixels: detail is what a mean over a square of this side leaves."""
NEIGHBOURHOOD = 9
"""Pixels of the square over which it is measured how much of the source's detail the degraded image has kept."""
FAINT = 1e-4
"""Variance of signed detail below which nothing can be measured, and nothing is put back."""


def keep_detail(
    source: Float[Tensor, "#b 3 h w"], degraded: Float[Tensor, "b 3 h w"], decoded_source: Float[Tensor, "#b 3 h w"]
) -> Float[Tensor, "b 3 h w"]:
    """degraded + a · (source − decoded_source), all signed, not clamped: what the autoencoder loses is put back.

    The source is the photo, or the simulator's draw that sampling began with. a in [0, 1] is the share of its detail
    that the degraded image keeps around a pixel, the slope of the local regression of one's detail on the other's as in
    a guided filter (He, Sun and Tang, ECCV 2010, equation 5). Of a photo: 1 under a thin streak, the transmission in
    haze, the gain in the dark, nothing where a blur has taken it or a flake covers it. Of a draw: nothing where the
    network has drawn something else.
    """
    before, after = (image - local_mean(image, DETAIL) for image in (decoded_source, degraded))
    shared, own = (local_mean((before * one).mean(dim=1, keepdim=True), NEIGHBOURHOOD) for one in (after, before))
    return degraded + (shared / (own + FAINT)).clamp(0, 1) * (source - decoded_source)


def as_veil(
    source: Float[Tensor, "#b 3 h w"],
    degraded: Float[Tensor, "b 3 h w"],
    decoded_source: Float[Tensor, "#b 3 h w"],
    side: int,
) -> Float[Tensor, "b 3 h w"]:
    """a · source + b, all signed, not clamped: what lies over a photo as haze does has no texture of its own.

    a in [0, 1] is the transmission, one for all channels, b the light that was added: the local regression of the
    degraded image on its decoded source over squares of `side` pixels, smoothed, which is a guided filter (He, Sun and
    Tang, ECCV 2010, equations 5, 6 and 8).
    """
    slope, before, after = local_slope(decoded_source, degraded, side)
    return local_mean(slope, side) * source + local_mean(after - slope * before, side)


def local_slope(
    source: Float[Tensor, "#b 3 h w"], degraded: Float[Tensor, "b 3 h w"], side: int
) -> tuple[Float[Tensor, "b 1 h w"], Float[Tensor, "#b 3 h w"], Float[Tensor, "b 3 h w"]]:
    """Of the regression of one on the other over squares of `side` pixels, in [0, 1], and both local means.

    It is the share of the source that is still seen there. Where the source is flat it leans to that of the image.
    """
    before, after = local_mean(source, side), local_mean(degraded, side)
    own, made = source - before, degraded - after
    shared, energy = (local_mean((own * one).mean(dim=1, keepdim=True), side) for one in (made, own))
    whole = exact(shared).mean(dim=(2, 3), keepdim=True) / exact(energy + FAINT).mean(dim=(2, 3), keepdim=True)
    return ((shared + FAINT * whole.to(shared)) / (energy + FAINT)).clamp(0, 1), before, after


def put_back(kept: CleanLatent, images: Float[Tensor, "b 3 h w"], sides: Sequence[int]) -> Float[Tensor, "b 3 h w"]:
    """Decoded images with the detail of `kept`, which has to be decoded; those with a side above 0 as veils over it."""
    done = images
    for side in sorted(set(sides) or {0}):
        rows = [row for row, one in enumerate(sides) if one == side] or range(len(images))
        own, some = kept.of(*rows), rows_of(images, rows)
        assert own.decoded is not None
        decoded = own.decoded.float()
        some = as_veil(own.image, some, decoded, side) if side else keep_detail(own.image, some, decoded)
        done = put_rows(done, rows, some)
    return done


def checked_veils(veils: Mapping[str, int]) -> dict[str, int]:
    """`veils` of a configuration, by mixes' own names. Raises `ValueError` for another mix, or another side."""
    for name, side in veils.items():
        if name not in map(mix_name, EVERY) or not isinstance(side, int) or side < 3 or side % 2 == 0:
            raise ValueError(f"veils: {name} = {side}: a degradation, and the side of squares, an odd number from 3")
    return dict(veils)


def local_mean(image: Float[Tensor, "b c h w"], side: int) -> Float[Tensor, "b c h w"]:
    """Over a square of that many pixels (an odd number) around each, cut off at the borders."""
    down = F.avg_pool2d(image, (side, 1), stride=1, padding=(side // 2, 0), count_include_pad=False)
    return F.avg_pool2d(down, (1, side), stride=1, padding=(0, side // 2), count_include_pad=False)


def factor(vae: Autoencoder) -> int:
    """Pixels of the image along one side of a latent."""
    if isinstance(vae, AutoencoderDC):
        return vae.spatial_compression_ratio
    levels = vae.config.block_out_channels if isinstance(vae, AutoencoderKL) else vae.config.encoder_block_out_channels
    return 2 ** (len(levels) - 1)


def check_side(vae: Autoencoder, side: int) -> None:
    """Raises `BadOption` for crops of `side` pixels that do not divide into latents."""
    if side % factor(vae):
        raise BadOption("--size", f"must be a multiple of {factor(vae)} for this autoencoder, got {side}")
