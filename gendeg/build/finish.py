"""The last step of a build: one table of all records and the dataset card, both from what stands on the disk."""

import hashlib
import io
import json
from collections import defaultdict
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from gendeg import __version__
from gendeg.build.card import CardFacts, IncludedSource, Level, Parquet, Part, make_card
from gendeg.intensity.draw import levels_of
from gendeg.pairs.sources import licence_of
from gendeg.primitives.errors import BadImage, DamagedDataset, IncompleteDataset
from gendeg.primitives.files import atomic_write, notes_of, sha256_bytes, sha256_of, written
from gendeg.primitives.images import encode_image, read_header, read_rgb
from gendeg.primitives.pictures import NO_PHOTO, WORDS
from gendeg.primitives.silence import doing
from gendeg.report.card_merge import Merged, merge_card, write_card
from gendeg.report.sheet import Tile, draw_sheet
from gendeg.shards.description import Description, done_marks, missing_shards, totals
from gendeg.shards.index import INDEX_SCHEMA, RECORD_FIELDS, read_index, read_index_table, read_member
from gendeg.shards.layout import Layout

MANIFEST_SCHEMA = pa.schema([pa.field("shard", pa.string()), pa.field("split", pa.string()), *INDEX_SCHEMA])


def finish(layout: Layout, description: Description) -> None:
    """Writes manifest.parquet, our part of README.md, and the picture. What people made of the last two stays.

    Raises `IncompleteDataset` when shards are missing.
    """
    missing = missing_shards(layout, description)
    if missing:
        raise IncompleteDataset(layout.root, len(missing))
    with doing("writing manifest, picture and card"):
        _write_manifest(layout, description)
        _write_picture(layout, description)
        write_card(layout.card, make_card(card_facts(layout, description)))


def _write_manifest(layout: Layout, description: Description) -> None:
    """A row group a shard; memory holds one."""
    with written(layout.manifest) as stream:
        _write_rows(stream, layout, description)


def _write_rows(stream: io.IOBase, layout: Layout, description: Description) -> None:
    with pq.ParquetWriter(stream, MANIFEST_SCHEMA, compression="zstd") as writer:
        for shard, _ in done_marks(layout, description):
            rows = read_index_table(layout.index(shard.name))
            both = [pa.repeat(pa.scalar(text), len(rows)) for text in (f"{shard.name}.tar", shard.name.split)]
            writer.write_table(pa.table([*both, *rows.columns], schema=MANIFEST_SCHEMA))


class _HashOnly(io.RawIOBase):
    """A file that keeps nothing but the hash of what is written to it."""

    def __init__(self) -> None:
        self.hash, self.size = hashlib.sha256(), 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.hash.update(data)
        self.size += len(memoryview(data).cast("B"))
        return len(memoryview(data).cast("B"))

    def tell(self) -> int:
        return self.size


def unfinished(layout: Layout, description: Description) -> list[str]:
    """Names of the files of the last step that are missing, or not what the shards say."""
    names = []
    if not _manifest_is_good(layout, description):
        names.append(".gendeg/manifest.parquet")
    elif not _card_is_good(layout, description):
        names.append(layout.card.name)
    return names + ([] if _picture_is_there(layout) or not totals(layout, description).written else ["preview.png"])


def edited(layout: Layout, description: Description) -> list[str]:
    """What people have made of the files that are theirs as well, in words. Only of a dataset that is finished."""
    found = []
    try:
        merged = merged_card(layout, description)
    except (OSError, pa.ArrowException):
        return []  # no manifest to count from: that is damage
    if merged.edited:
        found.append(f"{layout.card.name}: edited (kept; gendeg writes between its marks only)")
    if layout.picture.is_file() and _drawn(layout) not in ("", sha256_of(layout.picture)):
        found.append(f"{layout.picture.name}: another picture than the one gendeg drew (kept)")
    return found


def merged_card(layout: Layout, description: Description) -> Merged:
    """The card with our part as it would be written now."""
    return merge_card(_read_card(layout), make_card(card_facts(layout, description)))


def _read_card(layout: Layout) -> str:
    """Bytes that are no UTF-8 come back as they were. Empty where there is none."""
    return layout.card.read_bytes().decode("utf-8", "surrogateescape") if layout.card.is_file() else ""


def _card_is_good(layout: Layout, description: Description) -> bool:
    """There, and our part word for word what would be written now; another version may have put it otherwise."""
    if not _read_card(layout).strip():
        return False
    return description.made_with.get("gendeg") != __version__ or not merged_card(layout, description).stale


def _picture_is_there(layout: Layout) -> bool:
    try:
        return bool(read_header(layout.picture))
    except BadImage:
        return False


def _drawn(layout: Layout) -> str:
    """The hash of the picture that we drew last; empty where nothing tells."""
    return str(notes_of(layout.drawn).get("sha256", ""))


def _manifest_is_good(layout: Layout, description: Description) -> bool:
    """Its bytes are those that would be written now; or, from another version of pyarrow, its rows are."""
    try:
        expected = _HashOnly()
        _write_rows(expected, layout, description)
        if sha256_of(layout.manifest) == expected.hash.hexdigest():
            return True
        file = pq.ParquetFile(layout.manifest)
        if file.metadata.created_by == f"parquet-cpp-arrow version {pa.__version__}":
            return False
        groups = [file.read_row_group(number) for number in range(file.num_row_groups)]
        shards = [read_index_table(layout.index(shard.name)) for shard, mark in done_marks(layout, description)]
        return [group.select(INDEX_SCHEMA.names) for group in groups] == shards
    except (OSError, pa.ArrowException, DamagedDataset, UnicodeDecodeError):
        return False


# --- the card ---


def card_facts(layout: Layout, description: Description) -> CardFacts:
    """Counted from the manifest and the marks on the disk."""
    table = pq.read_table(layout.manifest, columns=["degradation", "split", "mu", "origin", "source", "intensity"])
    sizes: dict[tuple[str, str], int] = defaultdict(int)
    for shard, mark in done_marks(layout, description):
        sizes[shard.name.degradation, shard.name.split] += mark.bytes
    return CardFacts(
        name=_title(table),
        license=str(description.settings["license"]),
        clean_column=f"clean.{description.settings['format']}",
        record=pa.schema(RECORD_FIELDS),
        parts=_parts(table, sizes),
        failures=totals(layout, description).reasons,
        left_out={WORDS.get(r, r): n for r, n in description.left_out.items() if r not in NO_PHOTO},
        included=_included(table),
        model=description.model,
        model_sha256=description.model_sha256,
        settings=description.settings,
        fingerprint=description.fingerprint,
        graded=_graded(table) if levels_of(str(description.settings["intensity"])) else {},
    )


def parquet_card(layout: Layout, description: Description, beside: str, smaller: int) -> bytes:
    """The card of the Parquet files: that of the shards with what people wrote in it, and our parts for the other."""
    fresh = make_card(replace(card_facts(layout, description), parquet=Parquet(beside, smaller)))
    standing = _read_card(layout)
    if standing == make_card(card_facts(layout, description)):
        standing = ""
    return merge_card(standing, fresh).text.encode("utf-8", "surrogateescape")


def _title(table: pa.Table) -> str:
    kinds = sorted(pc.unique(table["degradation"]).to_pylist())
    return f"Clean and degraded photographs: {', '.join(kinds)}" if kinds else "Clean and degraded photographs"


def _parts(table: pa.Table, sizes: dict[tuple[str, str], int]) -> list[Part]:
    parts = []
    for (kind, split), size in sorted(sizes.items()):
        here = table.filter(pc.and_(pc.equal(table["degradation"], kind), pc.equal(table["split"], split)))
        if len(here):  # a split without a sample would be an error of the reader
            low, middle, high = np.quantile(here.column("mu").to_numpy(), (0.05, 0.5, 0.95)).tolist()
            parts.append(Part(kind, split, len(here), size, (low, middle, high)))
    return sorted(parts, key=lambda part: (part.degradation, ("train", "validation", "test").index(part.split)))


def _graded(table: pa.Table) -> dict[str, dict[float, Level]]:
    made = table.filter(pc.equal(table["origin"], "generated"))
    groups = made.group_by(["degradation", "intensity"]).aggregate([("mu", "mean"), ("mu", "count")]).to_pylist()
    graded: dict[str, dict[float, Level]] = defaultdict(dict)
    for row in groups:
        graded[row["degradation"]][row["intensity"]] = Level(row["mu_count"], row["mu_mean"])
    return dict(graded)


def _included(table: pa.Table) -> list[IncludedSource]:
    """Sources of existing pairs, with the licence that manifests/sources knows of them."""
    there = table.filter(pc.not_equal(table["origin"], "generated")).column("source").value_counts().to_pylist()
    counts = {row["values"]: row["counts"] for row in there}
    return [IncludedSource(name, counts[name], *licence_of(name)) for name in sorted(counts)]


def _write_picture(layout: Layout, description: Description) -> None:
    """The first pairs of each degradation, clean beside degraded."""
    first: dict[str, list[Tile]] = defaultdict(list)
    for shard, _ in done_marks(layout, description):
        cells = first[shard.name.degradation]
        for entry in read_index(layout, shard.name)[: max(0, 2 - len(cells) // 2)]:
            clean, degraded = (read_member(layout.shard(shard.name), member) for member in entry.members[:2])
            label = f"{entry.record.degradation}, mu {entry.record.mu:.3f}"
            cells += [Tile(read_rgb(clean), "clean"), Tile(read_rgb(degraded), label)]
    rows = [cells for _, cells in sorted(first.items()) if cells]
    if not rows:
        return
    data = encode_image(draw_sheet(rows, 192), "png")
    if _picture_is_there(layout) and sha256_of(layout.picture) not in (sha256_bytes(data), _drawn(layout)):
        return  # somebody put another one in its place
    atomic_write(layout.picture, data)
    atomic_write(layout.drawn, json.dumps({"sha256": sha256_bytes(data)}) + "\n")
