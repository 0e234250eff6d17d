"""Pairs → the micro batches of a diffusion training: crops or cached latents, conditions, noise and timesteps."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from gendeg.intensity.direction import UNKNOWN, Direction, measure_direction
from gendeg.intensity.measure import Intensity, measure_intensity
from gendeg.model.change import change_sizes
from gendeg.model.latents import encode, factor, sample_posterior
from gendeg.model.pipeline import GenDegPipeline
from gendeg.model.schedulers import up_to
from gendeg.model.text import PromptWriter
from gendeg.pairs.pair import Pair
from gendeg.primitives.kinds import parse_mix
from gendeg.primitives.rng import for_sample, torch_generator
from gendeg.training.conditions import Dropout, make_condition
from gendeg.training.config import DiffusionConfig
from gendeg.training.examples import crop_pair, to_tensor
from gendeg.training.fresh_pairs import FreshPairs, Seen
from gendeg.training.latent_cache import LatentCache


@dataclass(frozen=True)
class View:
    """One square of a pair, as signed images or as latents, and what is known of its degradation."""

    clean: Float[Tensor, "c y x"]
    degraded: Float[Tensor, "c y x"]
    degradation: str
    caption: str
    intensity: Intensity
    direction: Direction = UNKNOWN


Views = Callable[[list[int]], list[View]]
"""Numbers of examples → what each of them sees, all of one size."""


@dataclass(frozen=True)
class Batch:
    """One micro batch; `clean` and `degraded` are images or latents until `encoded`, then what the UNet deals in.

    `levels` is b times the repeats of the run, and b too once it is encoded.
    """

    clean: Float[Tensor, "b k h w"]
    degraded: Float[Tensor, "b k h w"]
    keep_image: Bool[Tensor, " b"]
    tokens: Int[Tensor, "b n"]
    mu: Float[Tensor, " b"]
    sigma: Float[Tensor, " b"]
    direction: Float[Tensor, "b 2"]
    sizes: Float[Tensor, " b"]
    noise: Float[Tensor, "levels c y x"]
    timestep: Int[Tensor, " levels"]
    posterior: Float[Tensor, "b c y x"] | None = None
    """Noise of the sample of the degraded image's posterior that is the target; None: the mode is."""

    def to(self, device: torch.device) -> "Batch":
        """The same on another device; float64, the statistics, stays here: not every device knows it."""
        held = {field.name: getattr(self, field.name) for field in fields(self)}
        moved = {name: x.to(device) for name, x in held.items() if x is not None and x.dtype != torch.float64}
        return replace(self, **moved)


def crops(deal: Callable[[int], int], pairs: list[Pair], config: DiffusionConfig) -> Views:
    """Views are cut from the images themselves, each time anew."""

    def view(number: int) -> View:
        generator, placed = for_sample(config.seed, number, "crop"), pairs[deal(number)]
        clean, degraded = crop_pair(*placed.read(config.short_side), config.size, generator, config.flips)
        direction = measure_direction(clean, degraded, parse_mix(placed.degradation))
        images = to_tensor([clean, degraded])
        told = placed.degradation, placed.caption, measure_intensity(clean, degraded), direction
        return View(images[0], images[1], *told)

    return lambda numbers: [view(number) for number in numbers]


def windows(
    deal: Callable[[int], int], pairs: list[Pair], cache: LatentCache, side: int, config: DiffusionConfig
) -> Views:
    """Views are cut from latents that lie on disk; `side` in cells. Their directions are unknown."""

    def view(number: int) -> View:
        generator, index = for_sample(config.seed, number, "crop"), deal(number)
        mirrored = config.flips and generator.uniform() < 0.5
        window = cache.read(index, mirrored).window(side, generator)
        return View(window.clean, window.degraded, pairs[index].degradation, pairs[index].caption, window.intensity)

    return lambda numbers: [view(number) for number in numbers]


def simulated(fresh: FreshPairs, config: DiffusionConfig) -> Views:
    """Views are simulated while the training runs; in a share of the batches a quarter as many, twice as large."""

    def views(numbers: list[int]) -> list[View]:
        large = for_sample(config.seed, numbers[0] // config.batch_size, "large").uniform() < config.large
        chosen, size = (numbers[::4], 2 * config.size) if large else (numbers, config.size)
        return as_views(fresh.views(chosen, size))

    return views


def as_views(seen: Sequence[Seen]) -> list[View]:
    """What processes have made, all of one size."""
    clean, degraded = (to_tensor([getattr(one, half) for one in seen]) for half in ("clean", "degraded"))
    return [
        View(before, after, one.degradation, one.caption, one.intensity, one.direction)
        for before, after, one in zip(clean, degraded, seen, strict=True)
    ]


def make_batch(numbers: list[int], views: Views, pipeline: GenDegPipeline, config: DiffusionConfig) -> Batch:
    """The examples of these numbers of the run's stream; depends on the seed and the numbers only."""
    dropout = Dropout(config.drop_text, config.drop_image, config.drop_both)
    seen, write = views(numbers), PromptWriter(pipeline.reader)
    conditions = [
        make_condition(v.degradation, v.caption, v.intensity, dropout, config.caption_mix, config.seed, number, write)
        for v, number in zip(seen, numbers, strict=False)  # fewer where they are larger
    ]
    told = [v.direction if c.prompt else UNKNOWN for v, c in zip(seen, conditions, strict=True)]
    spoken = [tuple(UNKNOWN) if _mute(n, config) else tuple(d) for d, n in zip(told, numbers, strict=False)]
    levels = [n * config.repeats + k for n in numbers[: len(seen)] for k in range(config.repeats)]
    cells = [side // factor(pipeline.vae) if seen[0].clean.shape[0] == 3 else side for side in seen[0].clean.shape[1:]]
    shape = (pipeline.unet.config.out_channels, *cells)

    def noise_of(number: int, purpose: str, count: int) -> Tensor:
        return torch.randn((count, *shape), generator=torch_generator(config.seed, number, purpose))

    return Batch(
        clean=torch.stack([view.clean for view in seen]),
        degraded=torch.stack([view.degraded for view in seen]),
        keep_image=torch.tensor([c.keep_image for c in conditions]),
        tokens=pipeline.tokenize([c.prompt for c in conditions]),
        mu=torch.tensor([c.mu for c in conditions], dtype=torch.float64),
        sigma=torch.tensor([c.sigma for c in conditions], dtype=torch.float64),
        direction=torch.tensor(spoken),
        sizes=_sizes(seen, pipeline),
        noise=torch.cat([noise_of(n, "noise", config.repeats) for n in numbers[: len(seen)]]),
        timestep=_timesteps(levels, config, up_to(pipeline.scheduler.alphas_cumprod, pipeline.highest)),
        posterior=torch.cat([noise_of(n, "posterior", 1) for n in numbers]) if config.published else None,
    )


def _sizes(seen: list[View], pipeline: GenDegPipeline) -> Float[Tensor, " b"]:
    """What changes are divided by; on the CPU, for a thread that asked a GPU would wait for all that it has to do."""
    scales, measured = pipeline.config.change_scale, [view.intensity for view in seen]
    if not scales:
        return torch.ones(len(seen))
    return change_sizes(scales, [v.degradation for v in seen], [m.mu for m in measured], [m.sigma for m in measured])


def _mute(number: int, config: DiffusionConfig) -> bool:
    """Whether an example is not told its direction, so that the model can also do without."""
    return bool(for_sample(config.seed, number, "direction").uniform() < config.drop_direction)


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
    target = pipeline.to_generated(degraded, clean) / batch.sizes[:, None, None, None]
    whole = replace(batch, clean=clean * batch.keep_image[:, None, None, None], degraded=target)
    return whole if len(batch.noise) == len(batch.mu) else _repeated(whole, len(batch.noise) // len(batch.mu))


def _repeated(batch: Batch, times: int) -> Batch:
    """Every crop once for each of its noise levels."""
    once = {"noise", "timestep", "posterior"}
    names = [field.name for field in fields(batch) if field.name not in once]
    return replace(batch, **{name: getattr(batch, name).repeat_interleave(times, dim=0) for name in names})


def _timesteps(numbers: list[int], config: DiffusionConfig, alphas_cumprod: Float[Tensor, " t"]) -> Int[Tensor, " b"]:
    """Evenly spread within a batch, which lowers the variance of the loss; uniform over all timesteps, or log-normal.

    Log-normal noise levels: ln √((1 − ᾱ) / ᾱ) has the configured mean and width (Karras et al., 2206.00364, table 1).
    Where `published`, each timestep is drawn by itself.
    """
    count, together = len(alphas_cumprod), config.batch_size * config.repeats
    if config.published:
        return torch.tensor([int(for_sample(config.seed, n, "timestep").integers(count)) for n in numbers])
    first = {batch: for_sample(config.seed, batch, "timestep").uniform() for batch in {n // together for n in numbers}}
    spread = [(first[n // together] + n / together) % 1.0 for n in numbers]
    if not config.noise_width:
        return torch.tensor([min(int(u * count), count - 1) for u in spread])
    return log_normal(torch.tensor(spread, dtype=torch.float64), alphas_cumprod.cpu(), config)[1]


def log_normal(
    spread: Float[Tensor, " b"], alphas_cumprod: Float[Tensor, " t"], config: DiffusionConfig
) -> tuple[Float[Tensor, " b"], Int[Tensor, " b"]]:
    """Quantiles in (0, 1) → ln(noise / signal) of the configured mean and width, and the timesteps nearest above."""
    logs = config.noise_mean + config.noise_width * torch.special.ndtri(spread.clamp(1e-6, 1 - 1e-6))
    known = ((1 - alphas_cumprod) / alphas_cumprod).double().sqrt().log()
    return logs, torch.searchsorted(known, logs).clamp(max=len(known) - 1)
