"""Noisy pairs of a study: the clean halves of pairs, with noise that is drawn by name, made when they are read."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

from gendeg.pairs.pair import SIMULATED, Halves, Pair
from gendeg.physics.noise import NOISES
from gendeg.primitives.errors import BadOption
from gendeg.primitives.images import resize_short_side, u8_to_unit, unit_to_u8
from gendeg.primitives.rng import for_sample

NOISE = "noise"


@dataclass(frozen=True, slots=True)
class NoisyPair(Pair):
    """A pair whose degraded half is its clean half with noise; always the same noise."""

    noise: str = ""
    amount: float = 0.0
    seed: int = 0

    def read(self, short_side: int = 0) -> Halves:
        clean = self.clean.image()
        generator = for_sample(self.seed, self.degraded.path, NOISE)
        noisy = unit_to_u8(NOISES[self.noise](u8_to_unit(clean), self.amount, generator))
        if not short_side:
            return clean, noisy
        return resize_short_side(clean, short_side), resize_short_side(noisy, short_side)


def with_noise(pairs: Sequence[Pair], noise: str, seed: int) -> list[Pair]:
    """Every pair with noise as `"gaussian=0.1"` says. Raises `BadOption` for another kind or amount."""
    kind, _, text = noise.partition("=")
    try:
        amount = float(text)
    except ValueError:
        amount = -1.0
    if kind not in NOISES or not 0 <= amount <= 1:
        raise BadOption("noise", f"'{noise}' is not one of {', '.join(NOISES)} with an amount up to 1: gaussian=0.1")
    return [_noisy(pair, kind, amount, seed) for pair in pairs]


def _noisy(pair: Pair, kind: str, amount: float, seed: int) -> NoisyPair:
    told = f"{kind}={amount:g}"
    known = {field.name: getattr(pair, field.name) for field in fields(Pair)}
    degraded = replace(pair.clean, path=f"{pair.clean.place}#{told}", at=-1)
    changed = {"degraded": degraded, "degradation": NOISE, "source": told, "origin": SIMULATED}
    return NoisyPair(**known | changed, noise=kind, amount=amount, seed=seed)
