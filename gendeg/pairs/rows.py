"""Photos in rows: Hugging Face datasets and parquet files, and which of their columns holds the picture."""

import json
import os
import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from gendeg.pairs.split import SPLIT_WORDS, said_split
from gendeg.pairs.tables import CAPTION_COLUMNS, HALVES, Row
from gendeg.primitives.errors import BadImage, BadOption, CannotRead
from gendeg.primitives.faults import ImageFault
from gendeg.primitives.pictures import HEAD, format_of

SAVED = ("dataset_info.json", "dataset_dict.json")
DEFAULT_SPLIT = "train"  # what `datasets` calls rows that name no split
LOOKED_AT = 64  # rows in which a column of bytes has to show a picture: some fail to download
TRIED = 3  # files of a kind, likewise
IMAGE = "__image__"


def open_dataset(place: str) -> dict[str, Any]:
    """Split → rows, of a folder that save_to_disk wrote, a parquet file, or a dataset's name. Raises `CannotRead`."""
    import datasets

    try:
        if any((Path(place) / name).is_file() for name in SAVED):
            opened = datasets.load_from_disk(place)
        elif place.endswith(".parquet") and os.path.isfile(place):
            opened = datasets.load_dataset("parquet", data_files=place)
        elif os.path.isdir(place) and not (Path(place) / "README.md").is_file() and (files := _parquet_files(place)):
            opened = datasets.load_dataset("parquet", data_files=files)
        else:
            opened = datasets.load_dataset(place)
    except Exception as error:  # the loader raises whatever its formats and the network raise
        raise CannotRead(place, f"not a dataset that `datasets` can load: {error}") from error
    return dict(opened) if isinstance(opened, dict) else {DEFAULT_SPLIT: opened}


def _parquet_files(folder: str) -> dict[str, list[str]]:
    """Split → the parquet files with pictures below a folder, as their names or folders tell it.

    Said in full, because `datasets` itself takes the files of the commonest extension, notes beside the shards too.
    """
    found: dict[str, list[str]] = {}
    for path in with_images(sorted(Path(folder).rglob("*.parquet"))):
        words = [re.split(r"[-_.]", path.name)[0], *reversed(path.relative_to(folder).parent.parts)]
        split = next((SPLIT_WORDS[word.lower()] for word in words if word.lower() in SPLIT_WORDS), DEFAULT_SPLIT)
        found.setdefault(split, []).append(str(path))
    return found


def is_saved(folder: Path) -> bool:
    """Whether save_to_disk wrote this folder."""
    return any((folder / name).is_file() for name in SAVED)


def with_images(paths: Sequence[Path]) -> list[Path]:
    """Those parquet files that have a column of pictures. What is no parquet file at all has none: its reader says so.

    Of files with the same columns the first few are looked into, for shards of one dataset may be large.
    """
    looks: dict[Any, list[bool]] = {}
    found = []
    for path in paths:
        columns = _columns_of_bytes(path)
        if any(declared for _, _, declared in columns):
            found.append(path)
            continue
        seen = looks.setdefault(columns, [])
        if columns and len(seen) < TRIED and not any(seen):
            seen.append(_shows_picture(path, [name for name, _, _ in columns]))
        found += [path] if any(seen) else []
    return found


def _columns_of_bytes(path: Path) -> tuple[tuple[str, str, bool], ...]:
    """(name, type, whether `datasets` wrote it as images) of a parquet file's columns that may hold pictures."""
    import pyarrow
    import pyarrow.parquet

    try:
        schema = pyarrow.parquet.read_schema(path)
    except (pyarrow.ArrowException, OSError, ValueError):
        return ()
    try:
        told = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))["info"]["features"]
        images = {name for name, feature in told.items() if feature.get("_type") == "Image"}
    except (ValueError, KeyError, TypeError, AttributeError):
        images = set()
    return tuple((field.name, str(field.type), field.name in images) for field in schema if _may_hold_bytes(field.type))


def _shows_picture(path: Path, columns: list[str]) -> bool:
    import pyarrow
    import pyarrow.parquet

    seen = 0
    try:
        for batch in pyarrow.parquet.ParquetFile(path).iter_batches(batch_size=8, columns=columns):
            if any(_is_picture(value) for column in batch.columns for value in column.to_pylist()):
                return True
            seen += len(batch)
            if seen >= LOOKED_AT:
                return False
    except (pyarrow.ArrowException, OSError, ValueError):
        return False
    return False


def read_rows(place: str, column: str) -> Iterator[tuple[str, int, Row]]:
    """(split as the loader has it, number, row) of all rows; the row's path is empty. Raises as `open_rows`."""
    opened = open_rows(place, column)
    for split, rows in opened.items():
        said = "" if set(opened) == {DEFAULT_SPLIT} else said_split(split)  # its only name says nothing
        captions, kinds, splits, degradations, sources = (
            _texts(rows, names) for names in (CAPTION_COLUMNS, ("kind",), ("split",), ("degradation",), ("source",))
        )
        for number in range(len(rows)):
            fields = {"degradation": degradations[number], "source": sources[number]}
            kind, own = kinds[number].strip().lower(), said_split(splits[number])
            yield split, number, Row(number + 1, "", captions[number], kind, own or said, fields)


@cache
def half_columns(place: str) -> dict[str, str]:
    """clean, degraded → the column that holds that half, of a dataset of pairs (`clean`, or `clean.png` as ours have).

    Nothing for any other dataset. Raises `CannotRead`.
    """
    rows = next(iter(open_dataset(place).values()))
    found = {half: [one for one in _image_columns(rows) if one.lower().split(".")[0] == half] for half in HALVES}
    return {half: names[0] for half, names in found.items()} if all(found.values()) else {}


def read_records(place: str) -> dict[str, list[dict[str, Any]]]:
    """Split → what the column `json` says of each row, where there is one."""
    opened = open_dataset(place)
    return {split: rows["json"][:] for split, rows in opened.items() if "json" in rows.column_names}


@cache
def open_rows(place: str, column: str) -> dict[str, Any]:
    """Split → rows with one column of pictures, left encoded.

    Raises `CannotRead` where there is none, and `BadOption` where there are several and none is named.
    """
    return {name: _with_encoded_images(place, rows, column) for name, rows in open_dataset(place).items()}


def read_row(place: str, column: str, split: str, number: int) -> bytes:
    """The encoded picture of one row. Raises `BadImage`."""
    image = open_rows(place, column)[split].select_columns([IMAGE])[number][IMAGE]
    data, path = (image.get("bytes"), image.get("path")) if isinstance(image, dict) else (image, None)
    if isinstance(data, bytes) and data:
        return data
    if isinstance(path, str) and os.path.isfile(path):
        return Path(path).read_bytes()
    raise BadImage(f"{place} {split} row {number}", ImageFault.EMPTY)


def _with_encoded_images(place: str, rows: Any, wanted: str) -> Any:
    import datasets

    columns = _image_columns(rows)
    if wanted and wanted not in columns:
        there = f"there are {', '.join(columns)}" if columns else f"no column of images among {_names(rows)}"
        raise BadOption("--column", f"{place} has no column of images '{wanted}'; {there}")
    if not columns:
        raise CannotRead(place, f"no column of images among {_names(rows)}")
    if len(columns) > 1 and not wanted:
        raise BadOption("--column", f"{place} has several columns of images: {', '.join(columns)}; name the clean one")
    name = wanted or columns[0]
    if isinstance(rows.features[name], datasets.Image):
        rows = rows.cast_column(name, datasets.Image(decode=False))
    return rows.rename_column(name, IMAGE)


def _names(rows: Any) -> str:
    return ", ".join(rows.column_names)


def _image_columns(rows: Any) -> list[str]:
    """Columns of pictures: those that say so, and those of bytes whose first ones are a picture's."""
    import datasets

    def holds(name: str, feature: Any) -> bool:
        if isinstance(feature, datasets.Image):
            return True
        if isinstance(feature, datasets.Audio | datasets.Video) or not _may_hold_bytes(
            rows.data.schema.field(name).type
        ):
            return False
        return any(map(_is_picture, rows.data.column(name).slice(0, LOOKED_AT).to_pylist()))

    return [name for name, feature in rows.features.items() if holds(name, feature)]


def _may_hold_bytes(type: Any) -> bool:
    import pyarrow.types as types

    if types.is_struct(type):
        return any(type.field(i).name == "bytes" for i in range(type.num_fields))
    return types.is_binary(type) or types.is_large_binary(type)


def _is_picture(value: Any) -> bool:
    data = value.get("bytes") if isinstance(value, dict) else value
    return isinstance(data, bytes) and bool(format_of(data[:HEAD]))


def _texts(rows: Any, names: tuple[str, ...]) -> list[str]:
    """The first of these columns that is there, as text; empty texts where none is, or one of pictures or lists."""
    column = next((one for name in names for one in rows.column_names if one.lower() == name), None)
    feature = rows.features.get(column)
    if not re.match(r"(large_)?string|u?int|float|bool", str(getattr(feature, "dtype", ""))):
        return [""] * len(rows)
    said = feature.int2str if hasattr(feature, "int2str") else str  # a ClassLabel's names
    return ["" if value is None else said(value) for value in rows[column][:]]
