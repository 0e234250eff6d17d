"""One photo, one split: over everything that a dataset holds, generated and existing, in whatever bytes it comes."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from gendeg.build.config import PlanConfig
from gendeg.pairs.photo import Input, Photo
from gendeg.pairs.photos import public_name
from gendeg.pairs.split import HELD_OUT, LEAK
from gendeg.primitives.errors import BadImage
from gendeg.primitives.files import sha256_bytes
from gendeg.primitives.parallel import in_order, per_core
from gendeg.primitives.progress import track
from gendeg.primitives.records import Failure


class Row(NamedTuple):
    """What tells one clean photo from another, and where to read it."""

    sha256: str
    split: str
    width: int
    height: int
    input: int
    path: bytes
    offset: int
    length: int


@dataclass(frozen=True)
class Apart:
    """Both tables with each photo on one side; pairs that had to go; how many photos changed sides ("train → test")."""

    photos: pa.Table
    pairs: pa.Table
    leaks: list[Failure] = field(default_factory=list)
    moved: dict[str, int] = field(default_factory=dict)


def keep_apart(config: PlanConfig, inputs: Sequence[Input], photos: pa.Table, pairs: pa.Table) -> Apart:
    """Photos go to the split in which `--include` has them, for what is tested with may not be trained on.

    Pairs are not moved, for their split is published: of those that disagree the ones that are held out stay, and the
    others are left out. A photo is known by its pixels; crops and scaled copies are other photos. Files of one size
    are decoded for it, where more than one split is there at all.
    """
    if len({*pc.unique(photos["split"]).to_pylist(), *pc.unique(pairs["split"]).to_pylist()}) < 2:
        return Apart(photos, pairs)
    ours, theirs = list(_rows(photos)), list(_rows(pairs))
    same = _by_pixels(config, inputs, ours + theirs)
    published: dict[str, str] = {}
    for row in theirs:
        photo = same[row.sha256]
        published[photo] = min(published.get(photo, row.split), row.split, key=HELD_OUT.index)
    drawn: dict[str, Row] = {}
    for row in ours:  # copies in other bytes are drawn like the first of them by hash, whatever their order
        photo = same[row.sha256]
        drawn[photo] = min(drawn.get(photo, row), row)
    splits = [published.get(same[row.sha256], drawn[same[row.sha256]].split) for row in ours]
    moved = Counter(f"{row.split} → {split}" for row, split in zip(ours, splits, strict=True) if row.split != split)
    stays = [published[same[row.sha256]] == row.split for row in theirs]
    leaks = [_leak(pair, published[same[row.sha256]])
             for pair, row, good in zip(pairs.to_pylist(), theirs, stays, strict=True) if not good]  # fmt: skip
    column = photos.schema.get_field_index("split")
    photos = photos.set_column(column, photos.schema.field(column), pa.array(splits, pa.string()))
    return Apart(photos, pairs.filter(pa.array(stays, pa.bool_())), leaks, dict(sorted(moved.items())))


def _rows(table: pa.Table) -> Iterable[Row]:
    names = ("clean_sha256", "split", "width", "height", "input", "clean_path", "clean_offset", "clean_length")
    return map(Row, *(table.column(name).to_pylist() for name in names))


def _by_pixels(config: PlanConfig, inputs: Sequence[Input], rows: Sequence[Row]) -> Mapping[str, str]:
    """SHA-256 of a file → of its pixels, for what could be the same photo on two sides; else the same again."""
    sizes: dict[tuple[int, int], dict[str, Row]] = defaultdict(dict)
    splits: dict[tuple[int, int], set[str]] = defaultdict(set)
    for row in rows:
        sizes[row.width, row.height].setdefault(row.sha256, row)
        splits[row.width, row.height].add(row.split)
    alike = [row for size, found in sizes.items() if len(splits[size]) > 1 and len(found) > 1 for row in found.values()]
    digests = in_order(lambda row: _pixels(inputs, row), alike, per_core())
    known = {row.sha256: digest for row, digest in
             zip(alike, track(digests, "comparing photos", len(alike), config.progress), strict=True)}  # fmt: skip
    return {row.sha256: known.get(row.sha256, row.sha256) for row in rows}


def _pixels(inputs: Sequence[Input], row: Row) -> str:
    """One that cannot be decoded is told by its bytes: no sample will be made of it."""
    path = row.path.decode("utf-8", "surrogateescape")
    try:
        image = Photo(inputs[row.input], path, at=row.offset, size=row.length).image()
    except BadImage:
        return row.sha256
    return sha256_bytes(b"%d %d " % image.shape[:2] + image.tobytes())


def _leak(pair: dict[str, Any], split: str) -> Failure:
    name = public_name(pair["degraded_path"].decode("utf-8", "surrogateescape"))
    return Failure(
        key=pair["stem"], failed=LEAK, message=f"{name}: its clean photo is in split {split} too",
        degradation=pair["degradation"], clean_path=name,
    )  # fmt: skip
