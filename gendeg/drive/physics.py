"""`--model physics`: the six simulators in the place of a network, brought to the asked mu and sigma.

There are no weights and no network. Torch is only what seeds come in (`noise_of`), as for every other model.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from gendeg.intensity.ask import Ask
from gendeg.intensity.reach import Shot, is_near, nearest
from gendeg.model.settings import Settings
from gendeg.primitives.images import U8Image
from gendeg.primitives.options import PHYSICS

UNREACHED = "unreached"
"""Why there is no image: no strength of the simulator that draws it gives so much, or so little, on this photo."""


@dataclass(frozen=True)
class Unmade:
    """An image that there is not: why, as a short stable code, and in a line for people."""

    reason: str
    message: str


class Physics:
    """The simulators as a model: see `Driver`."""

    settings = Settings(
        steps=0, guidance_text=0.0, guidance_image=0.0, structure_correction=False, sampler=PHYSICS, passes=0
    )

    def encode(self, photos: Sequence[U8Image]) -> list[U8Image]:
        """Photos as they are."""
        return list(photos)

    def degrade(
        self,
        clean: Sequence[U8Image],
        asks: Sequence[Ask],
        noise: Sequence[torch.Generator],
        drawn: Sequence[Shot] = (),
    ) -> list[U8Image | Unmade]:
        """Of the photo with its number, or of the only one. What is `drawn` already is not drawn again."""
        photos = clean if len(clean) > 1 else list(clean) * len(asks)
        seeds = map(torch.Generator.initial_seed, noise)
        drawn = drawn or [self.draw(*each) for each in zip(photos, asks, seeds, strict=True)]
        return list(map(_made, asks, drawn))

    draws = True
    draw = staticmethod(nearest)

    def drawer(self, ask: Ask) -> Callable[[U8Image, Ask, int], Shot]:
        """Makes one image, of its generator's seed; any thread or process may call it."""
        return self.draw

    def used(self, ask: Ask) -> Settings:
        return self.settings


def _made(ask: Ask, shot: Shot) -> U8Image | Unmade:
    return unreached(ask, shot.measured.mu) or shot.image


def unreached(ask: Ask, mu: float) -> Unmade | None:
    """Why there is no image where `mu`, the nearest that this photo can have, is too far from the asked one."""
    if is_near(mu, ask.mu):
        return None
    so_far = f"{mu:.3f} is the {'most' if mu < ask.mu else 'least'}"
    return Unmade(UNREACHED, f"{ask.name} of mu {ask.mu:.3f} cannot be had on this photo: {so_far}")
