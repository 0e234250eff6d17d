"""The plan on disk: every sample to make, one row group a shard, so that a shard's rows are read without the others."""

import math
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from gendeg.intensity.ask import NOTHING, Ask, PartAsk
from gendeg.intensity.direction import UNKNOWN, Direction
from gendeg.primitives.disk import fsync_file, fsync_folder
from gendeg.primitives.errors import DamagedDataset, OutputNotWritable
from gendeg.primitives.files import temporary_beside
from gendeg.primitives.kinds import parse_mix
from gendeg.shards.layout import ShardName

GENERATED, EXISTING = "generated", "existing"
_word = pa.dictionary(pa.int32(), pa.string())

PARTS = pa.list_(
    pa.struct([("degradation", pa.string()), *((name, pa.float64()) for name in ("intensity", "mu", "sigma"))])
)
"""What is asked of each pass of several; empty for what is made in one."""
PLAN_SCHEMA = pa.schema(
    [
        ("key", pa.string()),
        ("shard", pa.int32()),
        ("batch", pa.int32()),  # within the shard; its samples go through the model together
        ("split", _word),
        ("degradation", _word),
        ("origin", _word),
        ("input", pa.int32()),  # index into inputs.json
        ("clean_path", pa.binary()),  # bytes: a file's name need not be valid UTF-8
        ("clean_offset", pa.int64()),
        ("clean_length", pa.int64()),
        ("clean_sha256", pa.string()),
        ("keep", pa.bool_()),  # the file's bytes are stored untouched
        ("degraded_path", pa.binary()),  # of an existing pair
        ("caption", pa.string()),
        ("prompt", pa.string()),
        ("intensity", pa.float64()),
        ("mu", pa.float64()),
        ("sigma", pa.float64()),
        ("direction", pa.float64()),  # degrees; NaN: as the model draws it
        ("parts", PARTS),
        ("source", _word),
        ("seed", pa.int64()),
        ("noise", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
    ]
)


@dataclass(frozen=True)
class PlannedSample:
    """One row."""

    key: str
    shard: int
    batch: int
    split: str
    degradation: str
    origin: str
    input: int
    clean_path: bytes
    clean_offset: int
    clean_length: int
    clean_sha256: str
    keep: bool
    degraded_path: bytes
    caption: str
    prompt: str
    intensity: float
    mu: float
    sigma: float
    direction: float
    parts: list[dict[str, Any]]
    source: str
    seed: int
    noise: str  # samples of one seed and this name differ in what is asked alone; else it is the key
    width: int  # of the stored pair
    height: int

    @property
    def graded(self) -> bool:
        """Whether others share its noise, and it can have no other."""
        return self.noise != self.key

    @property
    def ask(self) -> Ask:
        """What is asked of a model."""
        mix, known = parse_mix(self.degradation), math.isfinite(self.direction)
        direction = Direction.of(self.direction) if known else UNKNOWN
        parts = tuple(
            PartAsk(parse_mix(one["degradation"]), one["intensity"], one["mu"], one["sigma"]) for one in self.parts
        )
        mu, sigma = (NOTHING, NOTHING) if parts else (self.mu, self.sigma)
        return Ask(mix, self.caption, self.prompt, self.intensity, mu, sigma, self.source, direction, parts)


@dataclass(frozen=True)
class PlannedShard:
    """Its place in the plan (the row group), its name and how many samples it holds."""

    index: int
    name: ShardName
    samples: int


class PlanWriter:
    """Writes shards one after the other under a temporary name; `close` makes them the plan. Flat in memory."""

    def __init__(self, path: Path):
        self.path, self.temporary = path, temporary_beside(path)
        self.shards: list[PlannedShard] = []
        try:
            self._stream = open(self.temporary, "xb")  # noqa: SIM115
            self._writer = pq.ParquetWriter(self._stream, PLAN_SCHEMA, compression="zstd")
        except OSError as error:
            raise OutputNotWritable(path, error.strerror or str(error)) from error

    def add(self, name: ShardName, rows: pa.Table) -> None:
        """The rows of one shard, in the order of the tar; their column `shard` is set here."""
        number = pa.repeat(pa.scalar(len(self.shards), pa.int32()), len(rows))
        rows = rows.set_column(rows.schema.get_field_index("shard"), "shard", number)
        self.shards.append(PlannedShard(len(self.shards), name, len(rows)))
        try:
            self._writer.write_table(rows.cast(PLAN_SCHEMA), row_group_size=len(rows))
        except OSError as error:
            raise OutputNotWritable(self.path, error.strerror or str(error)) from error

    def close(self) -> None:
        """Raises `OutputNotWritable`."""
        try:
            self._writer.close()
            fsync_file(self._stream)
            self._stream.close()
            os.replace(self.temporary, self.path)
            fsync_folder(self.path.parent)
        except OSError as error:
            raise OutputNotWritable(self.path, error.strerror or str(error)) from error

    def abandon(self) -> None:
        """Leaves nothing behind."""
        for clean_up in (self._stream.close, self.temporary.unlink):
            with suppress(OSError):  # a full disk refuses the rest of the buffer; after the rename there is no file
                clean_up()


class PlanReader:
    """Random access by shard; a process holds the rows of one shard at a time."""

    def __init__(self, path: Path):
        try:
            self._file = pq.ParquetFile(path)
        except (OSError, pa.ArrowException) as error:
            raise DamagedDataset(path, f"not a plan ({error})") from error
        if self._file.schema_arrow.names != PLAN_SCHEMA.names:
            raise DamagedDataset(path, "a plan of another version")
        self.path = path

    def rows(self, shard: int) -> list[PlannedSample]:
        try:
            return [PlannedSample(**row) for row in self._file.read_row_group(shard).to_pylist()]
        except (OSError, pa.ArrowException) as error:
            raise DamagedDataset(self.path, f"row group {shard} cannot be read ({error})") from error

    def column(self, shard: int, names: list[str]) -> dict[str, list[Any]]:
        return self._file.read_row_group(shard, columns=names).to_pydict()

    def __iter__(self) -> Iterator[list[PlannedSample]]:
        return map(self.rows, range(self._file.num_row_groups))
