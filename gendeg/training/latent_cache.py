"""Latents of whole pairs, made once: training then reads windows of them instead of decoding and encoding images."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from gendeg.intensity.measure import Intensity
from gendeg.model.latents import Autoencoder, encode, factor
from gendeg.pairs.pair import Pair
from gendeg.primitives.files import atomic_write
from gendeg.primitives.images import U8Image
from gendeg.primitives.progress import bar
from gendeg.training.examples import to_tensor

PART = 256  # pairs in a file: what an interruption costs at most


@dataclass(frozen=True)
class Making:
    """How pairs become latents: everything beside the pairs and the autoencoder that a cache depends on."""

    short_side: int = 0  # pixels that pairs are brought to; 0: as they are
    flips: bool = False  # also keep every pair mirrored


@dataclass(frozen=True)
class LatentPair:
    """Latents of a pair, and |clean − degraded| and its square averaged over the pixels of each latent cell."""

    clean: Float[Tensor, "c y x"]
    degraded: Float[Tensor, "c y x"]
    difference: Float[Tensor, "2 y x"]

    def window(self, side: int, generator: np.random.Generator) -> "LatentPair":
        """A random square of `side` cells (the whole, where the pair is smaller)."""
        height, width = self.clean.shape[-2:]
        top, left = (int(generator.integers(max(n - side, 0) + 1)) for n in (height, width))
        cut = (..., slice(top, top + side), slice(left, left + side))
        return LatentPair(self.clean[cut], self.degraded[cut], self.difference[cut])

    @property
    def intensity(self) -> Intensity:
        """mu and sigma of what this window shows, exact up to the half precision that the averages are kept in."""
        mean, square = (float(x) for x in self.difference.double().mean(dim=(1, 2)))
        return Intensity(mean, max(square - mean * mean, 0.0) ** 0.5)


class LatentCache:
    """The latents of all pairs in safetensors files of `PART` pairs each, read on demand."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._files: dict[int, Any] = {}

    def read(self, index: int, mirrored: bool = False) -> LatentPair:
        """The latents of a pair, or of its mirror image."""
        part = index // PART
        if part not in self._files:
            self._files[part] = safe_open(part_path(self.folder, part), "pt")
        file = self._files[part]
        names = [f"{_name(index, mirrored)}.{part}" for part in ("clean", "degraded", "difference")]
        return LatentPair(*(file.get_tensor(name).float() for name in names))


def _name(index: int, mirrored: bool) -> str:
    return f"{index}m" if mirrored else f"{index}"


def part_path(folder: Path, part: int) -> Path:
    return folder / f"{part:05d}.safetensors"


@torch.no_grad()
def make_cache(
    vae: Autoencoder, pairs: Sequence[Pair], folder: Path, making: Making = Making(), wanted: bool = True
) -> LatentCache:
    """Encode every pair (cut to a multiple of the latent size) in half precision.

    Files that are there already are kept, so that an interrupted run goes on; other pairs, another autoencoder or
    another making get a cache of their own.
    """
    cache = LatentCache(folder / f"latents-{_fingerprint(vae, pairs, making)}")
    cache.folder.mkdir(parents=True, exist_ok=True)
    with bar("latents", total=len(pairs), wanted=wanted) as progress:
        for first in range(0, len(pairs), PART):
            here = range(first, min(first + PART, len(pairs)))
            path = part_path(cache.folder, first // PART)
            if not path.exists():
                _write_part(vae, pairs, here, path, making, progress.update)
            else:
                progress.update(len(here))
    return cache


def _write_part(
    vae: Autoencoder, pairs: Sequence[Pair], here: range, path: Path, making: Making, done: Callable[[], object]
) -> None:
    tensors: dict[str, Tensor] = {}
    for index in here:
        clean, degraded = pairs[index].read(making.short_side)
        for mirrored in (False, True) if making.flips else (False,):
            step = -1 if mirrored else 1
            encoded = _encode_pair(vae, clean[:, ::step], degraded[:, ::step])
            tensors |= {f"{_name(index, mirrored)}.{name}": tensor for name, tensor in encoded.items()}
        done()
    atomic_write(path, save(tensors))


def _encode_pair(vae: Autoencoder, clean: U8Image, degraded: U8Image) -> dict[str, Tensor]:
    side = factor(vae)
    height, width = (n // side * side for n in clean.shape[:2])
    images = to_tensor([clean[:height, :width], degraded[:height, :width]]).to(vae.device)
    with torch.autocast(vae.device.type, torch.bfloat16):
        both = encode(vae, images).half().cpu()
    change = (images[0] - images[1]).abs() / 2
    cells = torch.stack([change.mean(dim=0), (change**2).mean(dim=0)])[None]
    averages = torch.nn.functional.avg_pool2d(cells, side)[0]
    return {"clean": both[0].contiguous(), "degraded": both[1].contiguous(), "difference": averages.half().cpu()}


def _fingerprint(vae: Autoencoder, pairs: Sequence[Pair], making: Making) -> str:
    digest = hashlib.sha256(repr(making).encode())
    for placed in pairs:
        digest.update(json.dumps([placed.clean.input.place, placed.as_row()]).encode())
    for parameter in vae.parameters():
        digest.update(np.float64(parameter.double().sum().item()).tobytes())
    return digest.hexdigest()[:16]
