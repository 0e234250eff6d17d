"""Pairs → training batches: a stateless stream, so that any step of a run can be made again by its number alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8

from gendeg.pairs.manifest import Pair, read_manifest
from gendeg.primitives.errors import BadOption, NoPairs
from gendeg.primitives.images import U8Image, read_rgb, resize_short_side, u8_to_signed
from gendeg.primitives.rng import for_sample

if TYPE_CHECKING:
    import torch  # processes that simulate need none of it, and start in a third of the time without

Crop = UInt8[np.ndarray, "size size 3"]


@runtime_checkable
class Paired(Protocol):
    """What is drawn by its degradation or source, wherever its images lie."""

    @property
    def pair(self) -> Pair: ...


@dataclass(frozen=True)
class PlacedPair:
    """A pair and the folder its paths are relative to."""

    pair: Pair
    folder: Path

    def read(self, short_side: int = 0) -> tuple[U8Image, U8Image]:
        """(clean, degraded), brought to that short side in pixels, if any. Raises `BadImage`."""
        both = read_rgb(self.folder / self.pair.clean), read_rgb(self.folder / self.pair.degraded)
        return (resize_short_side(both[0], short_side), resize_short_side(both[1], short_side)) if short_side else both


def load_pairs(manifests: Sequence[Path], split: str) -> list[PlacedPair]:
    """The pairs of one split of several manifests, in order. Raises `NoPairs` when there are none."""
    every = [PlacedPair(pair, path.parent) for path in manifests for pair in read_manifest(path)]
    placed = [one for one in every if one.pair.split == split]
    if not placed:
        raise NoPairs(manifests[0], f"pairs of split {split}")
    return placed


def held_out_pairs(manifests: Sequence[Path]) -> list[PlacedPair]:
    """The validation pairs that sheets are made of, or the training pairs where a manifest holds none out."""
    try:
        return load_pairs(manifests, "validation")
    except NoPairs:
        return load_pairs(manifests, "train")


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


def has_pairs(pairs: Sequence[Paired], name: str) -> bool:
    """Whether a name is the degradation or the source of a pair."""
    return any(name in (placed.pair.degradation, placed.pair.source) for placed in pairs)


class Deal:
    """Which pair the `number`-th example of the stream is: each once an epoch, or drawn by weights."""

    def __init__(self, pairs: Sequence[Paired], seed: int, weights: Mapping[str, float] = {}):
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


def _pair_weights(pairs: Sequence[Paired], weights: Mapping[str, float]) -> np.ndarray:
    found = np.ones(len(pairs))
    for name, weight in weights.items():
        if not has_pairs(pairs, name):
            raise BadOption("--weights", f"no pair has the degradation or source '{name}'")
        found[[name in (placed.pair.degradation, placed.pair.source) for placed in pairs]] *= weight
    return found


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
