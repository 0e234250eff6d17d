"""The photographs of an evaluation: clean ones to degrade, real degraded ones to compare with."""

import os
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from gendeg.pairs.split import said_split
from gendeg.pairs.tables import CLEAN, REAL, Row, is_table, read_table
from gendeg.primitives.errors import BadManifest, BadOption, GendegError, MissingPath, NoPhotos
from gendeg.primitives.files import Found, find_images, look_through
from gendeg.primitives.folders import is_ours
from gendeg.primitives.kinds import mix_name, parse_mix
from gendeg.primitives.pictures import count_reasons, say_reasons


def clean_photos(place: Path, split: str, most: int) -> tuple[Path, ...]:
    """At most `most` photos (0: all), spread evenly over the sorted paths, so that every folder has its share.

    `place` is a folder, an image, or a table as for `gendeg build`: of its rows those of kind clean and of this split,
    and those that do not say. Raises `MissingPath`, `NoImages`, `BadManifest`.
    """
    paths = [place.parent / row.path for row in wanted_rows(place, CLEAN, [split])] if is_table(place) else [place]
    return tuple(spread([one.path for one in find_images(paths, ours=is_ours)], most))


def real_photos(place: Path, split: str, most: int) -> dict[str, list[Path]]:
    """Degradation → real degraded photos, at most `most` of each.

    `place` is a folder with a folder for each degradation, or a table as above with a column `degradation` (rows of
    kind "real" count). Raises `MissingPath`, `NoImages`, `BadManifest`, and `BadOption` where no degradation is named.
    """
    found: dict[str, list[Path]] = defaultdict(list)
    for name, paths in _real_table(place, split) if is_table(place) else _real_folders(place):
        found[name] += [one.path for one in find_images(paths, ours=is_ours)]
    if not found:
        raise BadOption(
            "--real", f"{place}: no folder (or row) named after a degradation, such as haze/ or motion_blur/"
        )
    return {name: spread(paths, most) for name, paths in sorted(found.items())}


def spread(paths: list[Path], most: int) -> list[Path]:
    """`most` of them at even distances; 0: all."""
    if not most or len(paths) <= most:
        return paths
    return [paths[int(i)] for i in np.linspace(0, len(paths) - 1, most).round()]


def _real_folders(place: Path) -> Iterator[tuple[str, list[Path]]]:
    if not place.is_dir():
        raise MissingPath(place)
    for folder in sorted(place.iterdir()):
        name = _degradation(folder.name)
        if folder.is_dir() and name:
            yield name, [folder]


def _real_table(place: Path, split: str) -> Iterator[tuple[str, list[Path]]]:
    for row in wanted_rows(place, REAL, [split]):
        said = row.fields.get("degradation", "")
        name = _degradation(said)
        if not name:
            raise BadManifest(place, row.line, f"no degradation is called '{said}'")
        yield name, [place.parent / row.path]


def _degradation(name: str) -> str:
    """The name of the degradation that a folder is named after, or nothing."""
    try:
        return mix_name(parse_mix(name))
    except GendegError:
        return ""


def wanted_rows(place: Path, kind: str, splits: Sequence[str] | None) -> list[Row]:
    """Rows of a table that are of this kind and of these splits, or do not say; how many others there are is said.

    Raises `NoPhotos` where no row is left, and as `read_table`.
    """
    wanted = None if splits is None else [said_split(split) for split in splits]
    rows = list(read_table(place))
    others = Counter(reason for row in rows if (reason := row.refused(kind, wanted)))
    said = say_reasons(dict(sorted(others.items())))
    if others.total() == len(rows):
        asked = f"kind {kind}" + (f" and split {' or '.join(wanted)}" if wanted else "")
        raise NoPhotos(place, said or "it has no rows", f"asked for are rows of {asked}, or that do not say")
    if others:
        print(f"gendeg: {place}: {others.total()} of {len(rows)} rows left out ({said})", file=sys.stderr)
    return [row for row in rows if not row.refused(kind, wanted)]


def pictures_in(paths: Sequence[Path], skip: Callable[[Path], bool]) -> list[Found]:
    """As `find_images`; how many other files lie in the folders, and of which kind, is said."""
    found, left = look_through(paths, skip, is_ours)
    if left:
        print(f"gendeg: files that are no photos: {len(left)} ({say_reasons(count_reasons(left))})", file=sys.stderr)
    return found


def listed_photos(places: Sequence[Path], splits: Sequence[str] | None) -> tuple[list[Path], dict[str, str]]:
    """Each table replaced by its clean photos of these splits, the rest as it is; and absolute path → said split."""
    paths: list[Path] = []
    said: dict[str, str] = {}
    for place in map(Path, places):
        rows = wanted_rows(place, CLEAN, splits) if is_table(place) else []
        paths += [place.parent / row.path for row in rows] if rows else [place]
        said |= {os.path.abspath(place.parent / row.path): row.split for row in rows if row.split}
    return paths, said
