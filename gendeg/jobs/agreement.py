"""A converted model against numbers of the published implementation (`../shared/reference/README.md` tells of them)."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from gendeg.intensity.bins import MU_BINS, SIGMA_BINS
from gendeg.model.guidance import branches
from gendeg.model.latents import decode, encode
from gendeg.model.pipeline import CleanLatent, GenDegPipeline
from gendeg.model.samplers import PAPER
from gendeg.primitives.errors import BadManifest, MissingPath

CLOSE = 1e-4
"""Largest relative error that counts as the same."""
WANTED = ("mu", "sigma", "bins", "clean", "input_ids", "null_ids", "text", "null_text", "context", "null_context",
          "latent", "decoded", "x_t", "t", "eps", "sigmas", "noise", "z0", "generated", "corrected")  # fmt: skip


class Agreement(NamedTuple):
    """Max |ours − theirs| / max |theirs|."""

    quantity: str
    error: float

    @property
    def close(self) -> bool:
        return self.error <= CLOSE  # False for NaN


def read_reference(path: Path) -> dict[str, Tensor]:
    """Raises `MissingPath`, or `BadManifest` for a file that is not such a table of arrays."""
    if not path.is_file():
        raise MissingPath(path)
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: torch.from_numpy(arrays[name]) for name in WANTED}
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise BadManifest(path, 0, f"no .npz of the published implementation's numbers ({error})") from error


@torch.no_grad()
def agreement(pipeline: GenDegPipeline, known: dict[str, Tensor]) -> list[Agreement]:
    """One row for each quantity, every one from the published inputs alone and the sampling from start to end."""
    rows = [Agreement("bins", _error(_bins(known), known["bins"]))]
    rows += [Agreement(name, _error(ours, known[name])) for name, ours in _quantities(pipeline, known)]
    return rows


def _quantities(pipeline: GenDegPipeline, known: dict[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    texts, null_texts = (pipeline.text_encoder(known[name].long()) for name in ("input_ids", "null_ids"))
    yield "text", texts.last_hidden_state
    yield "null_text", null_texts.last_hidden_state
    mu, sigma = known["mu"].tolist(), known["sigma"].tolist()
    full = pipeline.condition(texts.last_hidden_state, texts.pooler_output, mu, sigma)
    nothing = [float("nan")]
    null = pipeline.condition(null_texts.last_hidden_state, null_texts.pooler_output, nothing, nothing)
    yield "context", full.context
    yield "null_context", null.context.expand_as(known["null_context"])
    images = known["clean"].float()
    clean = CleanLatent(images[:1], encode(pipeline.vae, images), *images.shape[-2:])
    yield "latent", clean.latent
    yield "decoded", decode(pipeline.vae, clean.latent)
    both = torch.cat([known["x_t"].float(), clean.latent], dim=1)
    yield "eps", pipeline.unet(both, known["t"], encoder_hidden_states=full.context).sample
    noise = list(known["noise"].float())
    steps = len(noise) - 1
    chosen = branches(PAPER["guidance_text"], PAPER["guidance_image"])
    latents = pipeline.denoise(clean, full, null, chosen, [], steps, noise)
    yield "sigmas", pipeline.scheduler.sigmas
    yield "z0", latents
    generated = decode(pipeline.vae, pipeline.from_generated(latents, clean.latent)).clamp(-1, 1)
    yield "generated", generated
    if pipeline.structure is not None:
        yield "corrected", pipeline.structure(images, generated)


def _bins(known: dict[str, Tensor]) -> Tensor:
    """One row for each sample: the bin of its mu, and of its sigma."""
    both = [bins.index(known[name].numpy()) for name, bins in (("mu", MU_BINS), ("sigma", SIGMA_BINS))]
    return torch.from_numpy(np.stack(both, axis=1))


def _error(ours: Tensor, theirs: Tensor) -> float:
    if ours.shape != theirs.shape:
        return float("nan")
    ours, theirs = ours.double(), theirs.double()
    return float((ours - theirs).abs().max() / theirs.abs().max().clamp(min=1e-12))
