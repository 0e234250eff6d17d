"""Noisy examples of a study: the clean halves of pairs, with noise that is drawn by name, made when they are read."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gendeg.jobs.restore_data import Example
from gendeg.pairs.manifest import Pair
from gendeg.physics.noise import NOISES
from gendeg.primitives.errors import BadOption
from gendeg.primitives.images import U8Image, resize_short_side, u8_to_unit, unit_to_u8
from gendeg.primitives.rng import for_sample

NOISE = "noise"


@dataclass(frozen=True)
class NoisyExample:
    """A pair whose degraded half is its clean half with noise; always the same noise."""

    inner: Example
    kind: str
    amount: float
    seed: int

    @property
    def pair(self) -> Pair:
        told = f"{self.inner.pair.clean}#{self.kind}={self.amount:g}"
        return replace(self.inner.pair, degradation=NOISE, source=f"{self.kind}={self.amount:g}", degraded=told)

    @property
    def origin(self) -> str:
        return "simulated"

    @property
    def photo(self) -> str:
        return self.inner.photo

    def read(self, short_side: int = 0) -> tuple[U8Image, U8Image]:
        clean, _ = self.inner.read()
        generator = for_sample(self.seed, self.pair.degraded, NOISE)
        noisy = unit_to_u8(NOISES[self.kind](u8_to_unit(clean), self.amount, generator))
        if not short_side:
            return clean, noisy
        return resize_short_side(clean, short_side), resize_short_side(noisy, short_side)


def with_noise(examples: Sequence[Example], noise: str, seed: int) -> list[Example]:
    """Every example with noise as `"gaussian=0.1"` says. Raises `BadOption` for another kind or amount."""
    kind, _, text = noise.partition("=")
    try:
        amount = float(text)
    except ValueError:
        amount = -1.0
    if kind not in NOISES or not 0 <= amount <= 1:
        raise BadOption("noise", f"'{noise}' is not one of {', '.join(NOISES)} with an amount up to 1: gaussian=0.1")
    return [NoisyExample(example, kind, amount, seed) for example in examples]
