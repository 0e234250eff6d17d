"""Low-rank fine-tuning of the UNet (Hu et al., LoRA, ICLR 2022) through peft: what is trained, saved, and put back."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from peft import LoraConfig
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from gendeg.model.loading import LORA
from gendeg.model.pipeline import GenDegPipeline
from gendeg.primitives.errors import BadModel
from gendeg.primitives.files import read_json_object, write_json

WHOLE = "whole.safetensors"
ADAPTER = "pytorch_lora_weights.safetensors"
ATTENTION = ["to_q", "to_k", "to_v", "to_out.0"]
"""The projections of every attention (section 4.2 of the paper takes some of them, diffusers' examples all)."""


def add_lora(unet: UNet2DConditionModel, rank: int) -> None:
    """Freeze the UNet but for a low-rank change of each attention projection, and the layer that reads the latents.

    The change starts at zero. The first layer is trained whole, for half of it may start from nothing.
    """
    unet.requires_grad_(False)
    unet.add_adapter(LoraConfig(r=rank, lora_alpha=rank, target_modules=ATTENTION, init_lora_weights="gaussian"))
    unet.conv_in.requires_grad_(True)


def fuse_lora(unet: UNet2DConditionModel) -> None:
    """Add the low-rank changes to the weights they belong to: a plain UNet again."""
    unet.fuse_lora()
    unet.unload_lora()


def save_lora(
    pipeline: GenDegPipeline, folder: Path, base: str, kind: str, distilled: Mapping[str, Any] | None = None
) -> None:
    """Write what a LoRA run has trained, in diffusers' own format, and the name of what it was trained on.

    `kind` is how `base` is to be opened: `init` (a gendeg model) or `base` (Stable Diffusion or its like); `distilled`
    what the model has been taught, where it is a student of its base.
    """
    pipeline.unet.save_lora_adapter(folder, weight_name=ADAPTER)
    whole = {
        f"{name}.{key}": tensor.contiguous()
        for name, part in (("conditioner", pipeline.conditioner), ("conv_in", pipeline.unet.conv_in))
        for key, tensor in part.state_dict().items()
    }
    save_file(whole, folder / WHOLE)
    rank = pipeline.unet.peft_config["default"].r
    write_json(
        folder / LORA, {"kind": kind, "base": base, "rank": rank} | ({"distilled": distilled} if distilled else {})
    )


def put_lora(pipeline: GenDegPipeline, folder: Path) -> None:
    """Put what `save_lora` wrote into the pipeline that it was trained on, fused.

    Raises `BadModel` where it misfits.
    """
    rank = read_json_object(folder / LORA).get("rank")
    if not isinstance(rank, int) or rank < 1:
        raise BadModel(folder, f"its {LORA} names no rank")
    unet = pipeline.unet
    add_lora(unet, rank)
    parts = {"conditioner": pipeline.conditioner, "conv_in": unet.conv_in}
    slots = {name.replace(".default.", "."): name for name in unet.state_dict() if ".lora_" in name}
    wanted = set(slots) | {f"{name}.{key}" for name, part in parts.items() for key in part.state_dict()}
    try:
        state = load_file(folder / ADAPTER) | load_file(folder / WHOLE)
        odd = sorted(wanted ^ set(state))
        if odd:
            raise ValueError(f"{len(odd)} weights, for example {odd[0]}")
        unet.load_state_dict({slots[name]: state[name] for name in slots}, strict=False)
        for name, part in parts.items():
            part.load_state_dict({key: state[f"{name}.{key}"] for key in part.state_dict()})
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise BadModel(folder, f"does not fit the model that its {LORA} names: {error}") from error
    fuse_lora(unet)
    unet.requires_grad_(True)
