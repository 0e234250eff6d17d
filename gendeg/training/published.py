"""Training exactly as GenDeg's authors do (`published = true`): their numbers, and what no setting says (CVPR 2025, 4).

Theirs are fp32, 16 crops × 4 micro batches × 2 GPUs a step, no clipping, each picture whole but squashed to a square
(mu and sigma are measured on that), mirrored half of the time, samples of the autoencoder's posterior as targets,
timesteps drawn independently, and an average of the UNet's weights alone that moves at every micro batch.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, replace
from functools import partial
from typing import Any

import numpy as np
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.training_utils import EMAModel
from PIL import Image
from torch import nn

from gendeg.intensity.measure import measure_intensity
from gendeg.model.pipeline import GenDegPipeline
from gendeg.pairs.pair import Pair
from gendeg.primitives.errors import BadOption
from gendeg.primitives.images import U8Image
from gendeg.primitives.rng import for_sample
from gendeg.training.average import PublishedAverage
from gendeg.training.batches import View, Views
from gendeg.training.config import DiffusionConfig
from gendeg.training.examples import Crop, to_tensor

BATCH = 128
"""Examples of a step. How they are dealt out to processes and micro batches changes no number but by rounding."""
SIDE = 256
"""Pixels of the squares."""

PUBLISHED: dict[str, Any] = {
    "precision": "no", "clip_norm": 0.0, "learning_rate": 1e-4, "statistics_rate": 10.0, "weight_decay": 0.01,
    "schedule": "constant", "warmup": 0, "ema_decay": 0.9999, "optimizer": "adamw", "flips": True, "drop_text": 0.05,
    "drop_image": 0.05, "drop_both": 0.05, "caption_mix": 0.0, "lora_rank": 0,
    "cache_latents": False, "weights": "", "clean": (), "noise_width": 0.0, "repeats": 1,
}  # fmt: skip


def as_published(config: DiffusionConfig, processes: int) -> DiffusionConfig:
    """The same run with their numbers wherever the config has our default, and as many micro batches as make `BATCH`.

    Squares are of 256 pixels, or as asked; the sheets' photos are as large. Raises `BadOption` for a setting that is
    neither theirs nor our default.
    """
    ours = {field.name: field.default for field in fields(DiffusionConfig)}
    for name, theirs in PUBLISHED.items():
        _check_number(name, getattr(config, name), theirs, ours[name])
    size = SIDE if config.size == ours["size"] else config.size
    told = replace(config, **PUBLISHED, size=size, short_side=config.short_side or size)
    return replace(told, accumulate=_accumulated(config, processes))


def refuse_other_numbers(options: Mapping[str, Any]) -> None:
    """Raises `BadOption` for what a command or a preset gives that is not theirs, our defaults too."""
    if options.get("size") == DiffusionConfig.size:
        raise BadOption(
            "--size", f"is {SIDE} where published = true; {DiffusionConfig.size} cannot be told from no size"
        )
    for name in PUBLISHED.keys() & options.keys():
        _check_number(name, options[name], PUBLISHED[name])


def _check_number(name: str, given: object, *allowed: object) -> None:
    if given not in allowed:
        flag, theirs = f"--{name.replace('_', '-')}", PUBLISHED[name]
        raise BadOption(flag, f"is '{theirs}' where published = true, not '{given}'; leave out one of the two")


def _accumulated(config: DiffusionConfig, processes: int) -> int:
    """Micro batches of a step: as given, else as many as make `BATCH`."""
    size, times = config.batch_size, config.accumulate
    if times == 1:
        times = max(1, BATCH // (size * processes))
    if size * times * processes != BATCH:
        shown = f"{size} crops x {times} micro batches x {processes} processes"
        raise BadOption("--batch-size", f"{shown} are not the {BATCH} examples of a step that published = true means")
    return times


def check_published(pipeline: GenDegPipeline) -> None:
    """Raises `BadOption` for a model that their training has no meaning for."""
    if not isinstance(pipeline.vae, AutoencoderKL):
        raise BadOption("--init", "published = true samples a posterior, which only Stable Diffusion's autoencoder has")
    if pipeline.scheduler.config.prediction_type != "epsilon" or pipeline.config.change_scale:
        raise BadOption("--init", "published = true trains a UNet that says the noise of the whole latent (epsilon)")


def squashed_views(deal: Callable[[int], int], pairs: Sequence[Pair], config: DiffusionConfig) -> Views:
    """Every picture whole, brought to size × size without regard to its shape; mu and sigma are those of the square."""

    def view(number: int) -> View:
        placed = pairs[deal(number)]
        clean, degraded = (squash(image, config.size) for image in placed.read())
        intensity = measure_intensity(clean, degraded)
        step = -1 if for_sample(config.seed, number, "crop").uniform() < 0.5 else 1
        images = to_tensor([clean[:, ::step], degraded[:, ::step]])
        return View(images[0], images[1], placed.degradation, placed.caption, intensity)

    return lambda numbers: [view(number) for number in numbers]


def squash(image: U8Image, size: int) -> Crop:
    """Lanczos to size × size."""
    return np.array(Image.fromarray(image).resize((size, size), Image.Resampling.LANCZOS))


def published_average(unet: nn.Module) -> Callable[[Iterable[nn.Parameter], float], EMAModel]:
    """What `Run` keeps instead of its own average: of the UNet's weights; all others as they are."""
    return partial(_average, frozenset(map(id, unet.parameters())))


def _average(known: frozenset[int], parameters: Iterable[nn.Parameter], decay: float) -> PublishedAverage:
    weights = list(parameters)
    return PublishedAverage(weights, decay, [id(weight) in known for weight in weights])
