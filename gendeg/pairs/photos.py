"""Where clean photographs come from: folders, tars, tables of paths, Hugging Face datasets."""

import csv
import hashlib
import io
import os
import re
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

from gendeg.primitives.errors import BadImage, BadManifest, CannotRead, ImageFault, MissingPath, NoImages
from gendeg.primitives.files import IMAGE_EXTENSIONS, Found, find_images, json_line, output_stems, read_jsonl
from gendeg.primitives.folders import is_ours

TABLES = (".txt", ".csv", ".jsonl", ".parquet")
PATH_COLUMNS = ("path", "file_name", "image")
CAPTION_COLUMNS = ("caption", "text")
HUB = "hf:"
LONGEST_STEM = 56
"""Characters: `<stem>-motion_blur-00.degraded.png` has to fit into the 100 bytes of a tar header's name."""


class Kind(StrEnum):
    FOLDER = "folder"
    TAR = "tar"
    TABLE = "table"
    DATASET = "dataset"


@dataclass(frozen=True)
class Input:
    """One argument of the user, made absolute. `place` of a dataset on the hub is its name."""

    kind: Kind
    place: str


@dataclass(frozen=True)
class Photo:
    """One photo, by where it is. `path` is relative to its input; `offset` and `length`: a tar's bytes (or rows)."""

    input: int
    path: str
    stem: str
    caption: str = ""
    offset: int = -1
    length: int = -1


def find_photos(paths: Sequence[str | Path]) -> tuple[list[Input], list[Photo]]:
    """Every photo of every argument, named uniquely, in a stable order.

    Raises `MissingPath`, `NoImages`, `CannotRead` and `BadManifest`; a photo that is listed but missing is found later.
    """
    inputs: list[Input] = []
    listed: list[tuple[Found, Photo]] = []
    for number, argument in enumerate(dict.fromkeys(map(str, paths))):
        inputs.append(_input(argument))
        here = list(LISTERS[inputs[-1].kind](inputs[-1], argument, number))
        if not here:
            raise NoImages(argument, IMAGE_EXTENSIONS)
        if inputs[-1].kind == Kind.TABLE:
            inputs[-1], here = _rooted(here)
        listed += here
    once: dict[str, tuple[Found, Photo]] = {}
    for found, photo in listed:
        once.setdefault(os.path.abspath(found.path), (found, photo))
    stems = output_stems([found for found, _ in once.values()])
    pairs = zip(once.values(), stems, strict=True)
    return inputs, [_named(photo, stem) for (_, photo), stem in pairs]


def listing_digest(photos: Sequence[Photo]) -> str:
    """SHA-256 over names, sizes and captions: cheap to take again, and other when photos came, went or were renamed."""
    digest = hashlib.sha256()
    for photo in photos:
        row = {"path": photo.path, "stem": photo.stem, "caption": photo.caption, "at": [photo.offset, photo.length]}
        digest.update(json_line(row).encode() + b"\n")
    return digest.hexdigest()


def read_photo(source: Input, path: str, offset: int, length: int) -> bytes:
    """The bytes of one photo's file. Raises `BadImage` with a reason for whatever goes wrong."""
    if source.kind == Kind.DATASET:
        return _read_row(source.place, path, offset)
    place = Path(source.place) if source.kind == Kind.TAR else photo_path(source, path)
    try:
        with open(place, "rb") as stream:
            if source.kind == Kind.TAR:
                stream.seek(offset)
                return stream.read(length)
            return stream.read()
    except IsADirectoryError as error:
        raise BadImage(path, ImageFault.FOLDER) from error
    except (FileNotFoundError, NotADirectoryError) as error:
        raise BadImage(path, ImageFault.MISSING) from error
    except PermissionError as error:
        raise BadImage(path, ImageFault.NO_PERMISSION) from error
    except (OSError, ValueError) as error:  # ValueError: a NUL byte in the name
        raise BadImage(path, ImageFault.UNREADABLE, str(error)) from error


def photo_path(source: Input, path: str) -> Path:
    """The file of a photo in a folder or a table; a table's paths are relative to the table."""
    return Path(source.place if source.kind == Kind.FOLDER else Path(source.place).parent) / path


def public_name(path: str) -> str:
    """A path as it may stand in a dataset: valid UTF-8 whatever bytes the file system's name has."""
    return path.encode("utf-8", "backslashreplace").decode("utf-8")


# --- one lister a kind ---


def _input(argument: str) -> Input:
    if argument.startswith(HUB):
        name = argument.removeprefix(HUB)
        local = os.path.isdir(name)
        return Input(Kind.DATASET, os.path.abspath(name) if local else name)
    path = Path(argument)
    if not os.path.exists(path):
        raise MissingPath(path)
    place = os.path.abspath(path)
    if path.is_dir():
        return Input(Kind.DATASET if _is_dataset(path) else Kind.FOLDER, place)
    suffix = path.suffix.lower()
    if suffix in TABLES:
        return Input(Kind.TABLE, place)
    return Input(Kind.TAR, place) if suffix == ".tar" else Input(Kind.FOLDER, os.path.dirname(place))


def _is_dataset(folder: Path) -> bool:
    """Saved with save_to_disk, or parquet files and no pictures at the top."""
    if (folder / "dataset_info.json").is_file() or (folder / "dataset_dict.json").is_file():
        return True
    inside = {name.suffix.lower() for name in [*folder.iterdir(), *folder.glob("data/*")]}
    return ".parquet" in inside and not inside & set(IMAGE_EXTENSIONS)


def _list_folder(source: Input, argument: str, number: int) -> Iterator[tuple[Found, Photo]]:
    for found in find_images([argument], ours=is_ours):
        path = os.path.relpath(os.path.abspath(found.path), source.place)
        yield found, Photo(number, path, "", length=_size(found.path))


def _list_tar(source: Input, argument: str, number: int) -> Iterator[tuple[Found, Photo]]:
    try:
        with tarfile.open(source.place, "r:") as tar:  # not compressed: members are read again by their offset
            members = [member for member in tar if member.isfile()]
            captions = {
                name.rpartition(".")[0]: _decoded(tar.extractfile(member).read())  # type: ignore[union-attr]
                for member in members
                if (name := member.name).lower().endswith(".txt") and member.size < 65_536
            }
    except (tarfile.TarError, OSError) as error:
        raise CannotRead(argument, f"not a plain tar: {error}") from error
    for member in members:
        if Path(member.name).suffix.lower() in IMAGE_EXTENSIONS:
            caption = captions.get(member.name.rpartition(".")[0], "")
            photo = Photo(number, member.name, "", caption, member.offset_data, member.size)
            yield Found(Path(source.place) / member.name.lstrip("/"), Path(source.place)), photo


def _list_table(source: Input, argument: str, number: int) -> Iterator[tuple[Found, Photo]]:
    for path, caption in _table_rows(Path(source.place)):
        place = photo_path(source, path)
        yield Found(place, place.parent), Photo(number, path, "", caption, length=_size(place))


def _rooted(listed: list[tuple[Found, Photo]]) -> tuple[Input, list[tuple[Found, Photo]]]:
    """What a table lists, as if its common folder had been given: absolute paths are nobody else's business."""
    root = os.path.commonpath([os.path.abspath(found.path.parent) for found, _ in listed])
    return Input(Kind.FOLDER, root), [
        (found, replace(photo, path=os.path.relpath(os.path.abspath(found.path), root))) for found, photo in listed
    ]


def _list_dataset(source: Input, argument: str, number: int) -> Iterator[tuple[Found, Photo]]:
    for split, rows in _open_photos(source.place).items():
        column = next((name for name in CAPTION_COLUMNS if name in rows.column_names), None)
        captions = rows[column] if column else None
        for row in range(len(rows)):
            caption = str(captions[row] or "") if captions is not None else ""
            place = Path("/") / source.place / split / f"{row:08d}"
            yield Found(place, place.parent.parent), Photo(number, split, "", caption, row)


LISTERS = {
    Kind.FOLDER: _list_folder,
    Kind.TAR: _list_tar,
    Kind.TABLE: _list_table,
    Kind.DATASET: _list_dataset,
}


def _named(photo: Photo, stem: str) -> Photo:
    if len(stem) > LONGEST_STEM:
        stem = stem[: LONGEST_STEM - 13].rstrip("-_") + "-" + hashlib.sha256(stem.encode()).hexdigest()[:12]
    caption = re.sub(r"\s+", " ", photo.caption).strip().encode("utf-8", "replace").decode()
    return Photo(photo.input, photo.path, stem, caption, photo.offset, photo.length)


def _size(path: Path) -> int:
    try:
        return os.stat(path).st_size
    except (OSError, ValueError):
        return -1


def _decoded(data: bytes) -> str:
    return data.decode("utf-8", "replace")


# --- tables ---


def _table_rows(path: Path) -> Iterator[tuple[str, str]]:
    """(path, caption) of each row. Raises `BadManifest` naming the line."""
    if path.suffix.lower() == ".txt":
        lines = _text(path).splitlines()
        yield from ((line.strip(), "") for line in lines if line.strip())
        return
    for number, row in enumerate(_rows(path), start=1):
        name = next((row[column] for column in PATH_COLUMNS if row.get(column)), None)
        if not isinstance(name, str):
            raise BadManifest(path, number, f"a row needs a text column {' or '.join(PATH_COLUMNS)}")
        caption = next((row[column] for column in CAPTION_COLUMNS if row.get(column)), "")
        yield name, str(caption)


def _rows(path: Path) -> Iterator[Mapping[str, Any]]:
    suffix = path.suffix.lower()
    if suffix == ".jsonl":
        yield from read_jsonl(path)
    elif suffix == ".csv":
        yield from csv.DictReader(io.StringIO(_text(path)))
    else:
        import pyarrow
        import pyarrow.parquet

        try:
            table = pyarrow.parquet.ParquetFile(path)
            wanted = [name for name in (*PATH_COLUMNS, *CAPTION_COLUMNS) if name in table.schema_arrow.names]
            for batch in table.iter_batches(columns=wanted):
                yield from batch.to_pylist()
        except (pyarrow.ArrowException, OSError) as error:
            raise BadManifest(path, 0, f"not a parquet table ({error})") from error


def _text(path: Path) -> str:
    try:
        return path.read_bytes().removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")
    except OSError as error:
        raise CannotRead(path, error.strerror or str(error)) from error


# --- Hugging Face datasets ---


def open_dataset(place: str) -> dict[str, Any]:
    """Split → rows, of a folder that save_to_disk wrote or a dataset's name. Raises `CannotRead`."""
    import datasets

    try:
        saved = [name for name in ("dataset_info.json", "dataset_dict.json") if (Path(place) / name).is_file()]
        opened = datasets.load_from_disk(place) if saved else datasets.load_dataset(place)
    except Exception as error:  # the loader raises whatever its formats and the network raise
        raise CannotRead(place, f"not a dataset that `datasets` can load: {error}") from error
    return dict(opened) if isinstance(opened, dict) else {"train": opened}


@cache
def _open_photos(place: str) -> dict[str, Any]:
    """Split → rows with one image column, its pictures left encoded."""
    splits = open_dataset(place)
    return {name: _with_encoded_images(place, rows) for name, rows in splits.items()}


def _with_encoded_images(place: str, rows: Any) -> Any:
    import datasets

    columns = [name for name, feature in rows.features.items() if isinstance(feature, datasets.Image)]
    if not columns:
        raise CannotRead(place, f"no image column among {', '.join(rows.column_names)}")
    return rows.cast_column(columns[0], datasets.Image(decode=False)).rename_column(columns[0], "__image__")


def _read_row(place: str, split: str, row: int) -> bytes:
    image = _open_photos(place)[split].select_columns(["__image__"])[row]["__image__"]
    if image and image.get("bytes"):
        return image["bytes"]
    if image and image.get("path") and os.path.isfile(image["path"]):
        return Path(image["path"]).read_bytes()
    raise BadImage(f"{place} {split} row {row}", ImageFault.EMPTY)
