"""A converted model against numbers of the published implementation (`../shared/reference/README.md` tells of them)."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from gendeg.intensity.bins import MU_BINS, SIGMA_BINS
from gendeg.model.conditioner import Conditioning
from gendeg.model.guidance import branches
from gendeg.model.latents import CleanLatent, decode, encode
from gendeg.model.pipeline import GenDegPipeline
from gendeg.model.published import denoise_as_published
from gendeg.model.samplers import PAPER
from gendeg.primitives.errors import BadManifest, MissingPath

CLOSE = 1e-4
"""Largest relative error that counts as the same."""
SAMPLED, ROUNDED = ("z0", "generated", "corrected"), 2e-3
"""What a hundred ancestral steps end in, and how far apart equal sums in other orders may end there: the steps multiply
the last bit of float32 by thousands (140 orders on one machine: up to 8e-4), and a processor or release of torch other
than the reference's rounds otherwise. Every single stage, and the loop in float64, have to agree to `CLOSE`."""
WANTED = ("mu", "sigma", "bins", "clean", "input_ids", "null_ids", "text", "null_text", "context", "null_context",
          "latent", "decoded", "x_t", "t", "eps", "sigmas", "noise", "z0", "generated", "corrected")  # fmt: skip

SAMPLED_FROM = ("latent", "context", "null_context", "noise")


class Agreement(NamedTuple):
    """Max |ours − theirs| / max |theirs|."""

    quantity: str
    error: float

    @property
    def close(self) -> bool:
        return self.error <= (ROUNDED if self.quantity in SAMPLED else CLOSE)  # False for NaN


def read_reference(path: Path) -> dict[str, Tensor]:
    """Raises `MissingPath`, or `BadManifest` for a file that is not such a table of arrays."""
    if not path.is_file():
        raise MissingPath(path)
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: torch.from_numpy(arrays[name]) for name in WANTED}
    except (OSError, ValueError, KeyError, EOFError) as error:
        reason = f"no .npz of the published implementation's numbers ({error})"
        raise BadManifest(path, 0, reason, "give their io.npz") from error


def doubt(rows: list[Agreement]) -> str:
    """What to say of a table in which every single stage agrees and only the end of the sampling is a little off."""
    apart = {row.quantity for row in rows if not row.error <= CLOSE}
    if not apart or apart - set(SAMPLED):
        return ""
    return (
        "every single stage agrees; z0 follows the last bit of every sum, which another processor or release of torch "
        "than the reference's may round otherwise"
    )


@torch.no_grad()
def agreement(pipeline: GenDegPipeline, known: dict[str, Tensor]) -> list[Agreement]:
    """One row for each quantity, and "loop": our sampling loop against the published one, both in float64.

    z0 starts from the published latent and contexts and runs all steps in the published order of operations, for a
    change of the last bit moves it by more than `CLOSE`; "loop" shows that ours is the same but for rounding.
    """
    rows = [Agreement("bins", _error(_bins(known), known["bins"]))]
    rows += [Agreement(name, _error(ours, known[name])) for name, ours in _quantities(pipeline, known)]
    rows.append(Agreement("loop", _error(*_both_loops(pipeline, known))))
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
    latent = encode(pipeline.vae, images)
    yield "latent", latent
    yield "decoded", decode(pipeline.vae, latent)
    both = torch.cat([known["x_t"].float(), latent], dim=1)
    yield "eps", pipeline.unet(both, known["t"], encoder_hidden_states=full.context).sample
    pipeline.scheduler.set_timesteps(len(known["noise"]) - 1)
    yield "sigmas", pipeline.scheduler.sigmas
    given = [known[name].float() for name in SAMPLED_FROM]
    z0 = denoise_as_published(pipeline.unet, pipeline.scheduler, *given)
    yield "z0", z0
    generated = decode(pipeline.vae, pipeline.from_generated(z0, latent)).clamp(-1, 1)
    yield "generated", generated
    if pipeline.structure is not None:
        yield "corrected", pipeline.structure(images, generated)


def _both_loops(pipeline: GenDegPipeline, known: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Final latents of our sampling loop and of the published one, in float64, where roundings hardly grow."""
    clean, context, null, noise = given = [known[name].double() for name in SAMPLED_FROM]
    pipeline.unet.double()
    try:
        ours = pipeline.denoise(
            CleanLatent(known["clean"][:1].float(), clean, *known["clean"].shape[-2:]),
            Conditioning(context, None),
            Conditioning(null, None),
            branches(PAPER["guidance_text"], PAPER["guidance_image"]),
            [],
            len(noise) - 1,
            list(noise),
        )
        return ours, denoise_as_published(pipeline.unet, pipeline.scheduler, *given)
    finally:
        pipeline.unet.float()


def _bins(known: dict[str, Tensor]) -> Tensor:
    """One row for each sample: the bin of its mu, and of its sigma."""
    both = [bins.index(known[name].numpy()) for name, bins in (("mu", MU_BINS), ("sigma", SIGMA_BINS))]
    return torch.from_numpy(np.stack(both, axis=1))


def _error(ours: Tensor, theirs: Tensor) -> float:
    if ours.shape != theirs.shape:
        return float("nan")
    ours, theirs = ours.double(), theirs.double()
    return float((ours - theirs).abs().max() / theirs.abs().max().clamp(min=1e-12))
