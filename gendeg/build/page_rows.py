"""What a report reads of a dataset: all numbers of its finished shards, and the pictures of a few samples."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float, Int

from gendeg.primitives.errors import BadImage, DamagedDataset
from gendeg.primitives.images import U8Image, read_rgb
from gendeg.primitives.kinds import EVERY, mix_name
from gendeg.report.html import Picture, make_picture
from gendeg.shards.description import Description, done_marks, read_description
from gendeg.shards.index import INDEX_SCHEMA, Entry, Mark, read_entries, read_index_table, read_member
from gendeg.shards.layout import Layout, ShardName
from gendeg.shards.plan import PlannedShard
from gendeg.shards.writer import Member

WORDS = ("degradation", "origin", "split", "source")
STATISTICS = ("mu_requested", "sigma_requested", "mu", "sigma")
NUMBERS = ("intensity", *STATISTICS, "attempt")
COLUMNS = [*(word for word in WORDS if word != "split"), *NUMBERS, "parts"]


@dataclass(frozen=True)
class Passes:
    """What was asked of every pass of the generated samples, and what it made: one a sample, or of a mix one a part.

    Of a mix in parts nothing was asked as a whole, so its records' requested statistics are the measured ones.
    """

    name: np.ndarray  # text: "rain", "rain+haze: rain" of a part
    sample: Int[np.ndarray, " m"]  # its row
    numbers: Mapping[str, Float[np.ndarray, " m"]]  # of STATISTICS

    @property
    def names(self) -> list[str]:
        """In the order of `EVERY`, parts as they are applied."""
        order = {mix_name(mix): place for place, mix in enumerate(EVERY)}
        return sorted(dict.fromkeys(self.name.tolist()), key=lambda name: order[name.partition(":")[0]])

    def off(self, statistic: str) -> Float[np.ndarray, " m"]:
        """Measured minus asked."""
        return self.numbers[statistic] - self.numbers[f"{statistic}_requested"]


@dataclass(frozen=True)
class Rows:
    """The columns of all stored samples, in the plan's order. About a hundred bytes a sample, and fifty a pass."""

    words: Mapping[str, np.ndarray]  # of WORDS: text
    numbers: Mapping[str, Float[np.ndarray, " n"]]  # of NUMBERS
    shard: Int[np.ndarray, " n"]  # number of the planned shard
    row: Int[np.ndarray, " n"]  # within it
    passes: Passes

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
    tables = [read_index_table(layout.index(shard.name), COLUMNS) for shard, _ in done]
    columns = pa.concat_tables(tables) if tables else INDEX_SCHEMA.empty_table().select(COLUMNS)
    counts = [len(table) for table in tables]
    words = {name: _text(columns[name].combine_chunks()) for name in WORDS if name != "split"}
    words["split"] = np.repeat(np.array([shard.name.split for shard, _ in done], object), counts)
    numbers = {name: columns[name].to_numpy().astype(np.float64) for name in NUMBERS}
    shards = np.repeat(np.array([shard.index for shard, _ in done], np.int64), counts)
    rows = np.concatenate([np.arange(0), *(np.arange(count) for count in counts)])
    return Rows(words, numbers, shards, rows, _passes(columns["parts"].combine_chunks(), words))


def _passes(parts: pa.ListArray, words: Mapping[str, np.ndarray]) -> Passes:
    """Of the lists of parts, which are never empty."""
    sample, each = pc.list_parent_indices(parts).to_numpy(), pc.list_flatten(parts)
    several = pc.list_value_length(parts).to_numpy()[sample] > 1
    whole, part = words["degradation"][sample], _text(pc.struct_field(each, "degradation"))
    name = np.where(several, whole + ": " + part, whole)
    made = words["origin"][sample] == "generated"
    numbers = {one: pc.struct_field(each, one).to_numpy()[made] for one in STATISTICS}
    return Passes(name[made], sample[made], numbers)


def _text(column: pa.Array) -> np.ndarray:
    """Each different word once in memory."""
    coded = column.cast(pa.string()).dictionary_encode()
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
