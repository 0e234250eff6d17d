"""A photo, wherever it lies, and the one opener of all places: folders, tars, tables, manifests, datasets."""

import hashlib
import os
import re
import stat
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from gendeg.pairs.packed import TEXTS, caption_beside, read_tar
from gendeg.pairs.rows import half_columns, is_saved, read_row, read_rows, with_images
from gendeg.pairs.split import said_split
from gendeg.pairs.tables import CLEAN, REAL, Row, is_table, read_table
from gendeg.primitives.errors import BadImage, BadManifest, BadOption, GendegError, MissingPath, NoImages, NoPhotos
from gendeg.primitives.faults import ImageFault
from gendeg.primitives.files import Found, atomic_write, ensure_writable, find_images, json_line, output_stems
from gendeg.primitives.folders import is_ours
from gendeg.primitives.hub import HUB
from gendeg.primitives.images import U8Image, read_rgb
from gendeg.primitives.kinds import mix_name, parse_mix
from gendeg.primitives.pictures import (
    DUPLICATE,
    IMAGE_EXTENSIONS,
    OTHER_FILE,
    OTHER_KIND,
    OTHER_SPLIT,
    SIDECAR,
    Contents,
    LeftOut,
    is_built,
    say_reasons,
    walk,
)
from gendeg.primitives.records import Failure
from gendeg.primitives.silence import doing

Item = TypeVar("Item")
LONGEST_STEM = 56
"""Characters: `<stem>-motion_blur-00.degraded.png` has to fit into the 100 bytes of a tar header's name."""


class Kind(StrEnum):
    FOLDER = "folder"
    TAR = "tar"
    TABLE = "table"
    DATASET = "dataset"


@dataclass(frozen=True, slots=True)
class Input:
    """One place that photos lie in, as it was given. `place` of a dataset on the hub is its name.

    `column` says which picture of a dataset's row, or of a tar's sample, is meant where there are several.
    """

    kind: Kind
    place: str
    column: str = ""


@dataclass(frozen=True, slots=True)
class Photo:
    """One photo, by where it is: a file, `size` bytes of one from `at` on, or row `at` of a dataset.

    `path` is relative to its input: below a folder, beside a table, in a tar; of a dataset, its split. What nothing is
    said of is "".
    """

    input: Input
    path: str
    stem: str = ""
    caption: str = ""
    at: int = -1
    size: int = -1
    split: str = ""
    degradation: str = ""

    @property
    def file(self) -> Path:
        """The file that holds it; of a dataset no file but its name."""
        place = Path(self.input.place)
        if self.input.kind in (Kind.TAR, Kind.DATASET):
            return place
        return (place if self.input.kind == Kind.FOLDER else place.parent) / self.path

    @property
    def name(self) -> str:
        """What it is called in messages and records."""
        if self.input.kind == Kind.DATASET:
            return f"{self.input.place} {self.path} row {self.at}"
        return f"{self.input.place}/{self.path}" if self.input.kind == Kind.TAR else str(self.file)

    @property
    def title(self) -> str:
        """The last part of its name."""
        return f"{self.path} row {self.at}" if self.input.kind == Kind.DATASET else os.path.basename(self.path)

    @property
    def is_file(self) -> bool:
        """Whether it is a file of its own."""
        return self.at < 0 and self.input.kind in (Kind.FOLDER, Kind.TABLE)

    @property
    def place(self) -> str:
        """Where it lies, below its input: `path`, and where in that file."""
        return self.path if self.at < 0 else f"{self.path}@{self.at}"

    @property
    def address(self) -> str:
        """Unique among all places, wherever the run is started."""
        split = f" {self.path}" if self.input.kind == Kind.DATASET else ""
        return f"{os.path.abspath(self.file)}{split}@{max(self.at, 0)}"

    def image(self) -> U8Image:
        """Raises `BadImage`."""
        try:
            return read_rgb(self.file if self.is_file else self.bytes())
        except BadImage as error:
            raise error.named(self.name) from error

    def bytes(self) -> bytes:
        """As they are stored. Raises `BadImage` with a reason for whatever goes wrong."""
        if self.input.kind == Kind.DATASET:
            return read_row(self.input.place, self.input.column, self.path, self.at)
        try:
            if not stat.S_ISREG(mode := os.stat(self.file).st_mode) and not stat.S_ISDIR(mode):
                raise BadImage(self.name, ImageFault.UNREADABLE, "not a regular file")  # a pipe would wait for ever
            with open(self.file, "rb") as stream:
                stream.seek(max(self.at, 0))
                return stream.read(self.size if self.at >= 0 else -1)
        except IsADirectoryError as error:
            raise BadImage(self.name, ImageFault.FOLDER) from error
        except (FileNotFoundError, NotADirectoryError) as error:
            raise BadImage(self.name, ImageFault.MISSING) from error
        except PermissionError as error:
            raise BadImage(self.name, ImageFault.NO_PERMISSION) from error
        except (OSError, ValueError) as error:  # ValueError: a NUL byte in the name
            raise BadImage(self.name, ImageFault.UNREADABLE, str(error)) from error

    def as_file(self, folder: Path) -> Path:
        """Its file; what is none of its own is written into a folder. Raises `BadImage`, `OutputNotWritable`."""
        if self.is_file:
            return self.file
        unique = hashlib.sha256(self.address.encode("utf-8", "surrogateescape")).hexdigest()[:8]
        path = ensure_writable(folder) / f"{self.stem}-{unique}{os.path.splitext(self.path)[1] or '.png'}"
        if not path.exists():
            atomic_write(path, self.bytes())
        return path

    def length(self) -> int:
        """Of its bytes."""
        return self.size if self.size >= 0 else self.file.stat().st_size if self.is_file else len(self.bytes())

    def stamp(self) -> str:
        """Changes when its file does; empty when there is none."""
        try:
            known = self.file.stat()
        except OSError:
            return ""
        return f"{known.st_size}-{known.st_mtime_ns}"


class Opened(NamedTuple):
    """The photos of all places; and the files and rows that are none, each with its reason."""

    inputs: list[Input]
    photos: list[Photo]
    left_out: list[Failure]


@dataclass(frozen=True)
class Asked:
    """Which photos are wanted: rows of this kind and of one of these splits (None: any), or that do not say.

    `column`: which of several pictures of a row. `skip`: files of a folder that are not seen at all. `hidden`: as a
    dataset may say where they lie: below absolute places, of a table below the folder that its photos have in common.
    `named`: rows have to name a degradation.
    """

    kind: str = CLEAN
    splits: Collection[str] | None = None
    column: str = ""
    skip: Callable[[Path], bool] = lambda path: False
    hidden: bool = False
    named: bool = False

    def refuse(self, row: Row, path: str) -> LeftOut | None:
        """What is said of a row that is not wanted."""
        reason = "" if self.half_of(row) else row.refused(self.kind, self.splits)
        return LeftOut(Path(path), reason, row.place) if reason else None

    def half_of(self, row: Row) -> str:
        """The degraded half of a pair of these splits, where real degraded photos are asked for."""
        wanted = self.kind == REAL and not replace(row, kind=REAL).refused(REAL, self.splits)
        return row.fields.get("degraded", "") if wanted else ""


def open_photos(
    places: Iterable[str | Path],
    kind: str = CLEAN,
    split: str | Sequence[str] | None = None,
    most: int = 0,
    column: str = "",
    skip: Callable[[Path], bool] = lambda path: False,
) -> list[Photo]:
    """The photos of all places in the order of their names: files, folders, tars, tables, manifests, datasets, hf:NAME.

    Rows that say a kind or a split must say one of these (None: any split); how many others there are is said. `most`:
    so many (0: all) at even distances, so that every folder has its share. Raises `MissingPath` (of a listed file too),
    `NoImages`, `CannotRead`, `BadManifest`, and `BadOption` where `column` is needed.
    """
    splits = None if split is None else [said_split(one) for one in ([split] if isinstance(split, str) else split)]
    return spread(_by_name(_found(list(places), Asked(kind, splits, column, skip))), most)


def _by_name(photos: Iterable[Photo]) -> list[Photo]:
    return sorted(photos, key=lambda photo: os.fsencode(photo.name))


def _found(places: Sequence[str | Path], asked: Asked) -> list[Photo]:
    opened = find_photos(places, asked)
    others = [one for one in opened.left_out if one.failed not in (OTHER_KIND, OTHER_SPLIT, DUPLICATE)]
    if others:
        print(f"gendeg: files that are no photos: {len(others)} ({say_reasons(_counted(others))})", file=sys.stderr)
    return opened.photos


def open_real(place: str | Path, split: str, most: int = 0) -> dict[str, list[Photo]]:
    """Degradation → real degraded photos, at most `most` of each (0: all), spread evenly.

    A folder has a folder for each degradation, a table or dataset a column `degradation`; of a manifest or a dataset
    of pairs it is the degraded halves. In the order of their names, but a table's in the order of its rows.
    Raises as `open_photos`, and `BadOption` where no degradation is named.
    """
    found: dict[str, list[Photo]] = {}
    try:
        photos = _found([place], Asked(REAL, [said_split(split)], named=True))
    except NoImages:
        if not os.path.isdir(place):
            raise
        photos = []
    for photo in photos if is_table(Path(place)) else _by_name(photos):
        if photo.degradation:
            found.setdefault(photo.degradation, []).append(photo)
    if not found:
        raise BadOption(
            "--real", f"{place}: no folder (or row) named after a degradation, such as haze/ or motion_blur/"
        )
    return {name: spread(photos, most) for name, photos in sorted(found.items())}


def named_alone(photos: Sequence[Photo]) -> list[Photo]:
    """The same, named uniquely among these by their own folders, wherever they were found."""
    stems = output_stems([Found(Path(one.name), Path(one.name).parent) for one in photos])
    return [replace(one, stem=stem) for one, stem in zip(photos, stems, strict=True)]


def spread(found: list[Item], most: int) -> list[Item]:
    """`most` of them at even distances; 0: all."""
    if not most or len(found) <= most:
        return found
    return [found[int(i)] for i in np.linspace(0, len(found) - 1, most).round()]


def find_photos(places: Sequence[str | Path], asked: Asked = Asked()) -> Opened:
    """Every photo of every place, named uniquely, in a stable order, and what is none.

    Raises as `open_photos`; a photo that is listed but missing is found later where photos are `hidden`.
    """
    inputs: list[Input] = []
    once: dict[str, tuple[Found, Photo]] = {}
    left: list[Failure] = []
    for argument in dict.fromkeys(map(str, places)):
        here, others = 0, []
        for source, lister in _sources(argument, asked):
            listed = list(lister(source))
            found = [one for one in listed if not isinstance(one, LeftOut)]
            others += [one for one in listed if isinstance(one, LeftOut)]
            if asked.hidden and source.kind == Kind.TABLE and found:
                source, found = _rooted(found)
            inputs.append(source)
            here += len(found)
            others += _gathered(found, once)
        left_here = [left_out(str(one.path), one.reason, f"{one.path}: {one.message}") for one in others]
        if not here:
            raise _nothing(argument, left_here, asked)
        if not asked.hidden:
            _say_rows(argument, here, left_here)
        left += left_here
    stems = output_stems([found for found, _ in once.values()])
    pairs = zip(once.values(), stems, strict=True)
    return Opened(inputs, [_named(photo, stem, asked) for (_, photo), stem in pairs], left)


def listing_digest(photos: Sequence[Photo], column: str = "") -> str:
    """SHA-256 over names, sizes and captions: cheap to take again, and other when photos came, went or were renamed."""
    digest = hashlib.sha256(column.encode())
    for photo in photos:
        row = {"path": photo.path, "stem": photo.stem, "caption": photo.caption, "at": [photo.at, photo.size]}
        row |= {"split": photo.split} if photo.split else {}
        digest.update(json_line(row).encode() + b"\n")
    return digest.hexdigest()


def left_out(path: str, reason: str, message: str, key: str = "") -> Failure:
    """A file or row that no sample is planned for."""
    return Failure(key=key, failed=reason, message=public_name(message), clean_path=public_name(path))


def public_name(path: str) -> str:
    """A path as it may stand in a dataset: valid UTF-8 whatever bytes the file system's name has."""
    return path.encode("utf-8", "backslashreplace").decode("utf-8")


# --- one lister a kind ---


Listed = tuple[Found, Photo] | LeftOut
Lister = Callable[[Input], Iterator[Listed]]
"""What lies in one input."""


def _sources(argument: str, asked: Asked) -> Iterator[tuple[Input, Lister]]:
    """The inputs that an argument stands for: one, or a folder and the tars and parquet files in it."""
    if argument.startswith(HUB):
        name = argument.removeprefix(HUB)
        yield _dataset(os.path.abspath(name) if os.path.exists(name) else name, asked)
        return
    if not os.path.exists(argument):
        raise MissingPath(argument)
    path = Path(os.path.abspath(argument) if asked.hidden else argument)
    suffix = path.suffix.lower()
    if path.is_dir():
        yield from _of_folder(path, asked)
    elif suffix == ".parquet" and with_images([path]):
        yield _dataset(os.path.abspath(path), asked)
    elif is_table(path):
        yield Input(Kind.TABLE, str(path)), partial(_list_table, asked)
    elif suffix == ".tar":
        yield _tar(path, path, asked)
    else:
        yield Input(Kind.FOLDER, str(path.parent)), partial(_list_file, path)


def _of_folder(path: Path, asked: Asked) -> Iterator[tuple[Input, Lister]]:
    if is_saved(path):
        yield _dataset(os.path.abspath(path), asked)
        return
    contents = []
    with doing("listing photos:") as step:
        for here in walk(path, is_ours):
            contents.append(here)
            step.count += len(here.pictures)
    packed = sorted((one for here in contents for one in here.packed), key=os.fsencode)
    tars = [one for one in packed if one.suffix.lower() == ".tar"]
    rows = with_images([one for one in packed if one not in set(tars)])
    tables = [one for one in packed if one not in {*tars, *rows}]
    pictures = any(here.pictures for here in contents)
    if rows and not tars and not pictures:
        yield _dataset(os.path.abspath(path), asked)  # all at once: their names may tell splits
    yield Input(Kind.FOLDER, str(path)), partial(_list_folder, path, contents, tables, asked)
    for one in rows if tars or pictures else ():
        yield _dataset(os.path.abspath(one), asked)
    for one in tars:
        if is_built(path):
            own = replace(asked, column="degraded" if asked.kind == REAL else "clean")
            yield _tar(one, path, own, said_split(one.name.partition("-")[0]), degradation_named(one.parent.name))
        else:
            yield _tar(one, path, asked)


def _dataset(place: str, asked: Asked) -> tuple[Input, Lister]:
    halves = {} if asked.column else half_columns(place)
    column = asked.column or halves.get("degraded" if asked.kind == REAL else "clean", "")
    return Input(Kind.DATASET, place, column), partial(_list_dataset, asked)


def _tar(place: Path, root: Path, asked: Asked, split: str = "", degradation: str = "") -> tuple[Input, Lister]:
    return Input(Kind.TAR, str(place), asked.column), partial(_list_tar, root, asked, split, degradation)


def _list_file(path: Path, source: Input) -> Iterator[Listed]:
    yield Found(path, path.parent), Photo(source, path.name, size=_size(path))


def _list_folder(
    root: Path, contents: Sequence[Contents], tables: Sequence[Path], asked: Asked, source: Input
) -> Iterator[Listed]:
    """The pictures with the captions that lie beside them; what is no picture, by its path below the folder."""
    others = [one for here in contents for one in here.left_out if not asked.skip(one.path)]
    texts = {one.path for one in others if one.reason == SIDECAR and one.path.suffix.lower() in TEXTS}
    for path in sorted((path for here in contents for path in here.pictures), key=os.fsencode):
        if asked.skip(path):
            continue
        name = os.path.relpath(path, root)
        caption = caption_beside(path, texts) if texts else ""
        kind = degradation_named(name.partition(os.sep)[0]) if asked.kind == REAL else ""
        yield Found(path, root), Photo(source, name, "", caption, size=_size(path), degradation=kind)
    others = [one for one in others if one.path not in texts]
    for one in [*others, *(LeftOut(path, OTHER_FILE, "a table without a column of images") for path in tables)]:
        yield replace(one, path=Path(os.path.relpath(one.path, root)))


def _list_tar(root: Path, asked: Asked, split: str, degradation: str, source: Input) -> Iterator[Listed]:
    for count, one in enumerate(read_tar(source.place, asked.column), start=1):
        if isinstance(one, LeftOut):
            yield one
        elif refused := asked.refuse(Row(count, one.name, split=split), one.name):
            yield refused
        else:
            kind = degradation or degradation_named(one.name.partition("/")[0])
            photo = Photo(source, one.name, "", one.caption, one.offset, one.length, split, kind)
            yield Found(Path(source.place) / one.name.lstrip("/"), root), photo


def _list_table(asked: Asked, source: Input) -> Iterator[Listed]:
    path = Path(source.place)
    for row in read_table(path):
        if refused := asked.refuse(row, row.path):
            yield refused
            continue
        listed = asked.half_of(row) or row.path
        place, said = path.parent / listed, row.fields.get("degradation", "") if asked.kind == REAL else ""
        if asked.named and not degradation_named(said):
            raise BadManifest(path, row.line, f"no degradation is called '{said}'")
        photo = Photo(source, listed, "", row.caption, -1, _size(place), row.split, degradation_named(said))
        if asked.hidden or os.path.isfile(place):
            yield Found(place, place.parent), photo
            continue
        for found in find_images([place], asked.skip, is_ours):  # a folder that is listed stands for its pictures
            name = os.path.join(listed, os.path.relpath(found.path, place))
            yield found, replace(photo, path=name, size=_size(found.path))


def _list_dataset(asked: Asked, source: Input) -> Iterator[Listed]:
    for split, count, row in read_rows(source.place, source.column):
        place = Path("/") / source.place / split / f"{count:08d}"
        if refused := asked.refuse(row, f"{split} row {count}"):
            yield refused
        else:
            kind = degradation_named(row.fields.get("degradation", ""))
            photo = Photo(source, split, "", row.caption, count, split=row.split, degradation=kind)
            yield Found(place, place.parent.parent), photo


def degradation_named(name: str) -> str:
    """The degradation (or mix) that a folder or a row is named after, or ""."""
    try:
        return mix_name(parse_mix(name)) if name else ""
    except GendegError:
        return ""


def _rooted(listed: list[tuple[Found, Photo]]) -> tuple[Input, list[tuple[Found, Photo]]]:
    """What a table lists, as if its common folder had been given: absolute paths are nobody else's business."""
    root = os.path.commonpath([os.path.abspath(found.path.parent) for found, _ in listed])
    source = Input(Kind.FOLDER, root)
    paths = [os.path.relpath(os.path.abspath(found.path), root) for found, _ in listed]
    return source, [
        (found, replace(photo, input=source, path=path)) for (found, photo), path in zip(listed, paths, strict=True)
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


def _nothing(argument: str, left: Sequence[Failure], asked: Asked) -> NoImages:
    """What to say of a place without a photo."""
    if not left and not is_table(argument):
        return NoImages(argument, IMAGE_EXTENSIONS)
    reasons = _counted(left)
    if asked.hidden and OTHER_SPLIT in reasons:
        return NoPhotos(argument, say_reasons(reasons), "--split names the splits that are made, as test=1")
    if is_table(argument) and not asked.hidden:
        splits = f" and split {' or '.join(asked.splits)}" if asked.splits else ""
        advice = f"asked for are rows of kind {asked.kind}{splits}, or that do not say"
        return NoPhotos(argument, say_reasons(reasons) or "it has no rows", advice)
    return NoPhotos(argument, say_reasons(reasons)) if left else NoImages(argument, IMAGE_EXTENSIONS)


def _say_rows(argument: str, taken: int, left: Sequence[Failure]) -> None:
    """How many rows are of another kind or split."""
    others = [one for one in left if one.failed in (OTHER_KIND, OTHER_SPLIT)]
    if others:
        rows, said = taken + len(others), say_reasons(_counted(others))
        print(f"gendeg: {argument}: {len(others)} of {rows} rows left out ({said})", file=sys.stderr)


def _counted(left: Iterable[Failure]) -> dict[str, int]:
    return dict(sorted(Counter(one.failed for one in left).items()))


def _named(photo: Photo, stem: str, asked: Asked) -> Photo:
    if asked.hidden and len(stem) > LONGEST_STEM:
        stem = stem[: LONGEST_STEM - 13].rstrip("-_") + "-" + hashlib.sha256(stem.encode()).hexdigest()[:12]
    caption = re.sub(r"\s+", " ", photo.caption).strip().encode("utf-8", "replace").decode()
    return replace(photo, stem=stem, caption=caption)


def _size(path: Path) -> int:
    try:
        return os.stat(path).st_size
    except (OSError, ValueError):
        return -1
