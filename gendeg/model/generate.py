"""Photos and what is asked of them → degraded images: the one driver of a pipeline, whoever samples."""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from gendeg.intensity.ask import Ask
from gendeg.intensity.direction import Direction
from gendeg.intensity.measure import Intensity
from gendeg.model.change import change_sizes
from gendeg.model.conditioner import Conditioning
from gendeg.model.latents import CleanLatent
from gendeg.model.moves import Stored, to_device
from gendeg.model.pipeline import GenDegPipeline
from gendeg.model.response import told_statistics
from gendeg.model.settings import Settings, branches_of, unlike_built_in
from gendeg.model.sketch import Sketch, draw_sketch, no_sketch
from gendeg.model.strength import evenness_of, meet_mu, spread
from gendeg.model.tiles import pad_to_multiple
from gendeg.primitives.images import U8Image, u8_to_signed
from gendeg.primitives.kinds import Mix
from gendeg.primitives.rng import torch_generator

STRONG = 0.9
"""Quantile of the coherences of a mix that an asked direction gets."""
KEPT = 256 << 20
"""Bytes of latents, decoded photos and encoded prompts that are remembered: at 512 pixels 64 KB to 3.5 MB a photo."""


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
        """Whether any samples begin with a simulator's draw, which can be made before the model comes to it."""
        return bool(self.pipeline.config.sketch)

    def begins_drawn(self, ask: Ask) -> bool:
        """Whether this one does, and not with noise alone."""
        return bool(self.pipeline.level_of(ask.mix))

    draw = staticmethod(draw_sketch)

    def drawer(self, ask: Ask) -> Callable[[U8Image, Ask, int], Sketch]:
        """Makes what a sample begins with, of its generator's seed; any thread or process may call it."""
        return self.draw if self.begins_drawn(ask) else no_sketch

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
            under = begin if levels[0] else None
            return self.pipeline.denoise(
                clean, full, null, chosen, list(noise), steps, sizes=sizes, sketch=under, level=levels[0]
            )
        made, order = [], sorted(range(len(levels)), key=levels.__getitem__)
        for level, some in groupby(order, levels.__getitem__):
            rows = list(some)
            own = to_device(torch.tensor(rows), self.pipeline.device)
            made.append(self.pipeline.denoise(
                clean.of(*rows), full.of(own), null, chosen, [noise[row] for row in rows], steps,
                sizes=None if sizes is None else sizes[own], sketch=begin[own] if level else None, level=level,
            ))  # fmt: skip
        return torch.cat(made)[to_device(torch.tensor(order).argsort(), self.pipeline.device)]

    def _begin(
        self, clean: CleanLatent, asks: list[Ask], noise: Sequence[torch.Generator], drawn: Sequence[Sketch]
    ) -> tuple[CleanLatent | None, list[Direction]]:
        """What sampling begins with under the noise (None: nothing), and the direction that each sample is told."""
        known = self.pipeline.config.directions
        if self.draws:
            drawn = drawn or self.draw_each(clean, asks, noise)
        under = [row for row, ask in enumerate(asks) if self.begins_drawn(ask)]
        directions = [
            drawn[row].direction
            if row in under
            else settle_direction(known.get(ask.name, ()), ask.direction, noise[row])
            for row, ask in enumerate(asks)
        ]
        return self._sketches(clean, drawn, under) if self.draws else None, directions

    def _sketches(self, clean: CleanLatent, drawn: Sequence[Sketch], under: list[int]) -> CleanLatent:
        """What each sample's detail is taken from: the draw of those that begin `under` noise, the others' photo."""
        alone = [row for row in range(len(drawn)) if row not in under]
        photos = self.pipeline.with_detail(clean.of(*alone)) if alone else clean
        if not under:
            return photos
        images = to_device(torch.cat([to_signed_tensor(drawn[row].image) for row in under]), self.pipeline.device)
        draws = self.pipeline.encode_sketches(images)
        if not alone:
            return draws
        each = {row: draws.of(place) for place, row in enumerate(under)}
        each |= {row: photos.of(place) for place, row in enumerate(alone)}
        return CleanLatent.batch([each[row] for row in range(len(drawn))])

    def images(self, clean: CleanLatent, settled: Sequence[Settled], made: Generated) -> Stored:
        """Decoded, corrected where the settings say so, brought to what is asked."""
        return Stored(self.bring(clean, settled, self.decode(clean, settled, made)))

    def decode(self, clean: CleanLatent, settled: Sequence[Settled], made: Generated) -> Float[Tensor, "b 3 h w"]:
        """Signed images as the model made them."""
        corrected = [self.corrects(one.ask.mix) for one in settled]
        names = [one.ask.name for one in settled]
        return self.pipeline.decode_latents(made.latents, clean, corrected, made.sketch, names)

    def bring(
        self, clean: CleanLatent, settled: Sequence[Settled], images: Float[Tensor, "b 3 h w"]
    ) -> Float[Tensor, "b 3 h w"]:
        """Signed images, each brought to the asked mu and, where the model may, sigma: see `strength`."""
        config, brought = self.pipeline.config, []
        for rows in self.pipeline.in_calls(len(images)):
            photo, made = clean.of(*rows).photo, images[rows.start : rows.stop]
            asks = [settled[row].ask for row in rows]
            powers = [evenness_of(config.evenness, ask.mix) for ask in asks]
            asked = [Intensity(ask.mu, ask.sigma) for ask in asks]
            laid = spread(photo, made, asked, powers, config.strength_gain)
            brought.append(meet_mu(photo, laid, [one.mu for one in asked], config.strength_gain, made))
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
