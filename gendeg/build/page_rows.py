"""What a report reads of a dataset: all numbers of its finished shards, and the pictures of a few samples."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from jaxtyping import Float, Int

from gendeg.primitives.errors import BadImage, DamagedDataset
from gendeg.primitives.images import U8Image, read_rgb
from gendeg.primitives.kinds import EVERY, mix_name
from gendeg.report.html import Picture, make_picture
from gendeg.shards.description import Description, done_marks, read_description
from gendeg.shards.index import Entry, Mark, read_entries, read_index_table, read_member
from gendeg.shards.layout import Layout, ShardName
from gendeg.shards.plan import PlannedShard
from gendeg.shards.writer import Member

WORDS = ("degradation", "origin", "split", "source")
NUMBERS = ("intensity", "mu_requested", "sigma_requested", "mu", "sigma", "attempt")


@dataclass(frozen=True)
class Rows:
    """The columns of all stored samples, in the plan's order. About a hundred bytes a sample."""

    words: Mapping[str, np.ndarray]  # of WORDS: text
    numbers: Mapping[str, Float[np.ndarray, " n"]]  # of NUMBERS
    shard: Int[np.ndarray, " n"]  # number of the planned shard
    row: Int[np.ndarray, " n"]  # within it

    def __len__(self) -> int:
        return len(self.shard)

    def where(self, **words: str) -> Int[np.ndarray, " k"]:
        """Numbers of the samples whose words are these: `where(degradation="haze", origin="generated")`."""
        here = np.ones(len(self), bool)
        for name, word in words.items():
            here &= self.words[name] == word
        return np.flatnonzero(here)

    def those(self, here: Int[np.ndarray, " k"], name: str) -> Float[np.ndarray, " k"]:
        return self.numbers[name][here]

    @property
    def kinds(self) -> list[str]:
        """Degradations that there are, in the order of `EVERY`."""
        there = set(np.unique(self.words["degradation"]).tolist()) if len(self) else set()
        return [mix_name(mix) for mix in EVERY if mix_name(mix) in there]


def read_rows(layout: Layout, done: Sequence[tuple[PlannedShard, Mark]]) -> Rows:
    """From the indexes of the finished shards: no image is opened. Raises `DamagedDataset`."""
    tables = [read_index_table(layout.index(shard.name), [*WORDS[:2], *WORDS[3:], *NUMBERS]) for shard, _ in done]
    columns = pa.concat_tables(tables) if tables else pa.table({name: [] for name in (*WORDS, *NUMBERS)})
    counts = [len(table) for table in tables]
    words = {name: _text(columns[name]) for name in WORDS if name != "split"}
    words["split"] = np.repeat(np.array([shard.name.split for shard, _ in done], object), counts)
    numbers = {name: columns[name].to_numpy().astype(np.float64) for name in NUMBERS}
    shards = np.repeat(np.array([shard.index for shard, _ in done], np.int64), counts)
    rows = np.concatenate([np.arange(0), *(np.arange(count) for count in counts)])
    return Rows(words, numbers, shards, rows)


def _text(column: pa.ChunkedArray) -> np.ndarray:
    """Each different word once in memory."""
    coded = column.cast(pa.string()).combine_chunks().dictionary_encode()
    return np.array([*coded.dictionary.to_pylist(), ""], object)[coded.indices.to_numpy()]


@dataclass(frozen=True)
class Dataset:
    """A dataset as far as it stands."""

    layout: Layout
    description: Description
    done: Sequence[tuple[PlannedShard, Mark]]
    rows: Rows

    @property
    def reasons(self) -> Counter[tuple[str, str]]:
        """(reason, degradation) → failed samples."""
        return Counter((one.failed, one.degradation) for _, mark in self.done for one in mark.failed)


def read_dataset(folder: Path) -> Dataset:
    """Raises `NotADataset`, `DamagedDataset`."""
    layout = Layout(folder)
    description = read_description(layout)
    done = list(done_marks(layout, description))
    return Dataset(layout, description, done, read_rows(layout, done))


def evenly_ranked(values: Float[np.ndarray, " n"], count: int) -> Int[np.ndarray, " k"]:
    """Positions of at most `count` values at evenly spaced ranks, the least and the greatest among them."""
    order = np.argsort(values, kind="stable")
    return order[np.unique(np.linspace(0, len(values) - 1, min(count, len(values))).round().astype(np.int64))]


# --- pictures ---


@dataclass(frozen=True)
class Shown:
    """A stored sample with its pictures, scaled down; None where its bytes are no image any more."""

    entry: Entry
    shard: str
    clean: Picture | None
    degraded: Picture | None


def read_shown(
    layout: Layout, description: Description, rows: Rows, chosen: Int[np.ndarray, " k"], longest: int
) -> Iterator[Shown]:
    """In the order of `chosen`; one image is in memory at a time."""
    for number in chosen.tolist():
        name = description.planned_shards[int(rows.shard[number])].name
        (entry,) = read_entries(layout, name, [int(rows.row[number])])
        clean, degraded = (picture_of(member_bytes(layout, name, member), longest) for member in entry.members[:2])
        yield Shown(entry, f"{name}.tar", clean, degraded)


def member_bytes(layout: Layout, name: ShardName, member: Member) -> bytes:
    try:
        return read_member(layout.shard(name), member)
    except OSError as error:
        raise DamagedDataset(layout.shard(name), error.strerror or str(error)) from error


def picture_of(data: bytes, longest: int) -> Picture | None:
    try:
        image: U8Image = read_rgb(data)
    except BadImage:
        return None
    return make_picture(image, longest)
