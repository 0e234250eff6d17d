"""The one opener of all places that photos lie in: folders, tars, tables, manifests, datasets."""

import hashlib
import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from gendeg.pairs.listers import Asked, sources_of
from gendeg.pairs.photo import Input, Kind, Photo
from gendeg.pairs.split import said_split
from gendeg.pairs.tables import CLEAN, REAL, is_table
from gendeg.primitives.errors import BadOption, MissingPath, NoImages, NoPhotos
from gendeg.primitives.files import Found, json_line, output_stems
from gendeg.primitives.pictures import (
    DUPLICATE,
    IMAGE_EXTENSIONS,
    OTHER_KIND,
    OTHER_SPLIT,
    LeftOut,
    count_reasons,
    say_reasons,
)
from gendeg.primitives.records import Failure

Item = TypeVar("Item")
LONGEST_STEM = 56
"""Characters: `<stem>-motion_blur-00.degraded.png` has to fit into the 100 bytes of a tar header's name."""


class Opened(NamedTuple):
    """The photos of all places; and the files and rows that are none, each with its reason."""

    inputs: list[Input]
    photos: list[Photo]
    left_out: list[Failure]


def open_photos(
    places: Iterable[str | Path],
    kind: str = CLEAN,
    split: str | Sequence[str] | None = None,
    most: int = 0,
    column: str = "",
    skip: Callable[[Path], bool] = lambda path: False,
    gaps: bool = False,
) -> list[Photo]:
    """The photos of all places in the order of their names: files, folders, tars, tables, manifests, datasets, hf:NAME.

    Rows that say a kind or a split must say one of these (None: any split); how many others there are is said. `most`:
    so many (0: all) at even distances, so that every folder has its share. `gaps`: a listed file may be missing,
    which whoever reads it says, but not all of them. Raises `MissingPath` (of a listed file too), `NoImages`,
    `CannotRead`, `BadManifest`, and `BadOption` where `column` is needed.
    """
    splits = None if split is None else [said_split(one) for one in ([split] if isinstance(split, str) else split)]
    found = _by_name(_found(list(places), Asked(kind, splits, column, skip, gaps=gaps)))
    if gaps and all(one.input.kind == Kind.TABLE and one.size < 0 for one in found):
        raise MissingPath(found[0].file)
    return spread(found, most)


def _by_name(photos: Iterable[Photo]) -> list[Photo]:
    return sorted(photos, key=lambda photo: os.fsencode(photo.name))


def _found(places: Sequence[str | Path], asked: Asked) -> list[Photo]:
    opened = find_photos(places, asked)
    others = [one for one in opened.left_out if one.failed not in (OTHER_KIND, OTHER_SPLIT, DUPLICATE)]
    if others:
        said = say_reasons(count_reasons(one.failed for one in others))
        print(f"gendeg: files that are no photos: {len(others)} ({said})", file=sys.stderr)
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


def by_turns(items: Iterable[Item], group: Callable[[Item], Any], most: int) -> list[Item]:
    """At most `most`: the first of each group, by the groups' order, then the second of each; rare ones are there."""
    seen: Counter[Any] = Counter()
    turns: list[tuple[int, Any, Item]] = []
    for item in items:
        key = group(item)
        turns.append((seen[key], key, item))
        seen[key] += 1
    return [item for *_, item in sorted(turns, key=lambda turn: turn[:2])[:most]]


def find_photos(places: Sequence[str | Path], asked: Asked = Asked()) -> Opened:
    """Every photo of every place, named uniquely, in a stable order, and what is none.

    Raises as `open_photos`; a photo that is listed but missing is found later where photos are `hidden`.
    """
    inputs: list[Input] = []
    once: dict[str, tuple[Found, Photo]] = {}
    left: list[Failure] = []
    for argument in dict.fromkeys(map(str, places)):
        here, others = 0, []
        for source, lister in sources_of(argument, asked):
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
    reasons = count_reasons(one.failed for one in left)
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
        rows, said = taken + len(others), say_reasons(count_reasons(one.failed for one in others))
        print(f"gendeg: {argument}: {len(others)} of {rows} rows left out ({said})", file=sys.stderr)


def _named(photo: Photo, stem: str, asked: Asked) -> Photo:
    if asked.hidden and len(stem) > LONGEST_STEM:
        stem = stem[: LONGEST_STEM - 13].rstrip("-_") + "-" + hashlib.sha256(stem.encode()).hexdigest()[:12]
    caption = re.sub(r"\s+", " ", photo.caption).strip().encode("utf-8", "replace").decode()
    return replace(photo, stem=stem, caption=caption)
