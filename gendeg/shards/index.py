"""What is known about a finished shard without opening it: its done mark (JSON) and its samples' index (Parquet)."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from gendeg.primitives.errors import BadManifest, DamagedDataset, GendegError, MissingPath
from gendeg.primitives.files import atomic_write, read_json_object, sha256_bytes, sha256_of, write_json
from gendeg.primitives.records import Failure, Part, Record
from gendeg.shards.layout import Layout, ShardName
from gendeg.shards.writer import MEMBERS, Member

MARK_SCHEMA = "gendeg-shard-1"
ARROW: dict[Any, pa.DataType] = {
    str: pa.string(), bytes: pa.binary(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()
}  # fmt: skip
ARROW[tuple[Part, ...]] = pa.list_(pa.struct([pa.field(f.name, ARROW[f.type]) for f in fields(Part)]))

RECORD_FIELDS = [pa.field(f.name, ARROW[f.type]) for f in fields(Record)]
MEMBER_FIELDS = [
    pa.field(f"{half}_{what}", kind)
    for half in MEMBERS
    for what, kind in (("member", pa.string()), ("at", pa.int64()), ("bytes", pa.int64()), ("digest", pa.string()))
]
INDEX_SCHEMA = pa.schema(RECORD_FIELDS + MEMBER_FIELDS)


@dataclass(frozen=True)
class Entry:
    """One stored sample: its record and its three members in the order clean, degraded, json."""

    record: Record
    members: tuple[Member, Member, Member]


@dataclass(frozen=True)
class Mark:
    """Says that a shard is done. planned = written + the failures; no times in it: equal shards, equal marks."""

    shard: str
    fingerprint: str
    sha256: str
    bytes: int
    index_sha256: str
    planned: int
    written: int
    failures: list[dict[str, Any]] = field(default_factory=list)
    rounds: int = 0  # how often `gendeg retry` went over it
    late: dict[str, int] = field(default_factory=dict)  # samples whose photo could first be read in that round
    schema: str = MARK_SCHEMA

    @property
    def failed(self) -> list[Failure]:
        return [Failure.from_row(row) for row in self.failures]


# --- done marks ---


def write_mark(layout: Layout, name: ShardName, mark: Mark) -> None:
    """Last of all: from here on the shard is done."""
    write_json(layout.mark(name), asdict(mark))


def read_mark(layout: Layout, name: ShardName) -> Mark | None:
    """None when there is none. Raises `DamagedDataset` when the file is not a mark of this shard."""
    path = layout.mark(name)
    try:
        mark = Mark(**read_json_object(path))
        assert len(mark.failed) == len(mark.failures)  # each is a failure of the schema, or raises
    except MissingPath:
        return None
    except (BadManifest, TypeError, GendegError) as error:
        raise DamagedDataset(path, f"not a done mark ({error})") from error
    if mark.schema != MARK_SCHEMA or mark.shard != str(name):
        raise DamagedDataset(path, "a done mark of another shard or version")
    return mark


def is_done(layout: Layout, name: ShardName, fingerprint: str) -> bool:
    """Mark present, of this build, and the files as long as it says; hashes are for `verify`."""
    try:
        mark = read_mark(layout, name)
        stands = layout.shard(name).stat().st_size
    except (DamagedDataset, OSError):
        return False
    return (
        mark is not None and mark.fingerprint == fingerprint and mark.bytes == stands and layout.index(name).is_file()
    )


# --- the index of one shard ---


def write_index(layout: Layout, name: ShardName, entries: Sequence[Entry]) -> str:
    """Returns the file's SHA-256."""
    rows = [_row(entry) for entry in entries]
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows, INDEX_SCHEMA), sink, compression="zstd")
    data = sink.getvalue().to_pybytes()
    atomic_write(layout.index(name), data)
    return sha256_bytes(data)


def read_index(layout: Layout, name: ShardName, mark: Mark | None = None) -> list[Entry]:
    """Raises `DamagedDataset`, also when its hash is not the mark's."""
    path = layout.index(name)
    if mark is not None and (not path.is_file() or sha256_of(path) != mark.index_sha256):
        raise DamagedDataset(path, "missing or changed since its shard was done")
    return [_entry(row) for row in read_index_table(path).to_pylist()]


def read_entries(layout: Layout, name: ShardName, rows: Sequence[int]) -> list[Entry]:
    """Some rows of a shard's index, by number. Raises `DamagedDataset`."""
    return [_entry(row) for row in read_index_table(layout.index(name)).take(pa.array(rows, pa.int64())).to_pylist()]


def read_index_table(path: Path, columns: list[str] | None = None) -> pa.Table:
    """Columns of the index as they are. Raises `DamagedDataset`."""
    try:
        return pq.read_table(path, columns=columns, partitioning=None)
    except (OSError, pa.ArrowException) as error:
        raise DamagedDataset(path, f"not an index ({error})") from error


def read_member(shard: Path, member: Member) -> bytes:
    """Straight from its place in the tar. Raises `OSError`."""
    with open(shard, "rb") as stream:
        stream.seek(member.offset)
        return stream.read(member.size)


def _row(entry: Entry) -> dict[str, Any]:
    row = entry.record.as_row()
    for half, member in zip(MEMBERS, entry.members, strict=True):
        row |= {f"{half}_member": member.name, f"{half}_at": member.offset}
        row |= {f"{half}_bytes": member.size, f"{half}_digest": member.sha256}
    return row


def _entry(row: dict[str, Any]) -> Entry:
    clean, degraded, json_member = (
        Member(row[f"{half}_member"], row[f"{half}_at"], row[f"{half}_bytes"], row[f"{half}_digest"])
        for half in MEMBERS
    )
    record = Record.from_row({f.name: row[f.name] for f in RECORD_FIELDS})
    return Entry(record, (clean, degraded, json_member))
