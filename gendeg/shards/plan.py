"""The plan on disk: every sample to make, one row group a shard, so that a shard's rows are read without the others."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, get_args

import pyarrow as pa
import pyarrow.parquet as pq

from gendeg.intensity.ask import NOTHING, Ask, PartAsk
from gendeg.intensity.direction import UNKNOWN, Direction
from gendeg.primitives.errors import DamagedDataset
from gendeg.primitives.files import written
from gendeg.primitives.kinds import parse_mix
from gendeg.shards.index import ARROW
from gendeg.shards.layout import ShardName

GENERATED, EXISTING = "generated", "existing"
Int32 = Annotated[int, pa.int32()]
Word = Annotated[str, pa.dictionary(pa.int32(), pa.string())]

PARTS = pa.list_(
    pa.struct([("degradation", pa.string()), *((name, pa.float64()) for name in ("intensity", "mu", "sigma"))])
)
"""What is asked of each pass of several; empty for what is made in one."""


@dataclass(frozen=True)
class PlannedSample:
    """One row. The fields are the columns, in their order; what Arrow calls their types stands in `Annotated`."""

    key: str
    shard: Int32
    batch: Int32  # within the shard; its samples go through the model together
    split: Word
    degradation: Word
    origin: Word
    input: Int32  # index into inputs.json
    clean_path: bytes  # a file's name need not be valid UTF-8
    clean_offset: int
    clean_length: int
    clean_sha256: str
    keep: bool  # the file's bytes are stored untouched
    degraded_path: bytes  # of an existing pair
    caption: str
    prompt: str
    intensity: float
    mu: float
    sigma: float
    direction: float  # degrees; NaN: as the model draws it
    parts: Annotated[list[dict[str, Any]], PARTS]
    source: Word
    seed: int
    noise: str  # samples of one seed and this name differ in what is asked alone; else it is the key
    width: Int32  # of the stored pair
    height: Int32

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


def _column(name: str, kind: Any) -> pa.Field:
    return pa.field(name, ARROW[kind] if kind in ARROW else get_args(kind)[1])


PLAN_SCHEMA = pa.schema([_column(one.name, one.type) for one in fields(PlannedSample)])


@dataclass(frozen=True)
class PlannedShard:
    """Its place in the plan (the row group), its name and how many samples it holds."""

    index: int
    name: ShardName
    samples: int


class PlanWriter:
    """Takes the shards of a plan, one after the other; flat in memory. `written_plan` gives one."""

    def __init__(self, table: pq.ParquetWriter):
        self.shards: list[PlannedShard] = []
        self._table = table

    def add(self, name: ShardName, rows: pa.Table) -> None:
        """The rows of one shard, in the order of the tar; their column `shard` is set here. Raises `OSError`."""
        number = pa.repeat(pa.scalar(len(self.shards), pa.int32()), len(rows))
        rows = rows.set_column(rows.schema.get_field_index("shard"), "shard", number)
        self.shards.append(PlannedShard(len(self.shards), name, len(rows)))
        self._table.write_table(rows.cast(PLAN_SCHEMA), row_group_size=len(rows))


@contextmanager
def written_plan(path: Path) -> Iterator[PlanWriter]:
    """As `written`, of a plan: what is added within `with` is the plan when the block ends well.

    Raises `OutputNotWritable`; nothing is left behind then.
    """
    with written(path) as stream, pq.ParquetWriter(stream, PLAN_SCHEMA, compression="zstd") as table:
        yield PlanWriter(table)


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
