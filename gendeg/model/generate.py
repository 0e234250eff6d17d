"""Photos and what is asked of them → degraded images: the one driver of a pipeline, whoever samples."""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np
import torch
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler
from jaxtyping import Float
from torch import Tensor

from gendeg.intensity.ask import Ask
from gendeg.intensity.direction import Direction
from gendeg.intensity.measure import Intensity
from gendeg.model.change import change_sizes
from gendeg.model.conditioner import Conditioning
from gendeg.model.guidance import FULL, Branch, branches
from gendeg.model.latents import CleanLatent
from gendeg.model.moves import Stored, to_device
from gendeg.model.pipeline import GenDegPipeline
from gendeg.model.response import told_statistics
from gendeg.model.samplers import FEW_STEPS, INTERVAL, MULTISTEP, PAPER, ContinuousEulerAncestralScheduler
from gendeg.model.sketch import Sketch, draw_sketch, no_sketch
from gendeg.model.strength import meet_mu
from gendeg.model.tiles import pad_to_multiple
from gendeg.primitives.errors import BadOption
from gendeg.primitives.images import U8Image, u8_to_signed
from gendeg.primitives.kinds import Mix
from gendeg.primitives.rng import torch_generator

STRONGEST = 100.0
"""Beyond this a guidance scale is a slip of the keyboard: the published ones are 7.5 and 1.5."""
STRONG = 0.9
"""Quantile of the coherences of a mix that an asked direction gets."""
KEPT = 256 << 20
"""Bytes of latents, decoded photos and encoded prompts that are remembered: at 512 pixels 64 KB to 3.5 MB a photo."""


# --- how a run samples ---


@dataclass(frozen=True)
class Settings:
    """How a run samples; the same for all of its images."""

    steps: int
    guidance_text: float
    guidance_image: float
    structure_correction: bool
    sampler: str = "own"
    passes: int = 0
    """Through the network, for an image."""


def choose_sampler(pipeline: GenDegPipeline, name: str) -> None:
    """Let the pipeline sample as published (`paper`), in few passes (`fast`), or leave it its own way (`own`).

    Raises `BadOption` for another name, or a model whose last noise level has no signal left: there the published
    sampler would have to start from infinity.
    """
    if name not in ("own", "paper", "fast"):
        raise BadOption("--sampler", f"must be own, paper or fast, not '{name}'")
    whole = float(pipeline.scheduler.alphas_cumprod[-1]) >= 1e-6  # some signal is left at the last noise level
    if name == "fast":
        choose_fast(pipeline, whole)
    if name == "paper":
        if pipeline.config.guidance_built_in:
            raise BadOption("--sampler", "this model was distilled and samples in its own way only; ask its teacher")
        if not whole:
            raise BadOption(
                "--sampler", "paper needs a model with noise levels like Stable Diffusion's; this has others"
            )
        pipeline.scheduler = ContinuousEulerAncestralScheduler.from_config(
            {**pipeline.scheduler.config, "timestep_spacing": "linspace"}
        )
        pipeline.register_to_config(**PAPER)


def choose_fast(pipeline: GenDegPipeline, whole: bool) -> None:
    """In few passes, as docs/degrade.md says for each family of models; benchmarks/samplers.py measures what they cost.

    A model that needs no more, and a distilled one, is left as it is.
    """
    own = pipeline.config
    few = FEW_STEPS["levels" if not whole else "change" if own.change_scale else "latent"]
    if own.guidance_built_in or own.steps <= few:
        return
    pipeline.register_to_config(steps=few)
    if whole:
        pipeline.scheduler = DPMSolverMultistepScheduler.from_config({**pipeline.scheduler.config, **MULTISTEP})
    if branches(own.guidance_text, own.guidance_image) != [FULL]:
        pipeline.register_to_config(guidance_interval=list(INTERVAL))


def branches_of(pipeline: GenDegPipeline, guidance_text: float, guidance_image: float) -> list[Branch]:
    """The network passes of a step; a distilled model has the guidance in its weights and takes one."""
    return branches(1.0, 1.0) if pipeline.config.guidance_built_in else branches(guidance_text, guidance_image)


def unlike_built_in(
    pipeline: GenDegPipeline, steps: int | None, guidance_text: float | None, guidance_image: float | None
) -> tuple[str, str] | None:
    """The first that is asked (None: nothing) otherwise than a distilled model has it, as (option, what is wrong)."""
    own = pipeline.config
    asked = {"steps": steps, "guidance_text": guidance_text, "guidance_image": guidance_image}
    for name, value in asked.items() if own.guidance_built_in else ():
        if value is not None and value != own[name]:
            what = f"this model was distilled with {own[name]:g}, not {value:g}"
            return f"--{name.replace('_', '-')}", f"{what}; ask its teacher, or distil it again (gendeg train distill)"
    return None


def settings_of(
    pipeline: GenDegPipeline,
    steps: int | None = None,
    guidance_text: float | None = None,
    guidance_image: float | None = None,
    structure_correction: bool = True,
    sampler: str = "own",
) -> Settings:
    """What was asked for, and the model's own where nothing was.

    Raises `BadOption` for more steps than the model's schedule has, or a guidance scale that is no use.
    """
    own, most = pipeline.config, pipeline.scheduler.config.num_train_timesteps
    if other := unlike_built_in(pipeline, steps, guidance_text, guidance_image):
        raise BadOption(*other)
    steps = own.steps if steps is None else steps
    if not 1 <= steps <= most:
        raise BadOption("--steps", f"this model takes 1 to {most}, got {steps}")
    scales = {"guidance_text": guidance_text, "guidance_image": guidance_image}
    for name, scale in scales.items():
        if scale is not None and not abs(scale) <= STRONGEST:  # refuses NaN too
            raise BadOption(f"--{name.replace('_', '-')}", f"must lie in [-100, 100], got {scale:g}")
    chosen = {name: float(getattr(own, name) if scale is None else scale) for name, scale in scales.items()}
    passes = pipeline.passes(steps, branches_of(pipeline, **chosen))
    return Settings(steps, **chosen, structure_correction=structure_correction, sampler=sampler, passes=passes)


def refuse_direction(pipeline: GenDegPipeline) -> None:
    """Raises `BadOption` for a model that was taught none: it would go its own way without a word."""
    if not (pipeline.config.directions or pipeline.config.sketch):
        raise BadOption("--direction", "this model was not taught directions (--model physics knows them)")


def noise_of(seed: int, clean_sha256: str, ask: Ask) -> torch.Generator:
    """A sample's own randomness; the intensities of one photo and degradation share it: only the strength differs."""
    return torch_generator(seed, f"{clean_sha256}/{ask.name}", "sample")


# --- one sample on its way ---


@dataclass(frozen=True)
class Settled:
    """What is asked, and what the model is told, so that its image measures the asked mu and sigma."""

    ask: Ask
    told: Intensity


@dataclass(frozen=True)
class Generated:
    """What the network made of a batch, as `GenDegPipeline.decode_latents` takes it."""

    latents: Float[Tensor, "b c y x"]
    sketch: CleanLatent | None
    """What it began with, one for each; None for a model that begins with noise alone."""


class Generator:
    """A pipeline and the settings it samples with, and what samples share: encoded photos, encoded prompts.

    A batch is photos of one size with what is asked of them, one for each (or one photo for all), and a source of noise
    for each; a sample is the same in any batch, but for rounding.
    """

    def __init__(self, pipeline: GenDegPipeline, settings: Settings):
        self.pipeline, self.settings = pipeline, settings
        asked = settings.guidance_text, settings.guidance_image
        if other := unlike_built_in(pipeline, settings.steps, *asked):
            raise ValueError(": ".join(other))
        self._branches = branches_of(pipeline, *asked)
        self._photos, self._texts = Recent(), Recent()
        self._null: Conditioning | None = None
        self._passes: dict[float, int] = {}

    def degrade(
        self, clean: CleanLatent, asks: Sequence[Ask], noise: Sequence[torch.Generator], drawn: Sequence[Sketch] = ()
    ) -> Sequence[U8Image | None]:
        """Degraded images of the photos' size; None where the model gave numbers that are not finite.

        `drawn` is what `draw` gives for each; what is not drawn before is drawn now. On a GPU the images are still
        being made when this returns: who takes one waits for its batch.
        """
        settled = self.settle(asks)
        return self.images(clean, settled, self.generate(clean, settled, noise, drawn))

    @property
    def draws(self) -> bool:
        """Whether samples begin with a simulator's draw, which `draw` can make before the model comes to it."""
        return bool(self.pipeline.config.sketch)

    draw = staticmethod(draw_sketch)

    def drawer(self, ask: Ask) -> Callable[[U8Image, Ask, int], Sketch]:
        """Makes what a sample begins with, of its generator's seed; any thread or process may call it."""
        return self.draw if self.pipeline.level_of(ask.mix) else no_sketch

    def draw_each(self, clean: CleanLatent, asks: Sequence[Ask], noise: Sequence[torch.Generator]) -> list[Sketch]:
        """One for each sample of a batch."""
        photos = clean.pixels if clean.several else clean.pixels * len(asks)
        seeds = map(torch.Generator.initial_seed, noise)
        return [self.drawer(ask)(photo, ask, seed) for photo, ask, seed in zip(photos, asks, seeds, strict=True)]

    def encode(self, photos: Sequence[U8Image]) -> CleanLatent:
        """Photos of one size. What goes into one call is remembered as such, and never depends on what was before."""
        if not self.pipeline.together:
            return CleanLatent.batch([self._encode([photo]) for photo in photos])
        names = [hashlib.sha1(photo.tobytes()).digest() for photo in photos]
        distinct = dict(zip(names, photos, strict=True))
        encoded, places = self._encode(list(distinct.values())), list(distinct)
        return encoded.of(*map(places.index, names))

    def settle(self, asks: Sequence[Ask]) -> list[Settled]:
        """What this model is told of each, by its calibration."""
        curves = self.pipeline.config.calibration
        return [Settled(ask, told_statistics(curves, ask.name, ask.mu, ask.sigma)) for ask in asks]

    @torch.no_grad()
    def generate(
        self,
        clean: CleanLatent,
        settled: Sequence[Settled],
        noise: Sequence[torch.Generator],
        drawn: Sequence[Sketch] = (),
    ) -> Generated:
        """Sample, without decoding."""
        own, names = self.pipeline.config, [one.ask.name for one in settled]
        sizes = None
        if own.change_scale:
            asked = [one.ask.mu for one in settled], [one.ask.sigma for one in settled]
            sizes = to_device(change_sizes(own.change_scale, names, *asked), self.pipeline.device)
        sketch, directions = self._begin(clean, [one.ask for one in settled], noise, drawn)
        begin = None if sketch is None else self.pipeline.to_generated(sketch.latent, clean.latent)
        if begin is not None and sizes is not None:
            begin = begin / sizes[:, None, None, None]
        texts = [self._text(one.ask.prompt) for one in settled]
        text, pooled = (torch.cat(parts) for parts in zip(*texts, strict=True))
        mu, sigma = zip(*(one.told for one in settled), strict=True)
        full = self.pipeline.condition(text, pooled, mu, sigma, directions)
        return Generated(self._denoise(clean, settled, full, noise, sizes, begin), sketch)

    def _denoise(
        self,
        clean: CleanLatent,
        settled: Sequence[Settled],
        full: Conditioning,
        noise: Sequence[torch.Generator],
        sizes: Float[Tensor, " b"] | None,
        begin: Float[Tensor, "b c y x"] | None,
    ) -> Float[Tensor, "b c y x"]:
        """Samples that begin at one level go together."""
        null, chosen, steps = self._nothing(), self._branches, self.settings.steps
        levels = [self.pipeline.level_of(one.ask.mix) for one in settled]
        if begin is None or len(set(levels)) == 1:
            return self.pipeline.denoise(
                clean, full, null, chosen, list(noise), steps, sizes=sizes, sketch=begin, level=levels[0]
            )
        made, order = [], sorted(range(len(levels)), key=levels.__getitem__)
        for level, some in groupby(order, levels.__getitem__):
            rows = list(some)
            own = to_device(torch.tensor(rows), self.pipeline.device)
            made.append(self.pipeline.denoise(
                clean.of(*rows), full.of(own), null, chosen, [noise[row] for row in rows], steps,
                sizes=None if sizes is None else sizes[own], sketch=begin[own], level=level,
            ))  # fmt: skip
        return torch.cat(made)[to_device(torch.tensor(order).argsort(), self.pipeline.device)]

    def _begin(
        self, clean: CleanLatent, asks: list[Ask], noise: Sequence[torch.Generator], drawn: Sequence[Sketch]
    ) -> tuple[CleanLatent | None, list[Direction]]:
        """What sampling begins with under the noise (None: nothing), and the direction that each sample is told."""
        known = self.pipeline.config.directions
        if self.draws:
            drawn = drawn or self.draw_each(clean, asks, noise)
        directions = [
            drawn[row].direction
            if self.pipeline.level_of(ask.mix)
            else settle_direction(known.get(ask.name, ()), ask.direction, noise[row])
            for row, ask in enumerate(asks)
        ]
        if not self.draws:
            return None, directions
        images = to_device(torch.cat([to_signed_tensor(one.image) for one in drawn]), self.pipeline.device)
        return self.pipeline.encode_sketches(images), directions

    def images(self, clean: CleanLatent, settled: Sequence[Settled], made: Generated) -> Stored:
        """Decoded, corrected where the settings say so, brought to the asked mu."""
        return Stored(self.bring(clean, settled, self.decode(clean, settled, made)))

    def decode(self, clean: CleanLatent, settled: Sequence[Settled], made: Generated) -> Float[Tensor, "b 3 h w"]:
        """Signed images as the model made them."""
        corrected = [self.corrects(one.ask.mix) for one in settled]
        return self.pipeline.decode_latents(made.latents, clean, corrected, made.sketch)

    def bring(
        self, clean: CleanLatent, settled: Sequence[Settled], images: Float[Tensor, "b 3 h w"]
    ) -> Float[Tensor, "b 3 h w"]:
        """Signed images, each brought to the asked mu: see `strength.meet_mu`."""
        most, mu = self.pipeline.config.strength_gain, [one.ask.mu for one in settled]
        brought = [
            meet_mu(clean.of(*rows).photo, images[rows.start : rows.stop], mu[rows.start : rows.stop], most)
            for rows in self.pipeline.in_calls(len(images))
        ]
        return torch.cat(brought)

    def corrects(self, mix: Mix) -> bool:
        """Whether the structure correction runs for a mix: any member of it is one that it was trained for."""
        if not self.settings.structure_correction or self.pipeline.structure is None:
            return False
        return any(kind in self.pipeline.config.structure_degradations for kind in mix)

    def used(self, ask: Ask) -> Settings:
        """The settings that its image is made with."""
        level = self.pipeline.level_of(ask.mix)
        if level not in self._passes:
            self._passes[level] = self.pipeline.passes(self.settings.steps, self._branches, level)
        return replace(self.settings, structure_correction=self.corrects(ask.mix), passes=self._passes[level])

    def _encode(self, photos: Sequence[U8Image]) -> CleanLatent:
        """In one call, or as remembered of the same photos."""
        pipeline = self.pipeline
        images = to_device(torch.cat([to_signed_tensor(photo) for photo in photos]), pipeline.device)

        def encoded() -> tuple[Tensor, ...]:
            clean = pipeline.encode_photos(images)
            return (clean.latent,) if clean.decoded is None else (clean.latent, clean.decoded)

        key = hashlib.sha1(b"".join(photo.tobytes() for photo in photos)).digest(), images.shape
        latent, *decoded = self._photos.get(key, encoded)
        padded = pad_to_multiple(images, pipeline.multiple)
        height, width = images.shape[-2:]
        return CleanLatent(padded, latent, height, width, decoded[0] if decoded else None, tuple(photos))

    def _text(self, prompt: str) -> tuple[Tensor, ...]:
        return self._texts.get(prompt, lambda: self.pipeline.encode_text([prompt]))

    def _nothing(self) -> Conditioning:
        if self._null is None:
            self._null = self.pipeline.encode_prompt([""], [float("nan")], [float("nan")])
        return self._null


def settle_direction(measured: Sequence[Sequence[float]], asked: Direction, generator: torch.Generator) -> Direction:
    """The asked one where it is known, or nothing is `measured`; else one of those.

    `measured` are (cos 2θ, sin 2θ) · coherence of training pairs of this mix: the prior, as a sample of it. The
    sample's own generator chooses, and is drawn from only where there is something to choose. People ask for one
    direction only (coherence 1), which no pair has: they get as strong a one as a tenth of the pairs.
    """
    if not measured:
        return asked
    if asked.known:
        strong = float(np.quantile(np.hypot(*np.transpose(measured)), STRONG)) if asked.coherence > 0.999 else 1.0
        return Direction(asked.cos * strong, asked.sin * strong)
    return Direction(*measured[int(torch.randint(len(measured), (), generator=generator, device=generator.device))])


class Recent:
    """The last results by key, as long as they fit into `KEPT` bytes."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Hashable, tuple[Tensor, ...]] = OrderedDict()
        self._bytes = 0

    def get(self, key: Hashable, make: Callable[[], tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
        if key not in self._kept:
            self._kept[key] = make()
            self._bytes += sum(tensor.nbytes for tensor in self._kept[key])
            while self._bytes > KEPT and len(self._kept) > 1:
                self._bytes -= sum(tensor.nbytes for tensor in self._kept.popitem(last=False)[1])
        self._kept.move_to_end(key)
        return self._kept[key]


# --- to and from stored images ---


def to_signed_tensor(image: U8Image) -> Float[Tensor, "1 3 h w"]:
    """u8 [h w 3] → signed [1 3 h w]."""
    return torch.from_numpy(u8_to_signed(image)).permute(2, 0, 1)[None]


def finite(images: Sequence[U8Image | None]) -> list[U8Image]:
    """For those who cannot go on without one. Raises `ValueError`."""
    if missing := sum(image is None for image in images):
        raise ValueError(f"the model gave numbers that are not finite in {missing} of {len(images)} images")
    return [image for image in images if image is not None]
