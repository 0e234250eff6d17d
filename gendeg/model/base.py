"""A text-to-image or InstructPix2Pix model as the start of training: SD 1.5 and its like (GenDeg, section 4)."""

from pathlib import Path
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import nn
from transformers import CLIPTokenizer

from gendeg.model.conditioner import Conditioner
from gendeg.model.loading import (
    check_component,
    check_whole,
    load_text_encoder,
    loading,
    may_be_hub_id,
    part_options,
    quiet,
)
from gendeg.model.pipeline import GenDegPipeline
from gendeg.model.samplers import LDM_SCHEDULE, PAPER, ContinuousEulerAncestralScheduler
from gendeg.primitives.errors import BadModel, MissingPath
from gendeg.primitives.files import read_json_object
from gendeg.primitives.memory import own_memory


def load_base(name: str) -> GenDegPipeline:
    """A folder or hub id in the layout of Stable Diffusion → a pipeline to be fine-tuned.

    Its UNet reads the clean latent beside the noisy one; mu and sigma start without effect on what it read before.
    Raises `BadModel` (pickles only, another kind of UNet), `HubUnreachable`.
    """
    quiet()
    local = Path(name).is_dir()
    if not local and not may_be_hub_id(name):
        raise BadModel(Path(name), "no such model folder")
    for part in ("unet", "vae", "text_encoder") if local else ():
        check_component(Path(name) / part, weights=True)
    options: dict[str, Any] = {"use_safetensors": True, "local_files_only": local}
    with loading(name, local):
        unet = UNet2DConditionModel.from_pretrained(name, **part_options(name, "unet", options))
        vae = AutoencoderKL.from_pretrained(name, **part_options(name, "vae", options))
        text_encoder = load_text_encoder(name, options)
        tokenizer = CLIPTokenizer.from_pretrained(name, subfolder="tokenizer", local_files_only=local)
    check_whole(Path(name), "unet", unet)
    check_whole(Path(name), "vae", vae)
    own_memory(unet)
    own_memory(vae)
    widen_input(unet, name)
    text = text_encoder.config
    return GenDegPipeline(
        vae=vae.eval(),
        text_encoder=text_encoder.eval(),
        tokenizer=tokenizer,
        unet=unet,
        scheduler=ContinuousEulerAncestralScheduler(**LDM_SCHEDULE | {"prediction_type": _prediction(name)}),
        conditioner=Conditioner(text_dim=text.hidden_size, tokens=text.max_position_embeddings),
        **PAPER,
    )


def widen_input(unet: UNet2DConditionModel, name: str = "") -> None:
    """Make the first layer read (noisy, clean) latents: new channels start at zero, and the bias stays.

    A UNet that reads both already (InstructPix2Pix) is left as it is. Raises `BadModel` for any other number.
    """
    old, latent = unet.conv_in, unet.config.out_channels
    if unet.config.in_channels == 2 * latent:
        return
    if unet.config.in_channels != latent:
        reason = f"its UNet reads {unet.config.in_channels} channels; {latent} or {2 * latent} can be trained"
        raise BadModel(Path(name), reason)
    wide = nn.Conv2d(2 * latent, old.out_channels, old.kernel_size, old.stride, old.padding, dtype=old.weight.dtype)
    with torch.no_grad():
        wide.weight.zero_()
        wide.weight[:, :latent] = old.weight
        wide.bias.copy_(old.bias)  # type: ignore[union-attr]
    unet.conv_in = wide
    unet.register_to_config(in_channels=2 * latent)


def _prediction(name: str) -> str:
    """What the base's UNet says: epsilon, or what a scheduler beside it tells."""
    place = Path(name) / "scheduler" / "scheduler_config.json"
    try:
        return str(read_json_object(place).get("prediction_type", "epsilon"))
    except MissingPath:
        return "epsilon"
