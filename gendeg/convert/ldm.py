"""The authors' checkpoint (CompVis LDM key names) → our components; every key is accounted for."""

import pickle
import re
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint, convert_ldm_vae_checkpoint
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.serialization import get_unsafe_globals_in_checkpoint
from transformers import CLIPTextConfig, CLIPTextModel

from gendeg.model.conditioner import Conditioner
from gendeg.model.nafnet import NAFNet
from gendeg.model.samplers import LDM_SCHEDULE, ContinuousEulerAncestralScheduler
from gendeg.primitives.errors import BadManifest, BadModel, MissingPath
from gendeg.primitives.files import read_json_object
from gendeg.primitives.memory import own_memory

State = dict[str, Tensor]

PUBLISHED: dict[str, dict[str, Any]] = {
    "unet": {
        "in_channels": 8, "out_channels": 4, "model_channels": 320, "attention_resolutions": [4, 2, 1],
        "num_res_blocks": 2, "channel_mult": [1, 2, 4, 4], "num_heads": 8, "transformer_depth": 1, "context_dim": 768,
    },
    "first_stage": {
        "z_channels": 4, "resolution": 256, "in_channels": 3, "out_ch": 3, "ch": 128, "ch_mult": [1, 2, 4, 4],
        "num_res_blocks": 2, "scale_factor": 0.18215,
    },
    "text": {
        "vocab_size": 49408, "hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12,
        "num_attention_heads": 12, "max_position_embeddings": 77, "hidden_act": "quick_gelu", "bos_token_id": 49406,
        "eos_token_id": 49407,
    },
    "nafnet": {
        "img_channel": 6, "width": 64, "enc_blk_nums": [2, 2, 4, 8], "middle_blk_num": 12, "dec_blk_nums": [2, 2, 2, 2],
    },
}  # fmt: skip
"""Sizes of the published networks, under the names that the authors' configuration files use."""

NOT_WEIGHTS = frozenset(
    """
    betas alphas_cumprod alphas_cumprod_prev sqrt_alphas_cumprod sqrt_one_minus_alphas_cumprod
    log_one_minus_alphas_cumprod sqrt_recip_alphas_cumprod sqrt_recipm1_alphas_cumprod posterior_variance
    posterior_log_variance_clipped posterior_mean_coef1 posterior_mean_coef2 logvar lvlb_weights scale_factor
    model_ema.decay model_ema.num_updates cond_stage_model.transformer.text_model.embeddings.position_ids
    """.split()  # noqa: SIM905
)
"""Tables that follow from the schedule, and counters."""
UNET, EMA = "model.diffusion_model.", "model_ema."
TEXT = "cond_stage_model.transformer.text_model."
SHOWN = 12  # names in an error


@dataclass(frozen=True)
class Components:
    """What a checkpoint holds, as modules."""

    unet: UNet2DConditionModel
    vae: AutoencoderKL
    text_encoder: CLIPTextModel
    conditioner: Conditioner
    scheduler: ContinuousEulerAncestralScheduler


def read_sizes(path: Path | None) -> dict[str, dict[str, Any]]:
    """The published sizes, with those of a JSON file in their place where it has them. Raises `BadManifest`."""
    given = {} if path is None else read_json_object(path)
    for name in PUBLISHED:
        if not isinstance(given.get(name, {}), dict):
            raise BadManifest(path or Path(), 0, f"'{name}' is not an object of sizes")
    return {name: known | given.get(name, {}) for name, known in PUBLISHED.items()}


def read_state(path: Path) -> State:
    """The weights in a safetensors file, or in a pickle that holds nothing but tensors.

    Raises `MissingPath`, and `BadModel` for a pickle that would have to run code to be read, with what is no weights.
    """
    if not path.is_file():
        raise MissingPath(path)
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        loaded = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except pickle.UnpicklingError as error:
        reason = (
            "and gendeg runs no code from pickles; where it was made, save its state_dict alone, best as safetensors"
        )
        raise BadModel(path, f"holds more than weights ({_foreign(path, error)}), {reason}") from error
    except (OSError, RuntimeError, EOFError, SafetensorError) as error:
        raise BadModel(path, f"cannot be read as a checkpoint ({str(error).splitlines()[0]})") from error
    state = loaded.get("state_dict", loaded) if isinstance(loaded, dict) else None
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise BadModel(path, "holds no state_dict of tensors")
    return state


def _foreign(path: Path, error: pickle.UnpicklingError) -> str:
    """The classes and functions that a pickle names beside tensors; reading the names runs none of them."""
    try:
        names = get_unsafe_globals_in_checkpoint(path)
    except (ValueError, RuntimeError, pickle.UnpicklingError):  # not a zip, which is how torch saved before 1.6
        names = re.findall(r"(?:GLOBAL|global:) ([\w.]+\.\w+)", str(error))
    return _some(set(names)) if names else " ".join(str(error).split())


def convert_checkpoint(path: Path, sizes: dict[str, dict[str, Any]]) -> Components:
    """A whole GenDeg checkpoint, its UNet with the averaged (EMA) weights.

    Raises `BadModel` that lists the keys when any is left over, missing or of another shape, or when the schedule of
    the checkpoint is not the published one.
    """
    left = read_state(path)
    _check_schedule(path, left)
    for name in NOT_WEIGHTS:
        left.pop(name, None)
    unet = _unet(path, _averaged(path, left), sizes["unet"], sizes["first_stage"])
    vae = _vae(path, _taken(left, "first_stage_model."), sizes["first_stage"])
    text = _filled(path, lambda: CLIPTextModel(CLIPTextConfig(**sizes["text"])), _taken(left, TEXT))
    projections = {name: left.pop(name) for name in list(left) if name.startswith(("stats_proj.", "cc_projection."))}
    dim, tokens = sizes["text"]["hidden_size"], sizes["text"]["max_position_embeddings"]
    conditioner = _filled(path, lambda: Conditioner(text_dim=dim, tokens=tokens), projections)
    if left:
        raise BadModel(path, f"holds {len(left)} keys that nothing takes: {_some(left)}")
    return Components(unet, vae, text, conditioner, ContinuousEulerAncestralScheduler(**LDM_SCHEDULE))


def convert_structure(path: Path, sizes: dict[str, dict[str, Any]]) -> NAFNet:
    """The authors' structure correction, whose names are ours. Raises as `convert_checkpoint`."""
    own = sizes["nafnet"]

    def make() -> NAFNet:
        return NAFNet(own["width"], own["enc_blk_nums"], own["middle_blk_num"], own["dec_blk_nums"],
                      own["img_channel"] // 2)  # fmt: skip

    return _filled(path, make, read_state(path))


def _check_schedule(path: Path, state: State) -> None:
    """As closely as the number format of the checkpoint can tell: halves know three digits."""
    ours = ContinuousEulerAncestralScheduler(**LDM_SCHEDULE).alphas_cumprod
    theirs = state.get("alphas_cumprod", ours)
    assert theirs is not None
    exact = max(1e-4, torch.finfo(theirs.dtype).eps) if theirs.is_floating_point() else 0.0
    if theirs.shape != ours.shape or not torch.allclose(theirs.float(), ours, rtol=exact, atol=1e-6):
        raise BadModel(path, "has another noise schedule than the published one (alphas_cumprod)")


def _averaged(path: Path, left: State) -> State:
    """The EMA weights under the UNet's names; the raw ones are taken out too, for they were only used to train."""
    raw = _taken(left, UNET)
    flat = {name: f"{EMA}diffusion_model{name.replace('.', '')}" for name in raw}
    if len(set(flat.values())) < len(flat):
        raise BadModel(path, "two of its weights share one averaged name: the averages cannot be told apart")
    missing = [key for key in flat.values() if key not in left]
    if missing:
        raise BadModel(path, f"lacks {len(missing)} of {len(flat)} averaged (EMA) weights: {_some(missing)}")
    return {name: left.pop(key) for name, key in flat.items()}


def _unet(path: Path, state: State, own: dict[str, Any], first_stage: dict[str, Any]) -> UNet2DConditionModel:
    levels = len(own["channel_mult"])
    attends = [2**level in own["attention_resolutions"] for level in range(levels)]
    config = {
        "sample_size": first_stage["resolution"] // 2 ** (len(first_stage["ch_mult"]) - 1),
        "in_channels": own["in_channels"],
        "out_channels": own["out_channels"],
        "block_out_channels": [own["model_channels"] * mult for mult in own["channel_mult"]],
        "layers_per_block": own["num_res_blocks"],
        "down_block_types": ["CrossAttnDownBlock2D" if there else "DownBlock2D" for there in attends],
        "up_block_types": ["CrossAttnUpBlock2D" if there else "UpBlock2D" for there in reversed(attends)],
        "cross_attention_dim": own["context_dim"],
        "attention_head_dim": own["num_heads"],  # diffusers counts heads under this name
        "transformer_layers_per_block": own["transformer_depth"],
    }
    named = convert_ldm_unet_checkpoint({UNET + name: tensor for name, tensor in state.items()}, config)
    return _filled(path, lambda: UNet2DConditionModel(**config), named, source=state, prefix=UNET)


def _vae(path: Path, state: State, own: dict[str, Any]) -> AutoencoderKL:
    levels = len(own["ch_mult"])
    config = {
        "in_channels": own["in_channels"],
        "out_channels": own["out_ch"],
        "block_out_channels": [own["ch"] * mult for mult in own["ch_mult"]],
        "layers_per_block": own["num_res_blocks"],
        "down_block_types": ["DownEncoderBlock2D"] * levels,
        "up_block_types": ["UpDecoderBlock2D"] * levels,
        "latent_channels": own["z_channels"],
        "scaling_factor": own["scale_factor"],
        "sample_size": own["resolution"],
    }
    prefix = "first_stage_model."
    named = convert_ldm_vae_checkpoint({prefix + name: tensor for name, tensor in state.items()}, config)
    return _filled(path, lambda: AutoencoderKL(**config), named, source=state, prefix=prefix)


def _filled(path: Path, make: Callable[[], Any], named: State, source: State | None = None, prefix: str = "") -> Any:
    """The module with these weights. Raises `BadModel` unless both sides match key by key and shape by shape.

    `source` is what `named` was renamed from: a weight of it that `named` does not hold was dropped on the way.
    """
    used = {tensor.data_ptr() for tensor in named.values()}
    dropped = [prefix + name for name, tensor in (source or {}).items() if tensor.data_ptr() not in used]
    if dropped:
        raise BadModel(path, f"holds {len(dropped)} keys that nothing takes: {_some(dropped)}")
    with torch.device("meta"):
        module: nn.Module = make()
    expected = module.state_dict()
    kind = type(module).__name__
    for found, problem in (
        (set(expected) - set(named), "lacks"),
        (set(named) - set(expected), "holds more than"),
        (
            {name for name in set(expected) & set(named) if expected[name].shape != named[name].shape},
            "has other sizes of",
        ),
    ):
        if found:
            raise BadModel(
                path, f"{problem} {len(found)} weights of {kind} ({_some(found)}); are these its sizes (--config)?"
            )
    module = make() if _has_buffers(module) else module
    module.load_state_dict({name: tensor.float() for name, tensor in named.items()}, assign=True)
    return own_memory(module).eval()


def _has_buffers(module: nn.Module) -> bool:
    """Whether it holds tables that no checkpoint stores: those must not stay on the meta device."""
    return any(name not in module.state_dict() for name, _ in module.named_buffers())


def _taken(left: State, prefix: str) -> State:
    return {name.removeprefix(prefix): left.pop(name) for name in list(left) if name.startswith(prefix)}


def _some(names: Iterable[str]) -> str:
    ordered = sorted(names)
    return ", ".join(ordered[:SHOWN]) + (f" and {len(ordered) - SHOWN} more" if len(ordered) > SHOWN else "")
