"""What restorers learn from and are measured on: pairs of manifests and of datasets that `gendeg build` made."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from gendeg.pairs.manifest import Pair, read_manifest
from gendeg.primitives.errors import MissingPath, NoPairs
from gendeg.primitives.images import U8Image, resize_short_side
from gendeg.primitives.rng import for_sample
from gendeg.shards.reader import GenDS, load_gends
from gendeg.training.examples import PlacedPair

MANIFEST = "manifest.jsonl"
SIMULATED = "simulated"
VIEW = re.compile(r"-v\d+\.png$")
"""How `gendeg pairs simulate` ends the names of the views of one photo."""


@runtime_checkable
class Example(Protocol):
    """One pair, wherever it lies."""

    @property
    def pair(self) -> Pair: ...

    @property
    def origin(self) -> str:
        """generated, existing or simulated."""
        ...

    @property
    def photo(self) -> str:
        """Names the clean photo: equal for pairs that are alike by their photo."""
        ...

    def read(self, short_side: int = 0) -> tuple[U8Image, U8Image]:
        """(clean, degraded). Raises `BadImage`."""
        ...


@dataclass(frozen=True)
class ListedPair(PlacedPair):
    """A line of a manifest."""

    @property
    def origin(self) -> str:
        return SIMULATED if self.pair.source == SIMULATED else "existing"

    @property
    def photo(self) -> str:
        """Simulated pairs are views of a photo, each in a file of its own: one photo all the same."""
        name = VIEW.sub("", self.pair.clean) if self.pair.source == SIMULATED else self.pair.clean
        return str(self.folder / name)


@dataclass(frozen=True)
class BuiltPair:
    """A sample of a dataset; its pair's paths are where the halves lie in the tar."""

    pair: Pair
    origin: str
    photo: str
    dataset: GenDS
    index: int

    def read(self, short_side: int = 0) -> tuple[U8Image, U8Image]:
        clean, degraded = self.dataset.read(self.index)
        if not short_side:
            return clean, degraded
        return resize_short_side(clean, short_side), resize_short_side(degraded, short_side)


def load_examples(places: Sequence[Path], split: str, seed: int = 0) -> list[Example]:
    """The pairs of one split of manifests (or folders with a manifest.jsonl) and datasets.

    Their order is drawn by the seed, so that the first n are a random part, and such parts lie within each other.
    Raises `MissingPath`, `NotADataset`, `BadManifest`, and `NoPairs` when no place has any of that split.
    """
    found = [example for place in places for example in _examples(place, split)]
    if not found:
        raise NoPairs(", ".join(map(str, places)), f"pairs of split {split}")
    return [found[i] for i in for_sample(seed, split, "examples").permutation(len(found))]


class Memory:
    """Decoded pairs, kept once they were read, as long as they fit into so many bytes. Safe to share by threads."""

    def __init__(self, room: int):
        self.room = room
        self._kept: dict[int, tuple[U8Image, U8Image]] = {}

    def read(self, number: int, example: Example) -> tuple[U8Image, U8Image]:
        both = self._kept.get(number)
        if both is None:
            both = example.read()
            self.room -= sum(image.nbytes for image in both)
            if self.room >= 0:
                self._kept[number] = both
        return both


@dataclass(frozen=True)
class KeptPair:
    """An example that is read once only, where there is room."""

    example: Example
    number: int
    memory: Memory

    @property
    def pair(self) -> Pair:
        return self.example.pair

    @property
    def origin(self) -> str:
        return self.example.origin

    @property
    def photo(self) -> str:
        return self.example.photo

    def read(self, short_side: int = 0) -> tuple[U8Image, U8Image]:
        return self.example.read(short_side) if short_side else self.memory.read(self.number, self.example)


def keep_in_memory(examples: Sequence[Example], megabytes: int) -> list[Example]:
    """The same examples; up to so many megabytes of their images stay in memory, 0.4 for a pair of 256 pixels."""
    memory = Memory(megabytes * 2**20)
    return [KeptPair(example, number, memory) for number, example in enumerate(examples)]


def held_out_examples(places: Sequence[Path], seed: int = 0) -> list[Example]:
    """The validation pairs, or the training pairs where no place holds any out."""
    try:
        return load_examples(places, "validation", seed)
    except NoPairs:
        return load_examples(places, "train", seed)


def in_turn(examples: Sequence[Example], count: int) -> list[Example]:
    """At most `count`, taking the degradations in turn, so that each is there however rare it is."""
    groups: dict[str, list[Example]] = {}
    for example in examples:
        groups.setdefault(example.pair.degradation, []).append(example)
    ranked = [(rank, kind, one) for kind in sorted(groups) for rank, one in enumerate(groups[kind])]
    return [one for _, _, one in sorted(ranked, key=lambda entry: entry[:2])[:count]]


def _examples(place: Path, split: str) -> list[Example]:
    if not place.exists():
        raise MissingPath(place)
    if place.is_dir() and (place / MANIFEST).is_file():
        place = place / MANIFEST
    if place.is_dir():
        return load_built(place, split)
    return [ListedPair(pair, place.parent) for pair in read_manifest(place) if pair.split == split]


def load_built(place: Path, split: str | None) -> list[Example]:
    """The pairs of a dataset; `split` None: of all splits. Raises `NotADataset`."""
    dataset = load_gends(place, split=split)
    columns = ["degradation", "source", "split", "caption", "mu", "sigma", "width", "height", "origin"]
    rows = dataset.rows.select([*columns, "clean_sha256", "clean_at", "degraded_at", "shard"]).to_pylist()
    return [
        BuiltPair(
            Pair(
                clean=f"{row['shard']}@{row['clean_at']}",
                degraded=f"{row['shard']}@{row['degraded_at']}",
                **{name: row[name] for name in columns[:-1]},
            ),
            row["origin"],
            row["clean_sha256"],
            dataset,
            index,
        )
        for index, row in enumerate(rows)
    ]
