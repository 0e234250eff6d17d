"""Where photos lie: what an argument stands for, and one lister a kind of place."""

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from gendeg.pairs.packed import ARCHIVES, COMPRESSED, TEXTS, caption_beside, read_tar
from gendeg.pairs.photo import Input, Kind, Photo
from gendeg.pairs.rows import half_columns, is_saved, read_rows, with_images
from gendeg.pairs.split import said_split
from gendeg.pairs.tables import CLEAN, REAL, Row, is_table, read_table
from gendeg.primitives.errors import BadManifest, CannotRead, GendegError, MissingPath
from gendeg.primitives.files import Found, find_images
from gendeg.primitives.folders import is_claimed, is_ours
from gendeg.primitives.hub import HUB
from gendeg.primitives.kinds import mix_name, parse_mix
from gendeg.primitives.pictures import OTHER_FILE, SIDECAR, Contents, LeftOut, is_built, walk
from gendeg.primitives.silence import doing


@dataclass(frozen=True)
class Asked:
    """Which photos are wanted: rows of this kind and of one of these splits (None: any), or that do not say.

    `column`: which of several pictures of a row. `skip`: files of a folder that are not seen at all. `hidden`: as a
    dataset may say where they lie: below absolute places, of a table below the folder that its photos have in common.
    `named`: rows have to name a degradation. `gaps`: a listed file may be missing; whoever reads it says so.
    """

    kind: str = CLEAN
    splits: Collection[str] | None = None
    column: str = ""
    skip: Callable[[Path], bool] = lambda path: False
    hidden: bool = False
    named: bool = False
    gaps: bool = False

    @property
    def ours(self) -> Callable[[Path], bool]:
        """Folders that hold no such photos: of degraded ones `synth` makes some."""
        return is_ours if self.kind == CLEAN else is_claimed

    def refuse(self, row: Row, path: str) -> LeftOut | None:
        """What is said of a row that is not wanted."""
        reason = "" if self.half_of(row) else row.refused(self.kind, self.splits)
        return LeftOut(Path(path), reason, row.place) if reason else None

    def half_of(self, row: Row) -> str:
        """The degraded half of a pair of these splits, where real degraded photos are asked for."""
        wanted = self.kind == REAL and not replace(row, kind=REAL).refused(REAL, self.splits)
        return row.fields.get("degraded", "") if wanted else ""


Listed = tuple[Found, Photo] | LeftOut
Lister = Callable[[Input], Iterator[Listed]]
"""What lies in one input."""


def sources_of(argument: str, asked: Asked) -> Iterator[tuple[Input, Lister]]:
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
    elif argument.lower().endswith(ARCHIVES):
        raise CannotRead(argument, COMPRESSED)
    else:
        yield Input(Kind.FOLDER, str(path.parent)), partial(_list_file, path)


def _of_folder(path: Path, asked: Asked) -> Iterator[tuple[Input, Lister]]:
    if is_saved(path):
        yield _dataset(os.path.abspath(path), asked)
        return
    contents = []
    with doing("listing photos:") as step:
        for here in walk(path, asked.ours):
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
        if asked.hidden or os.path.isfile(place) or (asked.gaps and not os.path.isdir(place)):
            yield Found(place, place.parent), photo
            continue
        for found in find_images([place], asked.skip, asked.ours):  # a folder that is listed stands for its pictures
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


def _size(path: Path) -> int:
    try:
        return os.stat(path).st_size
    except (OSError, ValueError):
        return -1
