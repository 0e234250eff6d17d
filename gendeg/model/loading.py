"""What every loader of weights shares: safetensors only, nothing missing, and errors that say which folder."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from diffusers.utils import logging
from safetensors import SafetensorError
from transformers import CLIPTextModel
from transformers.utils.logging import disable_progress_bar

from gendeg.primitives.errors import BadModel, HubUnreachable
from gendeg.primitives.memory import own_memory

VARIANT = re.compile(r"(?:model|diffusion_pytorch_model)\.([A-Za-z0-9_]+)(?:-\d+-of-\d+)?\.safetensors")
PICKLES = (".bin", ".ckpt", ".pt", ".pth", ".pkl")
LOAD_ERRORS = (ValueError, KeyError, TypeError, RuntimeError, AttributeError, ImportError, SafetensorError)


def quiet() -> None:
    """No bars of diffusers and transformers: loading and saving take a moment only."""
    logging.disable_progress_bar()
    disable_progress_bar()


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


def variant_of(folder: Path) -> str | None:
    """`fp16` of a component whose weights lie in `model.fp16.safetensors` only; none where plain ones are there."""
    names = [path.name for path in folder.glob("*.safetensors")]
    found = [VARIANT.fullmatch(name) for name in names]
    return None if not names or any(match is None for match in found) else min(match[1] for match in found if match)


def part_options(name: str, part: str, options: dict[str, Any]) -> dict[str, Any]:
    """What loads one component of a folder: `options`, and the variant that its weights are there in."""
    return {"subfolder": part, **options, "variant": variant_of(Path(name) / part)}


def load_text_encoder(name: str, options: dict[str, Any]) -> CLIPTextModel:
    """By itself, for a loader of pipelines would fill missing weights with random numbers. Raises `BadModel`."""
    encoder, info = CLIPTextModel.from_pretrained(
        name, output_loading_info=True, **part_options(name, "text_encoder", options)
    )  # fmt: skip
    if info["missing_keys"]:
        raise BadModel(Path(name), f"text_encoder lacks weights, for example {min(info['missing_keys'])}")
    return own_memory(encoder)


def check_whole(folder: Path, part: str, module: torch.nn.Module) -> None:
    """Raises `BadModel` when a weight was not in the files: diffusers leaves it on the meta device."""
    missing = [name for name, tensor in module.state_dict().items() if tensor.is_meta]
    if missing:
        raise BadModel(folder, f"{part} lacks weights, for example {missing[0]}")


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
