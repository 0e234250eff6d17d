"""Pairs → the micro batches of a diffusion training: crops or cached latents, conditions, noise and timesteps."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from gendeg.configs import DiffusionConfig
from gendeg.intensity.measure import Intensity, measure_intensity
from gendeg.jobs.latent_cache import LatentCache
from gendeg.model.latents import encode, factor, sample_posterior
from gendeg.model.pipeline import GenDegPipeline
from gendeg.primitives.rng import for_sample, torch_generator
from gendeg.training.conditions import Dropout, make_condition
from gendeg.training.examples import Deal, PlacedPair, crop_pair, to_tensor


@dataclass(frozen=True)
class View:
    """One square of a pair, as signed images or as latents, and how strong its degradation is."""

    clean: Float[Tensor, "c y x"]
    degraded: Float[Tensor, "c y x"]
    intensity: Intensity


Views = Callable[[int, int], View]
"""(index of the pair, number of the example) → what this example sees of it."""


@dataclass(frozen=True)
class Batch:
    """One micro batch; `clean` and `degraded` are images or latents until `encoded`, then what the UNet deals in."""

    clean: Float[Tensor, "b k h w"]
    degraded: Float[Tensor, "b k h w"]
    keep_image: Bool[Tensor, " b"]
    tokens: Int[Tensor, "b n"]
    mu: Float[Tensor, " b"]
    sigma: Float[Tensor, " b"]
    noise: Float[Tensor, "b c y x"]
    timestep: Int[Tensor, " b"]
    posterior: Float[Tensor, "b c y x"] | None = None
    """Noise of the sample of the degraded image's posterior that is the target; None: the mode is."""

    def to(self, device: torch.device) -> "Batch":
        """The same on another device."""
        held = {field.name: getattr(self, field.name) for field in fields(self)}
        return replace(self, **{name: value.to(device) for name, value in held.items() if value is not None})


def crops(pairs: list[PlacedPair], config: DiffusionConfig) -> Views:
    """Views are cut from the images themselves, each time anew."""

    def view(index: int, number: int) -> View:
        generator = for_sample(config.seed, number, "crop")
        clean, degraded = crop_pair(*pairs[index].read(config.short_side), config.size, generator, config.flips)
        images = to_tensor([clean, degraded])
        return View(images[0], images[1], measure_intensity(clean, degraded))

    return view


def windows(cache: LatentCache, side: int, config: DiffusionConfig) -> Views:
    """Views are cut from latents that lie on disk; `side` in cells."""

    def view(index: int, number: int) -> View:
        generator = for_sample(config.seed, number, "crop")
        mirrored = config.flips and generator.uniform() < 0.5
        window = cache.read(index, mirrored).window(side, generator)
        return View(window.clean, window.degraded, window.intensity)

    return view


def make_batch(
    numbers: list[int],
    deal: Deal,
    pairs: list[PlacedPair],
    views: Views,
    pipeline: GenDegPipeline,
    config: DiffusionConfig,
) -> Batch:
    """The examples of these numbers of the run's stream; depends on the seed and the numbers only."""
    dropout = Dropout(config.drop_text, config.drop_image, config.drop_both)
    seen, conditions, noise = [], [], []
    shape = (pipeline.unet.config.out_channels, *[config.size // factor(pipeline.vae)] * 2)

    def noise_of(number: int, purpose: str) -> Tensor:
        return torch.randn(shape, generator=torch_generator(config.seed, number, purpose))

    for number in numbers:
        index = deal(number)
        pair, view = pairs[index].pair, views(index, number)
        told = (pair.degradation, pair.caption, view.intensity, dropout, config.caption_mix, config.seed, number)
        conditions.append(make_condition(*told))
        seen.append(view)
        noise.append(noise_of(number, "noise"))
    return Batch(
        clean=torch.stack([view.clean for view in seen]),
        degraded=torch.stack([view.degraded for view in seen]),
        keep_image=torch.tensor([c.keep_image for c in conditions]),
        tokens=pipeline.tokenize([c.prompt for c in conditions]),
        mu=torch.tensor([c.mu for c in conditions]),
        sigma=torch.tensor([c.sigma for c in conditions]),
        noise=torch.stack(noise),
        timestep=_timesteps(numbers, config, pipeline.scheduler.config.num_train_timesteps),
        posterior=torch.stack([noise_of(n, "posterior") for n in numbers]) if config.published else None,
    )


@torch.no_grad()
def encoded(batch: Batch, pipeline: GenDegPipeline, cached: bool, half: bool) -> Batch:
    """What is to be generated, and the clean latent beside it (unscaled, as published; zero where it was dropped).

    `cached`: the batch holds latents already; `half`: the autoencoder works in bfloat16.
    """
    clean, degraded, vae = batch.clean, batch.degraded, pipeline.vae
    if batch.posterior is not None:
        clean, degraded = encode(vae, clean), sample_posterior(vae, degraded, batch.posterior)
    elif not cached:
        with torch.autocast(vae.device.type, torch.bfloat16, enabled=half):
            clean, degraded = encode(vae, torch.cat([clean, degraded])).float().chunk(2)
    target = pipeline.to_generated(degraded, clean)
    return replace(batch, clean=clean * batch.keep_image[:, None, None, None], degraded=target)


def _timesteps(numbers: list[int], config: DiffusionConfig, count: int) -> Int[Tensor, " b"]:
    """Uniform over all timesteps and evenly spread within a batch, which lowers the variance of the loss.

    Where `published`, each is drawn by itself.
    """
    if config.published:
        return torch.tensor([int(for_sample(config.seed, n, "timestep").integers(count)) for n in numbers])
    spread = [
        (for_sample(config.seed, n // config.batch_size, "timestep").uniform() + n / config.batch_size) % 1.0
        for n in numbers
    ]
    return torch.tensor([min(int(u * count), count - 1) for u in spread])
