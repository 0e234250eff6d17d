"""Feature vectors of images by a network that the user has: DINO, CLIP or another that AutoModel opens."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from transformers import AutoModel

from gendeg.primitives.errors import BadModel
from gendeg.primitives.files import read_json_object
from gendeg.primitives.images import U8Image
from gendeg.primitives.memory import own_memory

Features = Callable[[U8Image], Float[np.ndarray, " d"]]
IMAGENET = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
SIDE = 224


def load_features(folder: Path, device: str = "cpu") -> Features:
    """A folder with config.json and safetensors → image to feature vector.

    Images are scaled to the network's square, normalised as its preprocessor_config.json says (ImageNet's numbers
    without one). The vector is CLIP's image embedding, the pooled output, or the mean of the last hidden state.
    Raises `BadModel`.
    """
    if not (folder / "config.json").is_file():
        raise BadModel(folder, "--features wants a folder with config.json and model.safetensors")
    try:
        network, info = AutoModel.from_pretrained(
            folder, use_safetensors=True, local_files_only=True, output_loading_info=True
        )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise BadModel(folder, str(error)) from error
    if info["missing_keys"]:
        raise BadModel(folder, f"lacks weights, for example {min(info['missing_keys'])}")
    side, mean, deviation = _preprocessing(folder, network)
    network = own_memory(network.to(device)).eval()

    @torch.no_grad()
    def features(image: U8Image) -> Float[np.ndarray, " d"]:
        scaled = Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC)
        pixels = (np.asarray(scaled, np.float32) / 255 - mean) / deviation
        tensor = torch.from_numpy(pixels.astype(np.float32)).permute(2, 0, 1)[None].to(device)
        return _vector(network, tensor).flatten().double().cpu().numpy()

    return features


def _vector(network: torch.nn.Module, pixels: torch.Tensor) -> torch.Tensor:
    embed: Any = getattr(network, "get_image_features", None)
    found = embed(pixel_values=pixels) if embed else network(pixels)
    if isinstance(found, torch.Tensor):
        return found
    if getattr(found, "pooler_output", None) is not None:
        return found.pooler_output
    hidden = found.last_hidden_state
    return hidden.mean(dim=1) if hidden.ndim == 3 else hidden.mean(dim=(2, 3))


def _preprocessing(folder: Path, network: torch.nn.Module) -> tuple[int, np.ndarray, np.ndarray]:
    config = getattr(network.config, "vision_config", network.config)
    side = getattr(config, "image_size", SIDE)
    side = int(side if isinstance(side, int) else max(side))
    path = folder / "preprocessor_config.json"
    given = read_json_object(path) if path.is_file() else {}
    mean, deviation = given.get("image_mean", IMAGENET[0]), given.get("image_std", IMAGENET[1])
    return side, np.array(mean, np.float32), np.array(deviation, np.float32)
