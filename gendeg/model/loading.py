"""What every loader of weights shares: safetensors only, nothing missing, and errors that say which folder.

Loads without torch, so that a wrong --model is refused at once."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError

from gendeg.primitives.errors import BadModel, HubUnreachable
from gendeg.primitives.files import read_json_object
from gendeg.primitives.memory import own_memory
from gendeg.primitives.options import BUNDLED, PHYSICS

if TYPE_CHECKING:
    import torch
    from transformers import CLIPTextModel

VARIANT = re.compile(r"(?:model|diffusion_pytorch_model)\.([A-Za-z0-9_]+)(?:-\d+-of-\d+)?\.safetensors")
INDEX = "model_index.json"
LORA = "lora.json"
"""What the changes were laid on, in the place of a model's index."""
OPTIONAL = ("structure",)
REQUIRED = ("vae", "text_encoder", "tokenizer", "unet", "scheduler", "conditioner")
VOCABULARIES = ("tokenizer.json", "vocab.json")
PICKLES = (".bin", ".ckpt", ".pt", ".pth", ".pkl")
LOAD_ERRORS = (ValueError, KeyError, TypeError, RuntimeError, AttributeError, ImportError, SafetensorError)


# --- what can be told without loading, and without torch ---


def bundled_folder() -> Path:
    """Where the bundled model lies inside the package."""
    return Path(__file__).resolve().parent.parent / "weights" / "bundled"


def model_folder(name: str) -> Path:
    """Where a model of that name would lie: the bundled one inside the package, another in the folder of its name."""
    return bundled_folder() if name == BUNDLED else Path(name)


def check_model(name: str) -> None:
    """As far as it can be told without loading: raises `BadModel` for a folder that is none, or is not there."""
    folder = model_folder(name)
    if name == PHYSICS or (folder / LORA).is_file():
        return
    if folder.is_dir():
        check_folder(folder)
    elif name == BUNDLED or not may_be_hub_id(name):
        raise BadModel(folder, "no such model folder")


def may_be_hub_id(name: str) -> bool:
    """Whether a name that is no folder here can be one on the hub: user/name, and nothing that looks like a path."""
    return not Path(name).is_absolute() and not name.startswith((".", "~")) and name.count("/") == 1


def check_folder(folder: Path) -> None:
    """Raises `BadModel` unless every component is there and its weights are safetensors."""
    index = folder / INDEX
    if not index.is_file():
        inside = folder / "model"  # of what `gendeg train` was given as --out
        meant = f"did you mean {inside}?" if any((inside / one).is_file() for one in (INDEX, LORA)) else ""
        said = meant or "a model is a folder that `gendeg train` or `convert` wrote"
        raise BadModel(folder, f"no {INDEX} in it; {said}")
    listed = read_json_object(index)
    for name in REQUIRED:
        if not isinstance(listed.get(name), list) or not listed[name] or listed[name][0] is None:
            raise BadModel(folder, f"{INDEX} does not name a {name}")
    for name, kind in listed.items():
        if name not in (*REQUIRED, *OPTIONAL) or not isinstance(kind, list) or not kind or kind[0] is None:
            continue  # the rest are the pipeline's numbers, some of which are lists too
        check_component(folder / name, weights=name not in ("tokenizer", "scheduler"))
    if not any((folder / "tokenizer" / name).is_file() for name in VOCABULARIES):
        raise BadModel(folder, f"its tokenizer has neither {' nor '.join(VOCABULARIES)}")


def check_component(folder: Path, weights: bool, alone: bool = False) -> None:
    """Raises `BadModel` when a component's folder, or its safetensors, is missing.

    `alone`: it is no part of a model, so that the error is of this folder and not of the one around it.
    """
    owner, name = (folder, "it") if alone else (folder.parent, folder.name)
    if not folder.is_dir() or not any(folder.iterdir()):
        raise BadModel(owner, f"its component {name} is missing" if not alone else "an empty folder, or none")
    if weights and not list(folder.glob("*.safetensors")):
        pickles = [path.name for path in folder.iterdir() if path.suffix in PICKLES]
        reason = (
            f"{name} holds only {', '.join(pickles)}: pickles are refused, save as safetensors"
            if pickles
            else f"{name} holds no safetensors file"
        )
        raise BadModel(owner, reason)


# --- loading ---


def quiet() -> None:
    """No bars of diffusers and transformers: loading and saving take a moment only."""
    from diffusers.utils import logging
    from transformers.utils.logging import disable_progress_bar

    logging.disable_progress_bar()
    disable_progress_bar()


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


def load_text_encoder(name: str, options: dict[str, Any]) -> "CLIPTextModel":
    """By itself, for a loader of pipelines would fill missing weights with random numbers. Raises `BadModel`."""
    from transformers import CLIPTextModel

    encoder, info = CLIPTextModel.from_pretrained(
        name, output_loading_info=True, **part_options(name, "text_encoder", options)
    )  # fmt: skip
    if info["missing_keys"]:
        raise BadModel(Path(name), f"text_encoder lacks weights, for example {min(info['missing_keys'])}")
    return own_memory(encoder)


def check_whole(folder: Path, part: str, module: "torch.nn.Module") -> None:
    """Raises `BadModel` when a weight was not in the files: diffusers leaves it on the meta device."""
    missing = [name for name, tensor in module.state_dict().items() if tensor.is_meta]
    if missing:
        raise BadModel(folder, f"{part} lacks weights, for example {missing[0]}")
