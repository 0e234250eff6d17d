"""Loading models: the bundled one, a folder or a hub id; safetensors only."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_dc import AutoencoderDC
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny
from diffusers.utils import logging
from safetensors import SafetensorError
from transformers import CLIPTextModel
from transformers.utils.logging import disable_progress_bar

from gendeg.model.latents import Autoencoder
from gendeg.model.nafnet import NAFNet
from gendeg.model.pipeline import GenDegPipeline
from gendeg.primitives.errors import BadModel, HubUnreachable
from gendeg.primitives.files import read_json_object

BUNDLED = "bundled"
PICKLES = (".bin", ".ckpt", ".pt", ".pth", ".pkl")
OPTIONAL = ("structure",)
REQUIRED = ("vae", "text_encoder", "tokenizer", "unet", "scheduler", "conditioner")
VOCABULARIES = ("tokenizer.json", "vocab.json")
LOAD_ERRORS = (ValueError, KeyError, TypeError, RuntimeError, AttributeError, ImportError, SafetensorError)
AUTOENCODERS = {kind.__name__: kind for kind in (AutoencoderKL, AutoencoderDC, AutoencoderTiny)}


def bundled_folder() -> Path:
    """Where the bundled model lies inside the package."""
    return Path(__file__).resolve().parent.parent / "weights" / "bundled"


def quiet() -> None:
    """No bars of diffusers and transformers: loading and saving take a moment only."""
    logging.disable_progress_bar()
    disable_progress_bar()


def load_pipeline(model: str = BUNDLED, device: str = "cpu", dtype: torch.dtype = torch.float32) -> GenDegPipeline:
    """`bundled`, a folder or a hub id → the pipeline on `device`, ready to sample.

    Raises `BadModel` for a folder that lacks a component or holds pickles only, `HubUnreachable` when a hub id
    cannot be fetched.
    """
    quiet()
    folder = bundled_folder() if model == BUNDLED else Path(model)
    if folder.is_dir():
        check_folder(folder)
        pipeline = _load(str(folder), dtype, local=True)
    elif model == BUNDLED or not may_be_hub_id(model):
        raise BadModel(folder, "no such model folder")
    else:
        pipeline = _load(model, dtype, local=False)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline.to(device)


def may_be_hub_id(name: str) -> bool:
    """Whether a name that is no folder here can be one on the hub: user/name, and nothing that looks like a path."""
    return not Path(name).is_absolute() and not name.startswith((".", "~")) and name.count("/") == 1


@contextmanager
def loading(name: str, local: bool) -> Iterator[None]:
    """Around calls of `from_pretrained`: whatever they raise becomes `BadModel`, or `HubUnreachable` for a hub id."""
    try:
        yield
    except OSError as error:
        if local:
            raise BadModel(Path(name), str(error)) from error
        raise HubUnreachable(name, str(error)) from error
    except LOAD_ERRORS as error:
        raise BadModel(Path(name), str(error)) from error


def _load(name: str, dtype: torch.dtype, local: bool) -> GenDegPipeline:
    options: dict[str, Any] = {"dtype": dtype, "use_safetensors": True, "local_files_only": local}
    with loading(name, local):
        parts = {"text_encoder": _load_text_encoder(Path(name), options)} if local else {}
        pipeline = GenDegPipeline.from_pretrained(name, **parts, **options)
    for part, module in pipeline.components.items():
        if isinstance(module, torch.nn.Module):
            _check_whole(Path(name), part, module)
    return pipeline


def _load_text_encoder(folder: Path, options: dict[str, Any]) -> CLIPTextModel:
    """By itself, for the pipeline's loader would fill missing weights with random numbers. Raises `BadModel`."""
    encoder, info = CLIPTextModel.from_pretrained(folder / "text_encoder", output_loading_info=True, **options)
    if info["missing_keys"]:
        raise BadModel(folder, f"text_encoder lacks weights, for example {min(info['missing_keys'])}")
    return encoder


def _check_whole(folder: Path, part: str, module: torch.nn.Module) -> None:
    """Raises `BadModel` when a weight was not in the files: diffusers leaves it on the meta device."""
    missing = [name for name, tensor in module.state_dict().items() if tensor.is_meta]
    if missing:
        raise BadModel(folder, f"{part} lacks weights, for example {missing[0]}")


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
    if not any((folder / "tokenizer" / name).is_file() for name in VOCABULARIES):
        raise BadModel(folder, f"its tokenizer has neither {' nor '.join(VOCABULARIES)}")


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
    """The autoencoder in a folder of its own, or in `vae/` of a model folder. Raises `BadModel`."""
    return _load_part(folder, "vae", AUTOENCODERS)


def load_structure(folder: Path) -> NAFNet:
    """The structure correction in a folder of its own, or in `structure/` of a model folder. Raises `BadModel`."""
    return _load_part(folder, "structure", {NAFNet.__name__: NAFNet})


def _load_part(folder: Path, part: str, kinds: dict[str, Any]) -> Any:
    folder = folder / part if (folder / part).is_dir() else folder
    if not folder.is_dir():
        raise BadModel(folder, "no such folder")
    check_component(folder, weights=True)
    name = str(read_json_object(folder / "config.json").get("_class_name"))
    if name not in kinds:
        raise BadModel(folder, f"holds {name}, not {' or '.join(kinds)}")
    try:
        module = kinds[name].from_pretrained(folder, use_safetensors=True, local_files_only=True)
    except (OSError, *LOAD_ERRORS) as error:
        raise BadModel(folder, str(error)) from error
    _check_whole(folder, part, module)
    return module.eval()


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
