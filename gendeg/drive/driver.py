"""What makes the images of a run: a network or the simulators, opened by the name that --model gives.

Whoever degrades photos does it through a `Driver`, and sees no difference. A mix that is asked for in parts is made one
part after the other, in the order of the light's path, each on the picture so far and measured against it.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch

from gendeg.drive.physics import Physics, Unmade, unreached
from gendeg.intensity.ask import Ask
from gendeg.intensity.direction import UNKNOWN
from gendeg.intensity.measure import Intensity, measure_intensity
from gendeg.intensity.reach import is_near, physics_sha256
from gendeg.model.generate import Generator
from gendeg.model.pipeline import GenDegPipeline
from gendeg.model.settings import Settings, choose_sampler, refuse_direction, settings_of
from gendeg.model.strength import in_reach
from gendeg.model.text import PromptWriter
from gendeg.model.weights import load_pipeline, model_sha256
from gendeg.primitives.images import U8Image
from gendeg.primitives.kinds import Degradation, has_direction
from gendeg.primitives.options import PHYSICS, refuse_choices


@dataclass(frozen=True)
class Degraded:
    """An image, and what each part of its mix measured against the picture that it was laid on (one part: none)."""

    image: U8Image
    parts: tuple[Intensity, ...] = ()


NOT_FINITE = "not_finite"
UNFINISHED = Unmade(NOT_FINITE, "the model gave numbers that are not finite")
Maker = Generator | Physics
"""One pass over photos of one size: one photo for each ask, or one for all; None and `Unmade`: no image."""


class Driver:
    """A model that is ready to degrade. `sha256` is its hash, `write` writes prompts that it reads whole.

    A network that begins with draws comes no farther than they. Where one falls short of the asked mu, by more than
    scaling makes up for and by more than `tolerance`, there is no image; of darkness, where it falls short by 2 %.
    """

    def __init__(self, maker: Maker, sha256: str, write: PromptWriter, tolerance: float = 0.0):
        self.maker, self.sha256, self.write, self.tolerance = maker, sha256, write, tolerance

    @property
    def network(self) -> Generator | None:
        """What only a network has: latents, a calibration, compiled parts."""
        return self.maker if isinstance(self.maker, Generator) else None

    @property
    def settings(self) -> Settings:
        return self.maker.settings

    def ahead(
        self, photos: Sequence[U8Image], asks: Sequence[Ask], noise: Sequence[torch.Generator]
    ) -> list[Callable[[], object]]:
        """The simulators' share of a batch, a call for each sample, for others to do before the model comes to it.

        None where they have no share, or a mix is made in parts, of which a later one has to wait for the one before.
        Photos, one for each ask.
        """
        if not self.maker.draws or any(ask.parts for ask in asks):
            return []
        seeds = map(torch.Generator.initial_seed, noise)
        each = zip(photos, asks, seeds, strict=True)
        return [partial(self.maker.drawer(ask), photo, ask, seed) for photo, ask, seed in each]

    def draws(self, ask: Ask) -> bool:
        """Whether simulators have a share in its image."""
        return self.maker.draws and (self.network is None or self.network.begins_drawn(ask))

    @property
    def draws_alone(self) -> bool:
        """Whether simulators draw, and all cores are theirs: a network on a GPU needs one, to say what comes next."""
        return self.maker.draws and (self.network is None or self.network.pipeline.together)

    def degrade(
        self,
        photos: Sequence[U8Image],
        asks: Sequence[Ask],
        noise: Sequence[torch.Generator],
        drawn: Sequence[object] = (),
    ) -> Sequence[Degraded | Unmade]:
        """Photos of one size, one for each ask or one for all; a sample is the same in any batch, but for rounding.

        `drawn` is what the calls of `ahead` gave. What is made in one pass may still be on its way when this returns:
        who takes one waits for it.
        """
        passes = [self.passes(ask) for ask in asks]
        if all(len(each) == 1 for each in passes):
            return self._pass(photos, asks, noise, drawn)
        every = list(photos) if len(photos) > 1 else list(photos) * len(asks)
        made: list[Degraded | Unmade] = [Degraded(photo) for photo in every]
        for turn in range(max(map(len, passes))):
            rows = [i for i, one in enumerate(made) if turn < len(passes[i]) and isinstance(one, Degraded)]
            if not rows:
                break
            before = [made[i].image for i in rows]  # type: ignore[union-attr]
            images = self._pass(before, [passes[i][turn] for i in rows], [noise[i] for i in rows])
            for i, photo, image in zip(rows, before, images, strict=True):
                made[i] = _after(made[i], photo, image) if len(passes[i]) > 1 else image
        return made

    def _pass(
        self,
        photos: Sequence[U8Image],
        asks: Sequence[Ask],
        noise: Sequence[torch.Generator],
        drawn: Sequence[object] = (),
    ) -> Sequence[Degraded | Unmade]:
        maker: Any = self.maker  # what it encodes to and draws, only it knows
        clean = maker.encode(photos)
        missed: list[Unmade | None] = [None] * len(asks)
        if self.network is not None and self.network.draws:
            drawn = drawn or self.network.draw_each(clean, asks, noise)
            missed = [self._missed(*each) for each in zip(asks, drawn, strict=True)]
        return Coming(maker.degrade(clean, asks, noise, drawn), missed)

    def _missed(self, ask: Ask, drawn: Any) -> Unmade | None:
        assert self.network is not None
        if math.isnan(ask.mu):
            return None
        if Degradation.LOW_LIGHT in ask.mix and drawn.mu < ask.mu:
            return unreached(ask, drawn.mu)  # what is much darker than the darkest draw is black
        most = in_reach(drawn.mu, ask.mu, self.network.pipeline.config.strength_gain)
        met = abs(most - ask.mu) <= self.tolerance or is_near(most, ask.mu)
        return None if met else unreached(ask, drawn.mu)

    def used(self, ask: Ask) -> Settings:
        """The settings that its image is made with."""
        each = [self.maker.used(one) for one in self.passes(ask)]
        corrected = any(one.structure_correction for one in each)
        return replace(each[0], structure_correction=corrected, passes=sum(one.passes for one in each))

    def in_steps(self, steps: int) -> "Driver":
        """The same in so many steps, where it has any."""
        if self.network is None:
            return self
        fewer = Generator(self.network.pipeline, replace(self.settings, steps=steps))
        return Driver(fewer, self.sha256, self.write, self.tolerance)

    def passes(self, ask: Ask) -> list[Ask]:
        """Each pass as an ask of its own, with a prompt that the model reads whole."""
        if not ask.parts:
            return [ask]
        return [
            replace(
                ask, mix=part.mix, prompt=self.write(ask.caption, part.mix), intensity=part.intensity, mu=part.mu,
                sigma=part.sigma, direction=ask.direction if has_direction(part.mix) else UNKNOWN, parts=(),
            )
            for part in ask.parts
        ]  # fmt: skip


class Coming(Sequence[Degraded | Unmade]):
    """The images of one pass, or why there is none (`missed`), looked at when they are taken."""

    def __init__(self, images: Sequence[U8Image | Unmade | None], missed: Sequence[Unmade | None]):
        self._images, self._missed = images, missed

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, number: Any) -> Any:
        found = self._missed[number] or self._images[number]
        if found is None:
            return UNFINISHED
        return found if isinstance(found, Unmade) else Degraded(found)


def _after(so_far: Degraded | Unmade, photo: U8Image, made: Degraded | Unmade) -> Degraded | Unmade:
    if isinstance(made, Unmade) or isinstance(so_far, Unmade):
        return made
    return Degraded(made.image, (*so_far.parts, measure_intensity(photo, made.image)))


def open_driver(
    model: str,
    device: str = "cpu",
    dtype: torch.dtype = torch.float32,
    sampler: str = "own",
    directed: bool = False,
    tolerance: float = 0.0,
    **chosen: Any,
) -> Driver:
    """`bundled`, a folder, a hub id, or `physics`: no weights then, and nothing to choose.

    `directed`: directions will be asked for; `tolerance` as `Driver` has it, `chosen` as in `settings_of`.
    Raises `BadModel`, `HubUnreachable`, `BadOption`.
    """
    if model == PHYSICS:
        refuse_choices(sampler, **chosen)
        return Driver(Physics(), physics_sha256(), PromptWriter())
    chosen.pop("compile", None)  # that is done when photos' sizes are known
    pipeline = load_pipeline(model, device, dtype)
    if dtype is torch.bfloat16:  # its 8 bits would cost half a grey level
        for part in (pipeline.vae, pipeline.structure):
            if part is not None:
                part.float()
    choose_sampler(pipeline, sampler)
    if directed:
        refuse_direction(pipeline)
    return drive(pipeline, settings_of(pipeline, sampler=sampler, **chosen), tolerance)


def drive(pipeline: GenDegPipeline, settings: Settings, tolerance: float = 0.0) -> Driver:
    """A loaded network."""
    return Driver(Generator(pipeline, settings), model_sha256(pipeline), PromptWriter(pipeline.reader), tolerance)
