"""A dataset's pairs as Parquet files: planned from the shards' indices, written one row group at a time.

Images are embedded as Hugging Face `datasets` embeds them, and its own writer does the writing: sizes of files and row
groups, page index and chunks are the library's, so that the hub's viewer takes the files as they are.
"""

import hashlib
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from gendeg.primitives.errors import DamagedDataset, OutputNotWritable
from gendeg.primitives.files import sha256_bytes
from gendeg.primitives.images import LONGEST_SIDE, encode_image, read_rgb, resize_short_side
from gendeg.shards.description import Description, done_marks
from gendeg.shards.index import RECORD_FIELDS, Entry, read_entries, read_index_table, read_member
from gendeg.shards.layout import Layout, ShardName

if TYPE_CHECKING:
    from datasets import Features

ROW_BYTES = 2_000_000
"""Most of one row. The hub's viewer cuts rows off that are larger."""
RECORD_BYTES = 4_000
"""About what a record takes beside its pictures."""
FORMAT = "gendeg-parquet-1"
"""Raise the number when files of the same pairs come out otherwise."""
WEIGHED = ["clean_bytes", "degraded_bytes", "clean_digest", "degraded_digest", "json_digest"]


@dataclass(frozen=True)
class Piece:
    """Rows of one shard's index, from `start` up to `stop`."""

    shard: ShardName
    start: int
    stop: int


@dataclass(frozen=True)
class PlannedFile:
    """One file. `bytes` is about what it takes at most, `digest` says what will be in it."""

    name: str  # haze/train-00000-of-00002.parquet
    pieces: tuple[Piece, ...]
    rows: int
    bytes: int
    digest: str


def kinds_of(description: Description) -> list[str]:
    """The names of the column `degradation`, which stores their numbers."""
    return sorted({shard.name.degradation for shard in description.planned_shards})


def plan_files(layout: Layout, description: Description) -> list[PlannedFile]:
    """Every file of every degradation and split, none larger than `datasets` makes them. Raises `DamagedDataset`."""
    shards: dict[tuple[str, str], list[ShardName]] = defaultdict(list)
    for shard, _ in done_marks(layout, description):
        shards[shard.name.degradation, shard.name.split].append(shard.name)
    salt = f"{FORMAT} {ROW_BYTES} {kinds_of(description)} {RECORD_FIELDS}"
    planned = []
    for (kind, split), names in sorted(shards.items()):
        files = list(_divide(layout, names, salt))
        for number, file in enumerate(files):
            planned.append(replace(file, name=f"{kind}/{split}-{number:05d}-of-{len(files):05d}.parquet"))
    return planned


def _divide(layout: Layout, names: Sequence[ShardName], salt: str) -> Iterator[PlannedFile]:
    """Files, still without a name, of the shards of one degradation and split."""
    most, weight, rows, told, pieces = limits()[0], 0, 0, hashlib.sha256(salt.encode()), list[Piece]()
    for name in names:
        table, start = read_index_table(layout.index(name), WEIGHED).to_pylist(), 0
        for number, row in enumerate(table):
            more = min(row["clean_bytes"] + row["degraded_bytes"] + RECORD_BYTES, ROW_BYTES)
            if rows and weight + more > most:
                kept = (*pieces, Piece(name, start, number)) if number > start else tuple(pieces)
                yield PlannedFile("", kept, rows, weight, told.hexdigest())
                weight, rows, told, pieces, start = 0, 0, hashlib.sha256(salt.encode()), [], number
            weight, rows = weight + more, rows + 1
            told.update("".join(row[column] for column in WEIGHED[2:]).encode())
        if len(table) > start:
            pieces.append(Piece(name, start, len(table)))
    if rows:
        yield PlannedFile("", tuple(pieces), rows, weight, told.hexdigest())


def limits() -> tuple[int, int]:
    """Bytes of a file and of a row group at most, as `datasets` has them."""
    from datasets import config
    from datasets.utils.py_utils import convert_file_size_to_int

    return convert_file_size_to_int(config.MAX_SHARD_SIZE), convert_file_size_to_int(config.MAX_ROW_GROUP_SIZE)


def row_features(kinds: Sequence[str]) -> "Features":
    """The columns: both pictures, the record, and whether the pictures are the shards' own bytes."""
    from datasets import ClassLabel, Features, Image, Value

    record = Features.from_arrow_schema(pa.schema(RECORD_FIELDS))
    record["degradation"] = ClassLabel(names=list(kinds))
    return Features({"clean": Image(), "degraded": Image(), **record, "untouched": Value("bool")})


def write_file(layout: Layout, planned: PlannedFile, kinds: Sequence[str], path: Path) -> int:
    """Writes it and returns how many of its pairs had to be made smaller.

    Memory holds one row group. Raises `DamagedDataset` for a picture that is not what its index says,
    `OutputNotWritable`.
    """
    from datasets.arrow_writer import ParquetWriter

    features, smaller = row_features(kinds), 0
    try:
        writer = ParquetWriter(path=str(path), features=features)
        for rows in _row_groups(_rows(layout, planned, kinds), limits()[1]):
            smaller += sum(not row["untouched"] for row in rows)
            writer.write_table(pa.Table.from_pylist(rows, features.arrow_schema), len(rows))
        writer.finalize()
    except OSError as error:
        raise OutputNotWritable(path, error.strerror or str(error)) from error
    return smaller


def _row_groups(rows: Iterator[dict[str, Any]], most: int) -> Iterator[list[dict[str, Any]]]:
    group, weight = list[dict[str, Any]](), 0
    for row in rows:
        more = len(row["clean"]["bytes"]) + len(row["degraded"]["bytes"]) + RECORD_BYTES
        if group and weight + more > most:
            yield group
            group, weight = [], 0
        group.append(row)
        weight += more
    if group:
        yield group


def _rows(layout: Layout, planned: PlannedFile, kinds: Sequence[str]) -> Iterator[dict[str, Any]]:
    for piece in planned.pieces:
        for entry in read_entries(layout, piece.shard, range(piece.start, piece.stop)):
            yield _row(layout.shard(piece.shard), entry, kinds)


def _row(shard: Path, entry: Entry, kinds: Sequence[str]) -> dict[str, Any]:
    """One pair; where its row would be too large, both pictures smaller."""
    pictures: list[dict[str, Any]] = []
    for member in entry.members[:2]:
        try:
            data = read_member(shard, member)
        except OSError as error:
            raise DamagedDataset(shard, error.strerror or str(error)) from error
        if sha256_bytes(data) != member.sha256:
            raise DamagedDataset(shard, f"{member.name} has other bytes than when it was written")
        pictures.append({"bytes": data, "path": member.name})
    room = ROW_BYTES - max(RECORD_BYTES, len(entry.record.to_json().encode()))
    untouched = sum(len(picture["bytes"]) for picture in pictures) <= room
    if not untouched:
        smaller = fit_pair([picture["bytes"] for picture in pictures], room)
        pictures = [
            {"bytes": data, "path": str(Path(picture["path"]).with_suffix(".jpg"))}
            for data, picture in zip(smaller, pictures, strict=True)
        ]
    record = entry.record.as_row() | {"degradation": kinds.index(entry.record.degradation)}
    return {"clean": pictures[0], "degraded": pictures[1], **record, "untouched": untouched}


def fit_pair(halves: Sequence[bytes], room: int) -> list[bytes]:
    """Both halves as JPEG files of quality 95, scaled down alike until they take no more than `room` bytes together."""
    images = [read_rgb(data) for data in halves]
    height, width = images[0].shape[:2]
    whole = min(height, width)
    short = max(1, whole * min(max(height, width), LONGEST_SIDE["jpg"]) // max(height, width))
    while True:
        scaled = images if short == whole else [resize_short_side(image, short) for image in images]
        made = [encode_image(image, "jpg") for image in scaled]
        size = sum(map(len, made))
        if size <= room or short == 1:
            return made
        short = max(1, int(short * min(0.95, math.sqrt(room / size))))
