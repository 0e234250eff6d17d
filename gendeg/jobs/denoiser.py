"""What a diffusion run trains: where its weights come from, which of them move, and how fast."""

from pathlib import Path
from typing import Any

import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import CLIPTextModel

from gendeg.configs import DiffusionConfig
from gendeg.model.base import load_base
from gendeg.model.bundled import (
    make_change_scheduler,
    make_conditioner,
    make_text_encoder,
    make_tokenizer,
    make_unet,
    sizes_of,
)
from gendeg.model.conditioner import Conditioner
from gendeg.model.lora import add_lora
from gendeg.model.pipeline import GenDegPipeline
from gendeg.model.weights import load_autoencoder, load_pipeline
from gendeg.training.captions import corpus


class Denoiser(nn.Module):
    """Everything that is trained, in one forward call, which is what distributed wrappers hook into."""

    def __init__(self, unet: UNet2DConditionModel, text_encoder: CLIPTextModel, conditioner: Conditioner):
        super().__init__()
        self.unet, self.text_encoder, self.conditioner = unet, text_encoder, conditioner

    def forward(
        self,
        noisy: Float[Tensor, "b c y x"],
        clean: Float[Tensor, "b c y x"],
        timestep: Int[Tensor, " b"],
        tokens: Int[Tensor, "b n"],
        mu: Float[Tensor, " b"],
        sigma: Float[Tensor, " b"],
        direction: Float[Tensor, "b 2"],
    ) -> Float[Tensor, "b c y x"]:
        text = self.text_encoder(tokens)
        read = self.conditioner(text.last_hidden_state, text.pooler_output, mu, sigma, direction)
        labels = {} if read.vector is None else {"class_labels": read.vector}
        both = torch.cat([noisy, clean], dim=1).contiguous(memory_format=torch.channels_last)
        return self.unet(both, timestep, encoder_hidden_states=read.context, **labels).sample


def start_pipeline(config: DiffusionConfig) -> GenDegPipeline:
    """What the run goes on with, a base to fine-tune, or fresh weights. Raises `BadModel`, `HubUnreachable`."""
    if config.init:
        return load_pipeline(config.init)
    return load_base(config.base) if config.base else new_pipeline(config)


def new_pipeline(config: DiffusionConfig) -> GenDegPipeline:
    """Fresh weights of the sizes asked for around a trained autoencoder."""
    sizes = sizes_of(config.sizes)
    tokenizer = make_tokenizer(corpus(), sizes)
    conditioner = make_conditioner(sizes)
    return GenDegPipeline(
        vae=load_autoencoder(Path(config.vae)),
        text_encoder=make_text_encoder(tokenizer, sizes),
        tokenizer=tokenizer,
        unet=make_unet(conditioner, sizes),
        scheduler=make_change_scheduler(),
        conditioner=conditioner,
        steps=config.sample_steps,
        guidance_text=config.guidance_text,
        guidance_image=config.guidance_image,
        residual_decoding=True,
        structure_degradations=[],
    )


def make_denoiser(pipeline: GenDegPipeline, config: DiffusionConfig) -> Denoiser:
    """The part of a pipeline that is trained: all weights or, with a `lora_rank`, few; CLIP stays as it is."""
    denoiser = Denoiser(pipeline.unet, pipeline.text_encoder, pipeline.conditioner).train()
    small = bool(pipeline.conditioner.vector_dim)  # the bundled kind, whose text encoder is no CLIP
    denoiser.text_encoder.requires_grad_(config.train_text and small and not config.lora_rank)
    if config.lora_rank:
        add_lora(pipeline.unet, config.lora_rank)
    if config.gradient_checkpointing:
        pipeline.unet.enable_gradient_checkpointing()
    return denoiser


def parameter_groups(denoiser: Denoiser, config: DiffusionConfig) -> list[dict[str, Any]]:
    """Two learning rates: the statistics' projections learn faster (GenDeg, section 4)."""
    projections = list(denoiser.conditioner.parameters())
    known = {id(p) for p in projections}
    rest = [p for p in denoiser.parameters() if id(p) not in known and p.requires_grad]
    fast = config.learning_rate * config.statistics_rate
    return [{"params": rest}, {"params": projections, "lr": fast}]
