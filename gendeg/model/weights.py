"""Loading models: the bundled one, a folder or a hub id; safetensors only."""

import hashlib
from pathlib import Path

import torch
from diffusers.models.autoencoders.autoencoder_dc import AutoencoderDC
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny
from diffusers.utils import logging
from safetensors import SafetensorError
from transformers.utils.logging import disable_progress_bar

from gendeg.model.latents import Autoencoder
from gendeg.model.pipeline import GenDegPipeline
from gendeg.primitives.errors import BadModel, HubUnreachable
from gendeg.primitives.files import read_json_object

BUNDLED = "bundled"
PICKLES = (".bin", ".ckpt", ".pt", ".pth", ".pkl")
OPTIONAL = ("structure",)
REQUIRED = ("vae", "text_encoder", "tokenizer", "unet", "scheduler", "conditioner")
AUTOENCODERS = {kind.__name__: kind for kind in (AutoencoderKL, AutoencoderDC, AutoencoderTiny)}


def bundled_folder() -> Path:
    """Where the bundled model lies inside the package."""
    return Path(__file__).resolve().parent.parent / "weights" / "bundled"


def load_pipeline(model: str = BUNDLED, device: str = "cpu", dtype: torch.dtype = torch.float32) -> GenDegPipeline:
    """`bundled`, a folder or a hub id → the pipeline on `device`, ready to sample.

    Raises `BadModel` for a folder that lacks a component or holds pickles only, `HubUnreachable` when a hub id
    cannot be fetched.
    """
    logging.disable_progress_bar()
    disable_progress_bar()
    folder = bundled_folder() if model == BUNDLED else Path(model)
    if folder.is_dir():
        check_folder(folder)
        pipeline = _load(str(folder), dtype, local=True)
    elif model == BUNDLED or folder.is_absolute() or model.startswith((".", "~")) or model.count("/") != 1:
        raise BadModel(folder, "no such model folder")
    else:
        pipeline = _load(model, dtype, local=False)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline.to(device)


def _load(name: str, dtype: torch.dtype, local: bool) -> GenDegPipeline:
    try:
        return GenDegPipeline.from_pretrained(name, dtype=dtype, use_safetensors=True, local_files_only=local)
    except OSError as error:
        if local:
            raise BadModel(Path(name), str(error)) from error
        raise HubUnreachable(name, str(error)) from error
    except (ValueError, KeyError, TypeError, RuntimeError, AttributeError, ImportError, SafetensorError) as error:
        raise BadModel(Path(name), str(error)) from error


def check_folder(folder: Path) -> None:
    """Raises `BadModel` unless every component is there and its weights are safetensors."""
    index = folder / "model_index.json"
    if not index.is_file():
        raise BadModel(folder, "no model_index.json in it; a model is a folder that `gendeg train` or `convert` wrote")
    listed = read_json_object(index)
    for name in REQUIRED:
        if not isinstance(listed.get(name), list) or not listed[name] or listed[name][0] is None:
            raise BadModel(folder, f"model_index.json does not name a {name}")
    for name, kind in listed.items():
        if name not in (*REQUIRED, *OPTIONAL) or not isinstance(kind, list) or not kind or kind[0] is None:
            continue  # the rest are the pipeline's numbers, some of which are lists too
        check_component(folder / name, weights=name not in ("tokenizer", "scheduler"))


def check_component(folder: Path, weights: bool) -> None:
    """Raises `BadModel` when a component's folder, or its safetensors, is missing."""
    if not folder.is_dir() or not any(folder.iterdir()):
        raise BadModel(folder.parent, f"its component {folder.name} is missing")
    if weights and not list(folder.glob("*.safetensors")):
        pickles = [path.name for path in folder.iterdir() if path.suffix in PICKLES]
        reason = (
            f"{folder.name} holds only {', '.join(pickles)}: pickles are refused, save as safetensors"
            if pickles
            else (f"{folder.name} holds no safetensors file")
        )
        raise BadModel(folder.parent, reason)


def load_autoencoder(folder: Path) -> Autoencoder:
    """The autoencoder in a folder of its own, or in `vae/` of a model folder."""
    folder = folder / "vae" if (folder / "vae").is_dir() else folder
    check_component(folder, weights=True)
    name = str(read_json_object(folder / "config.json").get("_class_name"))
    if name not in AUTOENCODERS:
        raise BadModel(folder, f"unknown autoencoder {name}; known are {', '.join(AUTOENCODERS)}")
    vae = AUTOENCODERS[name].from_pretrained(folder, use_safetensors=True, local_files_only=True)
    return vae.eval()


def model_sha256(pipeline: GenDegPipeline) -> str:
    """Hash of every weight and of the numbers that shape a sample; equal for equal models, wherever they came from."""
    digest = hashlib.sha256()
    for name in sorted(pipeline.components):
        part = pipeline.components[name]
        if isinstance(part, torch.nn.Module):
            for key, tensor in sorted(part.state_dict().items()):
                digest.update(f"{name}.{key} {tuple(tensor.shape)}".encode())
                digest.update(tensor.detach().cpu().float().contiguous().numpy().tobytes())
    digest.update(type(pipeline.scheduler).__name__.encode())
    for config in (pipeline.scheduler.config, pipeline.config):  # names with "_" are how it was made, not what it is
        digest.update(repr(sorted((k, v) for k, v in config.items() if not k.startswith("_"))).encode())
    return digest.hexdigest()
