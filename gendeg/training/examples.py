"""Pairs → training batches: a stateless stream, so that any step of a run can be made again by its number alone."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8

from gendeg.pairs.pair import Halves, Pair
from gendeg.primitives.errors import BadOption
from gendeg.primitives.images import U8Image, resize_short_side, u8_to_signed
from gendeg.primitives.rng import for_sample

if TYPE_CHECKING:
    import torch  # processes that simulate need none of it, and start in a third of the time without

Crop = UInt8[np.ndarray, "size size 3"]


def shuffled(count: int, number: int, seed: int) -> int:
    """Index of the `number`-th example of an endless stream that deals `count` items out, reshuffled every epoch."""
    epoch, place = divmod(number, count)
    return int(_order(count, epoch, seed)[place])


@lru_cache(maxsize=8)  # an epoch is dealt in sequence: old orders are not asked for again; safe to share by threads
def _order(count: int, epoch: int, seed: int) -> np.ndarray:
    return for_sample(seed, epoch, "order").permutation(count)


def parse_weights(text: str) -> dict[str, float]:
    """ "rain=2,haze=0.5" → name and weight. Raises `BadOption` for a weight that is not a number above 0."""
    found = {}
    for part in filter(None, text.split(",")):
        name, _, number = part.strip().partition("=")
        try:
            weight = float(number)
        except ValueError:
            weight = 0.0
        if not 0 < weight < float("inf"):
            raise BadOption("--weights", f"'{part}': write name=number with a number above 0, such as rain=2")
        found[name] = weight
    return found


def has_pairs(pairs: Sequence[Pair], name: str) -> bool:
    """Whether a name is the degradation or the source of a pair."""
    return any(name in (pair.degradation, pair.source) for pair in pairs)


class Deal:
    """Which pair the `number`-th example of the stream is: each once an epoch, or drawn by weights."""

    def __init__(self, pairs: Sequence[Pair], seed: int, weights: Mapping[str, float] = {}):
        """`weights`: how often a pair of that degradation or source is drawn; others count 1.

        Raises `BadOption` for a name that no pair has.
        """
        self._count, self._seed, self._bounds = len(pairs), seed, None
        if weights:
            drawn = np.cumsum(_pair_weights(pairs, weights))
            self._bounds = drawn / drawn[-1]

    def __call__(self, number: int) -> int:
        if self._bounds is None:
            return shuffled(self._count, number, self._seed)
        return int(np.searchsorted(self._bounds, for_sample(self._seed, number, "pair").uniform(), side="right"))


def _pair_weights(pairs: Sequence[Pair], weights: Mapping[str, float]) -> np.ndarray:
    found = np.ones(len(pairs))
    for name, weight in weights.items():
        if not has_pairs(pairs, name):
            raise BadOption("--weights", f"no pair has the degradation or source '{name}'")
        found[[name in (pair.degradation, pair.source) for pair in pairs]] *= weight
    return found


class Memory:
    """Decoded pairs, kept once they were read, as long as they fit into so many bytes. Safe to share by threads."""

    def __init__(self, pairs: Sequence[Pair], room: int):
        self.pairs, self.room = pairs, room
        self._kept: dict[int, Halves] = {}

    def read(self, index: int) -> Halves:
        """(clean, degraded) of a pair. Raises `BadImage`."""
        both = self._kept.get(index)
        if both is None:
            both = self.pairs[index].read()
            self.room -= sum(image.nbytes for image in both)
            if self.room >= 0:
                self._kept[index] = both
        return both


def example_numbers(step: int, batch_size: int, rank: int, world: int) -> list[int]:
    """The stream's numbers that one rank works on at one (micro) step; together the ranks take a run of them."""
    first = step * batch_size * world
    return [first + i * world + rank for i in range(batch_size)]


def crop_pair(
    clean: U8Image, degraded: U8Image, size: int, generator: np.random.Generator, flips: bool = True
) -> tuple[Crop, Crop]:
    """One random square of both, mirrored half of the time; images smaller than the square are enlarged first.

    Raises `ValueError` when the two differ in size.
    """
    if clean.shape != degraded.shape:
        raise ValueError(f"clean is {clean.shape} and degraded is {degraded.shape}: a pair has one size")
    if min(clean.shape[:2]) < size:
        clean, degraded = resize_short_side(clean, size), resize_short_side(degraded, size)
    height, width = clean.shape[:2]
    top, left = int(generator.integers(height - size + 1)), int(generator.integers(width - size + 1))
    step = -1 if flips and generator.uniform() < 0.5 else 1
    window = slice(top, top + size), slice(left, left + size)
    return clean[window][:, ::step], degraded[window][:, ::step]


def to_tensor(images: Sequence[U8Image]) -> "torch.Tensor":
    """u8 images of one size → a signed batch b 3 h w, channels last in memory (what convolutions on a CPU like)."""
    import torch

    batch = torch.from_numpy(np.stack([u8_to_signed(image) for image in images]))
    return batch.permute(0, 3, 1, 2)
