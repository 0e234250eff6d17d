"""What makes the images of a run: a network or the simulators, opened by the name that --model gives.

Whoever degrades photos does it through a `Driver`, and sees no difference. A mix that is asked for in parts is made one
part after the other, in the order of the light's path, each on the picture so far and measured against it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch

from gendeg.intensity.ask import Ask
from gendeg.intensity.measure import Intensity, measure_intensity
from gendeg.model.generate import Generator, Settings, choose_sampler, settings_of
from gendeg.model.physics import PHYSICS, Physics, physics_sha256
from gendeg.model.pipeline import GenDegPipeline
from gendeg.model.text import PromptWriter
from gendeg.model.weights import load_pipeline, model_sha256
from gendeg.primitives.images import U8Image

NOT_FINITE, UNREACHED = "not_finite", "unreached"


@dataclass(frozen=True)
class Degraded:
    """An image, and what each part of its mix measured against the picture that it was laid on (one part: none)."""

    image: U8Image
    parts: tuple[Intensity, ...] = ()


@dataclass(frozen=True)
class Unmade:
    """An image that there is not: why, as a short stable code, and in a line for people."""

    reason: str
    message: str


class Maker(Protocol):
    """One pass over photos of one size: one photo for each ask, or one for all; None and `Unmade`: no image."""

    settings: Settings

    def encode(self, photos: Sequence[U8Image]) -> Any: ...

    def degrade(
        self, clean: Any, asks: Sequence[Ask], noise: Sequence[torch.Generator]
    ) -> Sequence[U8Image | Unmade | None]: ...

    def used(self, ask: Ask) -> Settings: ...


class Driver:
    """A model that is ready to degrade. `sha256` is its hash, `write` writes prompts that it reads whole."""

    def __init__(self, maker: Maker, sha256: str, write: PromptWriter):
        self.maker, self.sha256, self.write = maker, sha256, write

    @property
    def settings(self) -> Settings:
        return self.maker.settings

    def degrade(
        self, photos: Sequence[U8Image], asks: Sequence[Ask], noise: Sequence[torch.Generator]
    ) -> list[Degraded | Unmade]:
        """Photos of one size, one for each ask or one for all; a sample is the same in any batch, but for rounding."""
        passes = [self._passes(ask) for ask in asks]
        every = list(photos) if len(photos) > 1 else list(photos) * len(asks)
        made: list[Degraded | Unmade] = [Degraded(photo) for photo in every]
        for turn in range(max(map(len, passes), default=0)):
            rows = [i for i, one in enumerate(made) if turn < len(passes[i]) and isinstance(one, Degraded)]
            before = [made[i].image for i in rows]  # type: ignore[union-attr]
            shared = turn == 0 and len(photos) == 1
            clean = self.maker.encode(photos if shared else before)
            images = self.maker.degrade(clean, [passes[i][turn] for i in rows], [noise[i] for i in rows])
            for i, photo, image in zip(rows, before, images, strict=True):
                made[i] = _after(made[i], photo, image, len(passes[i]))
        return made

    def used(self, ask: Ask) -> Settings:
        """The settings that its image is made with."""
        each = [self.maker.used(one) for one in self._passes(ask)]
        return replace(each[0], structure_correction=any(one.structure_correction for one in each))

    def in_steps(self, steps: int) -> "Driver":
        """The same in so many steps, where it has any."""
        if not isinstance(self.maker, Generator):
            return self
        return Driver(Generator(self.maker.pipeline, replace(self.settings, steps=steps)), self.sha256, self.write)

    def _passes(self, ask: Ask) -> list[Ask]:
        return [ask]


def _after(so_far: Degraded | Unmade, photo: U8Image, image: U8Image | Unmade | None, passes: int) -> Degraded | Unmade:
    if image is None:
        return Unmade(NOT_FINITE, "the model gave numbers that are not finite")
    if isinstance(image, Unmade):
        return image
    assert isinstance(so_far, Degraded)
    return Degraded(image, (*so_far.parts, measure_intensity(photo, image)) if passes > 1 else ())


def open_driver(
    model: str, device: str = "cpu", dtype: torch.dtype = torch.float32, sampler: str = "own", **chosen: Any
) -> Driver:
    """`bundled`, a folder, a hub id, or `physics`: no weights then, and nothing to choose.

    `chosen` as in `settings_of`. Raises `BadModel`, `HubUnreachable`, `BadOption`.
    """
    if model == PHYSICS:
        return Driver(Physics(), physics_sha256(), PromptWriter())
    pipeline = load_pipeline(model, device, dtype)
    choose_sampler(pipeline, sampler)
    return drive(pipeline, settings_of(pipeline, **chosen))


def drive(pipeline: GenDegPipeline, settings: Settings) -> Driver:
    """A loaded network."""
    return Driver(Generator(pipeline, settings), model_sha256(pipeline), PromptWriter(pipeline.reader))
