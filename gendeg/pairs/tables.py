"""Tables of photos (.csv .tsv .txt .jsonl .parquet): read strictly, with one meaning of `kind` and `split` everywhere.

A row says where a photo lies (`path`, relative to the table) and, if it likes, its `caption`, its `kind` (clean, real,
pair …) and its `split`. Who asks for clean photos gets rows of kind clean and those that name no kind; who asks for
splits gets rows of these and those that name none. A pair manifest is a table of its clean halves.
"""

import csv
import io
import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gendeg.pairs.split import said_split
from gendeg.primitives.errors import BadManifest, MissingPath
from gendeg.primitives.files import read_bytes, read_numbered_jsonl
from gendeg.primitives.pictures import IMAGE_EXTENSIONS, OTHER_KIND, OTHER_SPLIT

TABLES = (".txt", ".csv", ".tsv", ".jsonl", ".parquet")
PATH_COLUMNS = ("path", "file_name", "image")
NEEDED = "'path' (or file_name, or image)"
CAPTION_COLUMNS = ("caption", "text")
HALVES = ("clean", "degraded")
OTHER_COLUMNS = ("kind", "split", "degradation", "source", *HALVES)
CLEAN, REAL, PAIR = "clean", "real", "pair"
SEPARATORS = ",;\t|"


@dataclass(frozen=True)
class Row:
    """One row. `line` counts from 1 (of a parquet file: rows); `kind` and `split` are "" where it does not say."""

    line: int
    path: str
    caption: str = ""
    kind: str = ""
    split: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    """The other columns that we know: degradation, source, clean, degraded."""

    def refused(self, kind: str, splits: Collection[str] | None) -> str:
        """Why this row is none of those asked for (OTHER_KIND, OTHER_SPLIT), or "". None: any split."""
        if self.kind and self.kind != kind:
            return OTHER_KIND
        return OTHER_SPLIT if splits is not None and self.split and self.split not in splits else ""

    @property
    def place(self) -> str:
        """`"row 3 (kind pair, split test)"`, for messages."""
        said = [f"{name} {value}" for name, value in (("kind", self.kind), ("split", self.split)) if value]
        return f"row {self.line}" + (f" ({', '.join(said)})" if said else "")


def is_table(place: str | Path) -> bool:
    return Path(place).suffix.lower() in TABLES


def read_table(path: Path) -> Iterator[Row]:
    """Every row. Raises `MissingPath`, `CannotRead`, and `BadManifest` naming the line of a row that does not fit."""
    if not path.exists():
        raise MissingPath(path)
    if path.suffix.lower() == ".txt":
        for number, line in enumerate(io.StringIO(_text(path), newline=None), start=1):
            if line.strip():
                yield Row(number, line.strip())
        return
    for number, cells in _cells(path):
        yield _row(path, number, cells)


def _cells(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    suffix = path.suffix.lower()
    if suffix == ".jsonl":
        return ((number, _lower(row)) for number, row in read_numbered_jsonl(path))
    return _parquet_cells(path) if suffix == ".parquet" else _csv_cells(path)


def _lower(row: Mapping[str, Any]) -> dict[str, Any]:
    """Names in lower case; of two that then are one, the one that was."""
    return {name.lower(): value for name, value in row.items()} | {n: v for n, v in row.items() if n == n.lower()}


def _row(path: Path, number: int, cells: Mapping[str, Any]) -> Row:
    def text(name: str) -> str:
        value = cells.get(name)
        if value is not None and not isinstance(value, str):
            raise BadManifest(path, number, f"'{name}' must be text, not {type(value).__name__}")
        return value or ""

    place = next((text(name) for name in PATH_COLUMNS if cells.get(name)), "")
    halves = not place and all(cells.get(name) for name in HALVES)
    if not (place or halves):
        raise BadManifest(path, number, f"a row needs a text in its column {NEEDED}")
    if not _names_a_file(place or text("clean")):
        raise BadManifest(path, number, "a path that no file can have")
    caption = next((text(name) for name in CAPTION_COLUMNS if cells.get(name)), "")
    if any("\ud800" <= character <= "\udfff" for character in caption):
        raise BadManifest(path, number, "the caption is not UTF-8; save the table as UTF-8")
    fields = {name: text(name) for name in ("degradation", "source", *HALVES)}
    kind = CLEAN if halves else text("kind").strip().lower()
    return Row(number, place or fields["clean"], caption, kind, said_split(text("split")), fields)


def _names_a_file(path: str) -> bool:
    try:
        return b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:  # half of a character, as JSON can write it
        return False


# --- .csv and .tsv ---


def _csv_cells(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """(line where the row begins, its cells). Commas, semicolons, tabs or bars, as the header has them."""
    text = _text(path)
    if "\0" in text:
        raise BadManifest(path, _line_of(text, text.index("\0")), "a NUL character; this is no table of text")
    lines = list(io.StringIO(text, newline=""))
    skipped = 1 if lines and lines[0].lower().startswith("sep=") else 0  # Excel's own line
    while skipped < len(lines) and not lines[skipped].strip():
        skipped += 1
    header, separator = _header(path, lines[skipped] if skipped < len(lines) else "", skipped + 1)
    yield from _rows(path, lines, skipped, header, separator)


def _rows(
    path: Path, lines: list[str], skipped: int, header: list[str], separator: str
) -> Iterator[tuple[int, Mapping[str, Any]]]:
    reader = csv.reader(iter(lines[skipped + 1 :]), delimiter=separator, strict=True)
    begin = skipped + 2
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            what = "a quote that does not close" if "unexpected end" in str(error) else str(error)
            raise BadManifest(path, begin, f"not a row of a table ({what})") from error
        end = skipped + 1 + reader.line_num
        if row and "".join(row).strip():
            if len(row) != len(header):
                raise BadManifest(path, begin, f"{len(row)} cells under {len(header)} column names")
            _check_swallowed(path, lines[begin:end], begin + 1, header, separator)
            yield begin, dict(zip(header, row, strict=True))
        begin = end + 1


def _check_swallowed(path: Path, lines: list[str], number: int, header: list[str], separator: str) -> None:
    """Raises for a row of a table within a cell of the row before: a quote that is never closed takes what follows.

    `lines` are those that a row goes on in. Captions of several lines are fine, so only what names a picture is seen.
    """
    at = [header.index(name) for name in (*PATH_COLUMNS, *HALVES) if name in header]
    for offset, line in enumerate(lines):
        cells = line.rstrip("\r\n").split(separator)
        names = [cells[i].strip().strip('"') for i in at if i < len(cells)]
        if len(cells) >= len(header) and any(name.lower().endswith(IMAGE_EXTENSIONS) for name in names):
            raise BadManifest(path, number + offset, "a row within the quotes of the row before, which do not close")


def _header(path: Path, line: str, number: int) -> tuple[list[str], str]:
    """Column names in lower case, and what separates them."""
    for separator in SEPARATORS:
        try:
            cells = next(csv.reader([line], delimiter=separator, strict=True), [])
        except csv.Error:
            continue
        names = [cell.strip().lower() for cell in cells]
        if set(names) & set(PATH_COLUMNS) or set(HALVES) <= set(names):
            twice = [name for name in (*PATH_COLUMNS, *CAPTION_COLUMNS, *OTHER_COLUMNS) if names.count(name) > 1]
            if twice:
                raise BadManifest(path, number, f"two columns are called '{twice[0]}'")
            return names, separator
    columns = f"there are: {line.strip()[:200]}" if line.strip() else "the table is empty"
    raise BadManifest(path, number, f"a table of photos needs a column {NEEDED}; {columns}")


def _text(path: Path) -> str:
    """UTF-8 or, with its mark, UTF-16. Other bytes stay as they are in paths, for file systems have such names."""
    data = read_bytes(path)
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            return data.decode("utf-16")
        except UnicodeDecodeError as error:
            raise BadManifest(path, 0, "neither UTF-8 nor UTF-16") from error
    return data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")


def _line_of(text: str, at: int) -> int:
    return 1 + text.count("\n", 0, at)


# --- .parquet ---


def _parquet_cells(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    import pyarrow
    import pyarrow.parquet

    number = 0
    try:
        table = pyarrow.parquet.ParquetFile(path)
        known = (*PATH_COLUMNS, *CAPTION_COLUMNS, *OTHER_COLUMNS)
        wanted = [name for name in table.schema_arrow.names if name.lower() in known]
        if not {name.lower() for name in wanted} & {*PATH_COLUMNS, "clean"}:
            there = ", ".join(table.schema_arrow.names)
            raise BadManifest(path, 0, f"no column {NEEDED}, and none of images, among {there}")
        for batch in table.iter_batches(columns=wanted):
            for row in batch.to_pylist():
                number += 1
                yield number, _lower(row)
    except (pyarrow.ArrowException, OSError, ValueError, KeyError) as error:
        raise BadManifest(path, number, f"not a parquet table that can be read ({error})") from error
