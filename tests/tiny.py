"""Real classes at toy size: a bundled-shaped pipeline and an SD-1.5-shaped one, both of a few ten thousand weights."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from transformers import CLIPTokenizer

from gendeg.model.bundled import (
    Sizes,
    make_autoencoder,
    make_conditioner,
    make_structure,
    make_text_encoder,
    make_tokenizer,
    make_unet,
)
from gendeg.model.conditioner import Conditioner
from gendeg.model.pipeline import GenDegPipeline
from gendeg.primitives.records import Record

REFERENCE = Path(__file__).resolve().parents[2] / "shared" / "reference"
needs_reference = pytest.mark.skipif(not REFERENCE.is_dir(), reason=f"the reference numbers are not at {REFERENCE}")

SIZES = Sizes(
    latent_channels=4,
    vae_channels=(8, 16),
    vae_layers=(1, 1),
    unet_channels=(8, 16),
    heads=(1, 2),
    norm_groups=4,
    text_dim=16,
    text_layers=1,
    vocabulary=600,
    tokens=16,
    frequencies=2,
    structure_width=4,
    structure_encoder=(1, 1),
    structure_middle=1,
    structure_decoder=(1, 1),
)
CORPUS = ("a street, in hazy conditions", "a dog on a hill, in rainy conditions", "a photo, with raindrops in it")


@cache
def tiny_tokenizer() -> CLIPTokenizer:
    return make_tokenizer(CORPUS, SIZES)


def tiny_pipeline(structure: bool = True, tile: int = 512, seed: int = 0) -> GenDegPipeline:
    """The bundled model's classes; fresh weights, none left at a value that would hide a mistake."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        tokenizer, conditioner = tiny_tokenizer(), make_conditioner(SIZES)
        pipeline = GenDegPipeline(
            vae=make_autoencoder(SIZES),
            text_encoder=make_text_encoder(tokenizer, SIZES),
            tokenizer=tokenizer,
            unet=make_unet(conditioner, SIZES),
            scheduler=make_scheduler(),
            conditioner=conditioner,
            structure=make_structure(SIZES) if structure else None,
            steps=3,
            guidance_text=1.0,
            guidance_image=1.0,
            tile=tile,
        )
        return _stirred(pipeline)


def tiny_stable_diffusion(seed: int = 0) -> GenDegPipeline:
    """SD 1.5's classes: AutoencoderKL, an 8-channel UNet without a vector, the published conditioning."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        vae = AutoencoderKL(
            block_out_channels=(8, 16),
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
            latent_channels=4,
            norm_num_groups=4,
            scaling_factor=0.18215,
        )
        unet = UNet2DConditionModel(
            in_channels=8,
            out_channels=4,
            block_out_channels=(8, 16),
            layers_per_block=1,
            down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
            cross_attention_dim=SIZES.text_dim,
            attention_head_dim=2,
            norm_num_groups=4,
        )
        pipeline = GenDegPipeline(
            vae=vae,
            text_encoder=make_text_encoder(tiny_tokenizer(), SIZES),
            tokenizer=tiny_tokenizer(),
            unet=unet,
            scheduler=make_scheduler("v_prediction"),
            conditioner=Conditioner(text_dim=SIZES.text_dim, tokens=SIZES.tokens, soft_bins=False, frequencies=0),
            steps=3,
        )
        return _stirred(pipeline)


def narrow_unet(channels: int = 4) -> UNet2DConditionModel:
    """A UNet that reads noisy latents only, as Stable Diffusion's does."""
    own = {**tiny_stable_diffusion().unet.config, "in_channels": channels}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        unet = UNet2DConditionModel(**{name: value for name, value in own.items() if not name.startswith("_")})
        torch.nn.init.normal_(unet.conv_in.bias)
    return unet.eval()


def write_base(folder: Path) -> Path:
    """A folder in the layout of Stable Diffusion 1.5, as `--base` takes it."""
    pipeline = tiny_stable_diffusion()
    for name in ("vae", "text_encoder", "tokenizer"):
        getattr(pipeline, name).save_pretrained(folder / name)
    narrow_unet().save_pretrained(folder / "unet")
    return folder


@torch.no_grad()
def _stirred(pipeline: GenDegPipeline) -> GenDegPipeline:
    """A little noise on every weight (zero and identity weights too), eval mode, no bar."""
    for part in pipeline.components.values():
        if isinstance(part, torch.nn.Module):
            part.eval()
            for weight in part.parameters():
                weight.add_(0.02 * torch.randn_like(weight))
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def generators(*seeds: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def clean_image(height: int, width: int) -> torch.Tensor:
    """A smooth colourful signed image [1 3 h w]."""
    y, x = torch.meshgrid(torch.linspace(0, 3, height), torch.linspace(0, 4, width), indexing="ij")
    return torch.stack([torch.sin(x + y), torch.cos(2 * x), torch.sin(y - 2 * x)])[None] * 0.9


def photo(height: int, width: int, seed: int = 0) -> np.ndarray:
    """A smooth u8 picture with some noise [h w 3]."""
    signed = clean_image(height, width)[0].permute(1, 2, 0).numpy()
    noise = np.random.default_rng(seed).normal(0, 12, signed.shape)
    return np.clip(signed * 110 + 127 + noise, 0, 255).astype(np.uint8)


def example_record(**changes: Any) -> Record:
    """A valid record; `changes` replace its fields."""
    record = Record(
        key="a",
        degradation="rain",
        caption="a photo",
        prompt="a photo, in rainy conditions",
        intensity=0.1,
        mu_requested=0.03,
        sigma_requested=0.04,
        direction_requested=0.0,
        coherence_requested=0.0,
        mu=0.03,
        sigma=0.04,
        direction=12.5,
        coherence=0.5,
        source="simulated",
        seed=0,
        attempt=0,
        model="bundled",
        model_sha256="0",
        sampler="own",
        steps=1,
        passes=1,
        guidance_text=1.0,
        guidance_image=1.0,
        structure_correction=True,
        origin="generated",
        clean_path="a.png",
        clean_sha256="0",
        width=8,
        height=8,
    )
    return replace(record, parts=(), **changes)


def make_scheduler(prediction: str = "sample") -> DDIMScheduler:
    """DDIM on a zero-terminal-SNR schedule (Lin et al., WACV 2024): brightness comes out right.

    A small UNet says what is generated itself: to say the noise, or v, it would have to copy all of its noisy input.
    """
    return DDIMScheduler(
        beta_schedule="scaled_linear",
        beta_start=0.00085,
        beta_end=0.012,
        clip_sample=False,
        set_alpha_to_one=True,
        prediction_type=prediction,
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
    )
