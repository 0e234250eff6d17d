"""Image-to-text models of transformers (BLIP-2, BLIP, GIT, chat models …): photos → words; safetensors only."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from huggingface_hub import snapshot_download
from jaxtyping import UInt8
from PIL import Image
from transformers import (
    MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING,
    AutoConfig,
    AutoImageProcessor,
    AutoModelForImageTextToText,
    AutoProcessor,
    AutoTokenizer,
)
from transformers.utils import logging

from gendeg.model.loading import PICKLES, loading, may_be_hub_id, quiet
from gendeg.primitives.errors import BadModel
from gendeg.primitives.files import sha256_bytes, sha256_of
from gendeg.primitives.memory import own_memory

FILES = (".safetensors", ".json", ".txt", ".model", ".jinja")
"""What a captioner is made of; nothing else is fetched, pickles least of all."""
VOCABULARIES = ("tokenizer.json", "vocab.json", "vocab.txt", "*.model")
UNPROMPTED = ("vision-encoder-decoder", "git")
"""Kinds that describe an image from the beginning: a text before it would not be continued."""
UNUSED = "pooler"
"""Layers that captioning does not run, which some published checkpoints lack."""
BAD_INPUT = (ValueError, TypeError, KeyError, IndexError, AttributeError)
U8Image = UInt8[np.ndarray, "_ _ 3"]  # a batch of photos of different sizes


@dataclass(frozen=True)
class Located:
    """Where a captioner's files are, and what tells it from any other."""

    folder: Path
    identity: str


@dataclass(frozen=True)
class Wording:
    """How a captioner is spoken to: `prefix` begins the caption, `request` is put to models that converse."""

    prefix: str
    request: str


def locate_captioner(model: str) -> Located:
    """A folder, or a hub id, whose files are fetched unless they are there already.

    Raises `BadModel` (no such folder, no safetensors), `HubUnreachable`.
    """
    folder = Path(model)
    if not folder.is_dir():
        if not may_be_hub_id(model):
            raise BadModel(folder, "no such model folder")
        with loading(model, local=False):
            found = snapshot_download(model, allow_patterns=[f"*{end}" for end in FILES], ignore_patterns=["*/*"])
        folder = Path(found)
    _check_files(folder, model)
    commit = "" if folder == Path(model) else f"{model}@{folder.name}"
    return Located(folder, commit or _contents(folder))


def _check_files(folder: Path, name: str) -> None:
    if not (folder / "config.json").is_file():
        raise BadModel(Path(name), "no config.json in it; a captioner is a folder that transformers saved")
    if not list(folder.glob("*.safetensors")):
        pickles = [path.name for path in sorted(folder.iterdir()) if path.suffix in PICKLES]
        there = f"only {', '.join(pickles)}: pickles are refused" if pickles else "no safetensors file"
        raise BadModel(Path(name), f"holds {there}; take one that is saved as safetensors")
    if not any(list(folder.glob(pattern)) for pattern in VOCABULARIES):  # transformers would make an empty tokenizer
        raise BadModel(Path(name), f"holds no tokenizer ({', '.join(VOCABULARIES)})")


def _contents(folder: Path) -> str:
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.suffix in FILES)
    return sha256_bytes("".join(f"{path.name} {sha256_of(path)}\n" for path in files).encode())


class Captioner:
    """A loaded model on its device. `caption` takes a batch."""

    def __init__(self, located: Located, wording: Wording, beams: int = 5, tokens: int = 30, device: str = "cpu"):
        """Raises `BadModel`: not an image-to-text model, weights missing, or a part that cannot be loaded."""
        quiet()
        logging.set_verbosity_error()  # what we set ourselves (lengths, beams) overrides defaults that it would mention
        self.folder, self.wording, self.device = located.folder, wording, device
        self.options = {"num_beams": beams, "max_new_tokens": tokens, "do_sample": False}
        self.dtype = torch.float16 if device.startswith("cuda") else torch.float32
        with loading(str(self.folder), local=True):
            config = AutoConfig.from_pretrained(self.folder, local_files_only=True, trust_remote_code=False)
            if type(config) not in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING:
                raise BadModel(self.folder, f"'{config.model_type}' is no image-to-text model that transformers knows")
            self.model = self._load_model()
            self.kind = config.model_type
            self.processor, self.images, self.tokenizer = self._load_processor()
        self.tokenizer.padding_side = "left"  # what is generated follows the prompt

    def _load_model(self) -> Any:
        model, info = AutoModelForImageTextToText.from_pretrained(
            self.folder, dtype=self.dtype, use_safetensors=True, local_files_only=True, trust_remote_code=False,
            output_loading_info=True,
        )  # fmt: skip
        missing = sorted(name for name in info["missing_keys"] if UNUSED not in name)
        if missing:
            raise BadModel(self.folder, f"lacks weights, for example {missing[0]}")
        return own_memory(model.to(self.device)).eval()

    def _load_processor(self) -> tuple[Any, Any, Any]:
        """(both at once, for images, for text); the first is None where a model comes with the other two alone."""
        options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
        if self.kind != "vision-encoder-decoder":
            # Pillow's resizing, so that captions are the same with and without torchvision.
            both = AutoProcessor.from_pretrained(self.folder, backend="pil", **options)
            if hasattr(both, "image_processor") and hasattr(both, "tokenizer"):
                return both, both.image_processor, both.tokenizer
        images = AutoImageProcessor.from_pretrained(self.folder, backend="pil", **options)
        return None, images, AutoTokenizer.from_pretrained(self.folder, **options)

    @torch.inference_mode()
    def caption(self, images: Sequence[U8Image]) -> list[str]:
        """What the model says of each image, with whatever prefix it repeats.

        Raises `BadModel` when it cannot be used this way.
        """
        try:
            inputs = self._inputs([Image.fromarray(image) for image in images]).to(self.device, self.dtype)
            words = self.model.generate(**inputs, **self.options)
        except BAD_INPUT as error:
            raise BadModel(self.folder, f"does not caption: {type(error).__name__}: {error}") from error
        asked = inputs.get("input_ids")
        if asked is not None and words.shape[1] >= asked.shape[1] and torch.equal(words[:, : asked.shape[1]], asked):
            words = words[:, asked.shape[1] :]  # decoders repeat what they were given
        return self.tokenizer.batch_decode(words, skip_special_tokens=True)

    def _inputs(self, images: list[Image.Image]) -> Any:
        if self.processor is None or self.kind in UNPROMPTED:
            return self.images(images, return_tensors="pt")
        if getattr(self.processor, "chat_template", None):
            content = [{"type": "image"}, {"type": "text", "text": self.wording.request}]
            text = self.processor.apply_chat_template(
                [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
            )
            nested = [[image] for image in images]
            return self.processor(images=nested, text=[text] * len(images), padding=True, return_tensors="pt")
        texts = {"text": [self.wording.prefix] * len(images)} if self.wording.prefix else {}
        return self.processor(images=images, **texts, return_tensors="pt")
