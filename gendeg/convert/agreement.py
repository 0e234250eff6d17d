"""A converted model against numbers of the published implementation (`../shared/reference/README.md` tells of them)."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from gendeg.convert.published import denoise_as_published
from gendeg.model.conditioner import Conditioning
from gendeg.model.guidance import branches
from gendeg.model.latents import CleanLatent, decode, encode
from gendeg.model.pipeline import GenDegPipeline
from gendeg.model.samplers import PAPER
from gendeg.primitives.errors import BadManifest, MissingPath

CLOSE = 1e-4
"""Largest relative error that counts as the same."""
SAMPLED, ROUNDED = ("z0", "generated", "corrected", "loop"), 2e-3
"""What a hundred ancestral steps end in, and how far apart equal sums in other orders may end there: the steps multiply
the last bit of float32 by thousands (140 orders on one machine: up to 8e-4), and a processor or release of torch other
than the reference's rounds otherwise. Every single stage has to agree to `CLOSE`."""
WANTED = ("mu", "sigma", "bins", "clean", "input_ids", "null_ids", "text", "null_text", "context", "null_context",
          "latent", "decoded", "x_t", "t", "eps", "sigmas", "noise", "z0", "generated", "corrected")  # fmt: skip

SAMPLED_FROM = ("latent", "context", "null_context", "noise")


class Agreement(NamedTuple):
    """Max of |ours − theirs| / |theirs|, where |theirs| is the largest among the numbers that share a scale.

    Those are the pixels of a channel, and the features of a token; every sigma and every bin stands for itself.
    """

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
    if not apart or apart - set(SAMPLED) or not all(row.close for row in rows):
        return ""
    return (
        "every single stage agrees; z0 follows the last bit of every sum, which another processor or release of torch "
        "than the reference's may round otherwise"
    )


@torch.no_grad()
def agreement(pipeline: GenDegPipeline, known: dict[str, Tensor]) -> list[Agreement]:
    """One row for each quantity, and "loop": where the sampling loop that users run ends, against the published z0.

    z0 starts from the published latent and contexts and runs all steps in the published order of operations, for a
    change of the last bit moves it by more than `CLOSE`. "loop" is ours, in float64, where roundings hardly grow: it
    may be as far from the published z0 as that itself is from exact, and no farther.
    """
    rows = [Agreement("bins", _error(_bins(pipeline, known), known["bins"]))]
    rows += [Agreement(name, _error(ours, known[name])) for name, ours in _quantities(pipeline, known)]
    rows.append(Agreement("loop", _error(_loop(pipeline, known), known["z0"])))
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


def _loop(pipeline: GenDegPipeline, known: dict[str, Tensor]) -> Tensor:
    """Final latents of the pipeline's own sampling loop, in float64, from the published start and with its noise."""
    clean, context, null, noise = (known[name].double() for name in SAMPLED_FROM)
    pipeline.unet.double()
    try:
        return pipeline.denoise(
            CleanLatent(known["clean"].float(), clean, *known["clean"].shape[-2:]),
            Conditioning(context, None),
            Conditioning(null, None),
            branches(PAPER["guidance_text"], PAPER["guidance_image"]),
            [],
            len(noise) - 1,
            list(noise),
        )
    finally:
        pipeline.unet.float()


def _bins(pipeline: GenDegPipeline, known: dict[str, Tensor]) -> Tensor:
    """One row for each sample: the bins of its mu and sigma that the model is told."""
    own = pipeline.conditioner
    both = (("mu", own.mu_bins), ("sigma", own.sigma_bins))
    return torch.stack([own.bins_of(known[name], bins) for name, bins in both], dim=1)


def _error(ours: Tensor, theirs: Tensor) -> float:
    if ours.shape != theirs.shape:
        return float("nan")
    ours, theirs = ours.double(), theirs.double()
    alike = {4: (-2, -1), 3: (-1,)}.get(theirs.ndim)
    scale = theirs.abs().amax(dim=alike, keepdim=True) if alike else theirs.abs()
    return float(((ours - theirs).abs() / scale.clamp(min=1e-12)).max())
