"""Where clean photographs come from: folders, tars, tables of paths, rows of images, datasets; one opener for all."""

import hashlib
import os
import re
import stat
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import NamedTuple

from gendeg.pairs.packed import TEXTS, caption_beside, read_tar
from gendeg.pairs.rows import is_saved, read_row, read_rows, with_images
from gendeg.pairs.tables import CLEAN, Row, is_table, read_table, said_split
from gendeg.primitives.errors import BadImage, MissingPath, NoImages, NoPhotos
from gendeg.primitives.faults import ImageFault
from gendeg.primitives.files import Found, json_line, output_stems
from gendeg.primitives.folders import is_ours
from gendeg.primitives.pictures import (
    DUPLICATE,
    IMAGE_EXTENSIONS,
    OTHER_FILE,
    OTHER_SPLIT,
    SIDECAR,
    Contents,
    LeftOut,
    is_built,
    say_reasons,
    walk,
)
from gendeg.primitives.records import Failure

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
    """One place that photos lie in, made absolute. `place` of a dataset on the hub is its name.

    `column` says which picture of a dataset's row, or of a tar's sample, is meant where there are several.
    """

    kind: Kind
    place: str
    column: str = ""


@dataclass(frozen=True)
class Photo:
    """One photo, by where it is. `path` is relative to its input; `offset` and `length`: a tar's bytes (or rows).

    `split` is "" where nothing is said of it.
    """

    input: int
    path: str
    stem: str
    caption: str = ""
    offset: int = -1
    length: int = -1
    split: str = ""


class Opened(NamedTuple):
    """The photos of all places; and the files and rows that are none, each with its reason."""

    inputs: list[Input]
    photos: list[Photo]
    left_out: list[Failure]


def open_photos(
    places: Sequence[str | Path], kind: str = CLEAN, splits: Collection[str] | None = None, column: str = ""
) -> Opened:
    """Every photo of every place, named uniquely, in a stable order.

    Rows of a table, and of a dataset with splits, are taken when they are of this kind and of one of these splits
    (None: any), or do not say; what is not taken is counted. Raises `MissingPath`, `NoImages`, `CannotRead`,
    `BadManifest`, and `BadOption` where `column` is needed; a photo that is listed but missing is found later.
    """
    inputs: list[Input] = []
    once: dict[str, tuple[Found, Photo]] = {}
    left: list[Failure] = []
    asked = Asked(kind, splits, column)
    for argument in dict.fromkeys(map(str, places)):
        here, left_here = 0, len(left)
        for source, lister in _sources(argument, asked):
            listed = list(lister(len(inputs)))
            found = [one for one in listed if not isinstance(one, LeftOut)]
            others = [one for one in listed if isinstance(one, LeftOut)]
            if source.kind == Kind.TABLE and found:
                source, found = _rooted(found)
            inputs.append(source)
            here += len(found)
            others += _gathered(found, once)
            left += [left_out(str(one.path), one.reason, f"{one.path}: {one.message}") for one in others]
        if not here:
            raise _nothing(argument, left[left_here:])
    stems = output_stems([found for found, _ in once.values()])
    pairs = zip(once.values(), stems, strict=True)
    return Opened(inputs, [_named(photo, stem) for (_, photo), stem in pairs], left)


def find_photos(paths: Sequence[str | Path]) -> tuple[list[Input], list[Photo]]:
    """The clean photos of all places, of whatever split. Raises as `open_photos`."""
    opened = open_photos(paths)
    return opened.inputs, opened.photos


def listing_digest(photos: Sequence[Photo], column: str = "") -> str:
    """SHA-256 over names, sizes and captions: cheap to take again, and other when photos came, went or were renamed."""
    digest = hashlib.sha256(column.encode())
    for photo in photos:
        row = {"path": photo.path, "stem": photo.stem, "caption": photo.caption, "at": [photo.offset, photo.length]}
        row |= {"split": photo.split} if photo.split else {}
        digest.update(json_line(row).encode() + b"\n")
    return digest.hexdigest()


def left_out(path: str, reason: str, message: str, key: str = "") -> Failure:
    """A file or row that no sample is planned for."""
    return Failure(key=key, failed=reason, message=public_name(message), clean_path=public_name(path))


def read_photo(source: Input, path: str, offset: int, length: int) -> bytes:
    """The bytes of one photo's file. Raises `BadImage` with a reason for whatever goes wrong."""
    if source.kind == Kind.DATASET:
        return read_row(source.place, source.column, path, offset)
    place = Path(source.place) if source.kind == Kind.TAR else photo_path(source, path)
    try:
        if not stat.S_ISREG(mode := os.stat(place).st_mode) and not stat.S_ISDIR(mode):
            raise BadImage(path, ImageFault.UNREADABLE, "not a regular file")  # a pipe would wait for ever
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


@dataclass(frozen=True)
class Asked:
    """Which rows are wanted, and which of several pictures of a row."""

    kind: str
    splits: Collection[str] | None
    column: str

    def refuse(self, row: Row, path: str) -> LeftOut | None:
        """What is said of a row that is not wanted."""
        reason = row.refused(self.kind, self.splits)
        return LeftOut(Path(path), reason, row.place) if reason else None


Listed = tuple[Found, Photo] | LeftOut
Lister = Callable[[int], Iterator[Listed]]
"""What lies in one input, which has this number."""


def _sources(argument: str, asked: Asked) -> Iterator[tuple[Input, Lister]]:
    """The inputs that an argument stands for: one, or a folder and the tars and parquet files in it."""
    if argument.startswith(HUB):
        name = argument.removeprefix(HUB)
        yield _dataset(os.path.abspath(name) if os.path.exists(name) else name, asked)
        return
    path, place = Path(argument), os.path.abspath(argument)
    if not os.path.exists(path):
        raise MissingPath(path)
    suffix = path.suffix.lower()
    if path.is_dir():
        yield from _of_folder(path, place, asked)
    elif suffix == ".parquet" and with_images([path]):
        yield _dataset(place, asked)
    elif is_table(path):
        yield Input(Kind.TABLE, place), partial(_list_table, Path(place), asked)
    elif suffix == ".tar":
        yield _tar(place, Path(place), asked)
    else:
        yield Input(Kind.FOLDER, os.path.dirname(place)), partial(_list_file, path)


def _of_folder(path: Path, place: str, asked: Asked) -> Iterator[tuple[Input, Lister]]:
    if is_saved(path):
        yield _dataset(place, asked)
        return
    contents = list(walk(path, is_ours))
    packed = sorted((one for here in contents for one in here.packed), key=os.fsencode)
    tars = [one for one in packed if one.suffix.lower() == ".tar"]
    rows = with_images([one for one in packed if one not in set(tars)])
    tables = [one for one in packed if one not in {*tars, *rows}]
    pictures = any(here.pictures for here in contents)
    if rows and not tars and not pictures:
        yield _dataset(place, asked)  # all at once: their names may tell splits
    yield Input(Kind.FOLDER, place), partial(_list_folder, path, contents, tables)
    for one in rows if tars or pictures else ():
        yield _dataset(os.path.abspath(one), asked)
    for one in tars:
        if is_built(path):
            own = replace(asked, column="clean")
            yield _tar(os.path.abspath(one), Path(place), own, said_split(one.name.partition("-")[0]))
        else:
            yield _tar(os.path.abspath(one), Path(place), asked)


def _dataset(place: str, asked: Asked) -> tuple[Input, Lister]:
    source = Input(Kind.DATASET, place, asked.column)
    return source, partial(_list_dataset, source, asked)


def _tar(place: str, root: Path, asked: Asked, split: str = "") -> tuple[Input, Lister]:
    return Input(Kind.TAR, place, asked.column), partial(_list_tar, place, root, asked, split)


def _list_file(path: Path, number: int) -> Iterator[Listed]:
    yield Found(path, path.parent), Photo(number, path.name, "", length=_size(path))


def _list_folder(root: Path, contents: Sequence[Contents], tables: Sequence[Path], number: int) -> Iterator[Listed]:
    """The pictures with the captions that lie beside them; what is no picture, by its path below the folder."""
    place = os.path.abspath(root)
    others = [one for here in contents for one in here.left_out]
    texts = {one.path for one in others if one.reason == SIDECAR and one.path.suffix.lower() in TEXTS}
    for path in sorted((path for here in contents for path in here.pictures), key=os.fsencode):
        name = os.path.relpath(os.path.abspath(path), place)
        caption = caption_beside(path, texts) if texts else ""
        yield Found(path, root), Photo(number, name, "", caption, length=_size(path))
    others = [one for one in others if one.path not in texts]
    for one in [*others, *(LeftOut(path, OTHER_FILE, "a table without a column of images") for path in tables)]:
        yield replace(one, path=Path(os.path.relpath(one.path, root)))


def _list_tar(place: str, root: Path, asked: Asked, split: str, number: int) -> Iterator[Listed]:
    for count, one in enumerate(read_tar(place, asked.column), start=1):
        if isinstance(one, LeftOut):
            yield one
        elif refused := asked.refuse(Row(count, one.name, split=split), one.name):
            yield refused
        else:
            photo = Photo(number, one.name, "", one.caption, one.offset, one.length, split)
            yield Found(Path(place) / one.name.lstrip("/"), root), photo


def _list_table(path: Path, asked: Asked, number: int) -> Iterator[Listed]:
    for row in read_table(path):
        if refused := asked.refuse(row, row.path):
            yield refused
        else:
            place = path.parent / row.path
            photo = Photo(number, row.path, "", row.caption, length=_size(place), split=row.split)
            yield Found(place, place.parent), photo


def _list_dataset(source: Input, asked: Asked, number: int) -> Iterator[Listed]:
    for split, count, row in read_rows(source.place, source.column):
        place = Path("/") / source.place / split / f"{count:08d}"
        if refused := asked.refuse(row, f"{split} row {count}"):
            yield refused
        else:
            yield Found(place, place.parent.parent), Photo(number, split, "", row.caption, count, split=row.split)


def _rooted(listed: list[tuple[Found, Photo]]) -> tuple[Input, list[tuple[Found, Photo]]]:
    """What a table lists, as if its common folder had been given: absolute paths are nobody else's business."""
    root = os.path.commonpath([os.path.abspath(found.path.parent) for found, _ in listed])
    return Input(Kind.FOLDER, root), [
        (found, replace(photo, path=os.path.relpath(os.path.abspath(found.path), root))) for found, photo in listed
    ]


def _gathered(listed: list[tuple[Found, Photo]], once: dict[str, tuple[Found, Photo]]) -> Iterator[LeftOut]:
    """Adds what is new; yields what one place lists twice. (A file that two places name is simply taken once.)"""
    here: set[str] = set()
    for found, photo in listed:
        place = os.path.abspath(found.path)
        if place in here:
            yield LeftOut(Path(photo.path), DUPLICATE, "listed twice")
        here.add(place)
        once.setdefault(place, (found, photo))


def _nothing(argument: str, left: Sequence[Failure]) -> NoImages:
    """What to say of a place without a photo."""
    if not left:
        return NoImages(argument, IMAGE_EXTENSIONS)
    reasons = dict(sorted(Counter(one.failed for one in left).items()))
    if OTHER_SPLIT in reasons:
        return NoPhotos(argument, say_reasons(reasons), "--split names the splits that are made, as test=1")
    return NoPhotos(argument, say_reasons(reasons))


def _named(photo: Photo, stem: str) -> Photo:
    if len(stem) > LONGEST_STEM:
        stem = stem[: LONGEST_STEM - 13].rstrip("-_") + "-" + hashlib.sha256(stem.encode()).hexdigest()[:12]
    caption = re.sub(r"\s+", " ", photo.caption).strip().encode("utf-8", "replace").decode()
    return Photo(photo.input, photo.path, stem, caption, photo.offset, photo.length, photo.split)


def _size(path: Path) -> int:
    try:
        return os.stat(path).st_size
    except (OSError, ValueError):
        return -1
