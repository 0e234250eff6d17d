"""The photographs of an evaluation: clean ones to degrade, real degraded ones to compare with."""

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from gendeg.primitives.errors import BadManifest, BadOption, CannotRead, GendegError, MissingPath, NoImages
from gendeg.primitives.files import IMAGE_EXTENSIONS, expand_lists, find_images
from gendeg.primitives.folders import is_ours
from gendeg.primitives.kinds import mix_name, parse_mix

TABLE = ".csv"


def clean_photos(place: Path, split: str, most: int) -> tuple[Path, ...]:
    """At most `most` photos (0: all), spread evenly over the sorted paths, so that every folder has its share.

    `place` is a folder, an image, a `.txt` list, or a table: a `.csv` with a column `path` and, where it has them, the
    columns `kind` (rows "clean" count) and `split`. Raises `MissingPath`, `NoImages`, `BadManifest`.
    """
    paths = [row["path"] for row in _rows(place, "clean", split)] if _is_table(place) else expand_lists([place])
    if not paths:
        raise NoImages(place, IMAGE_EXTENSIONS)
    return tuple(spread([one.path for one in find_images(paths, ours=is_ours)], most))


def real_photos(place: Path, split: str, most: int) -> dict[str, list[Path]]:
    """Degradation → real degraded photos, at most `most` of each.

    `place` is a folder with a folder for each degradation, or a table as above with a column `degradation` (rows of
    kind "real" count). Raises `MissingPath`, `NoImages`, `BadManifest`, and `BadOption` where no degradation is named.
    """
    found: dict[str, list[Path]] = defaultdict(list)
    for name, paths in _real_table(place, split) if _is_table(place) else _real_folders(place):
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


def _is_table(place: Path) -> bool:
    return place.suffix.lower() == TABLE


def _real_folders(place: Path) -> Iterator[tuple[str, list[Path]]]:
    if not place.is_dir():
        raise MissingPath(place)
    for folder in sorted(place.iterdir()):
        name = _degradation(folder.name)
        if folder.is_dir() and name:
            yield name, [folder]


def _real_table(place: Path, split: str) -> Iterator[tuple[str, list[Path]]]:
    for row in _rows(place, "real", split):
        name = _degradation(row.get("degradation") or "")
        if not name:
            raise BadManifest(place, int(row["line"]), f"no degradation is called '{row.get('degradation') or ''}'")
        yield name, [row["path"]]


def _degradation(name: str) -> str:
    """The name of the degradation that a folder is named after, or nothing."""
    try:
        return mix_name(parse_mix(name))
    except GendegError:
        return ""


def _rows(place: Path, kind: str, split: str) -> Iterable[dict]:
    """Rows of a table that are of this kind and split, or do not say; `path` made absolute, `line` from 1."""
    if not place.exists():
        raise MissingPath(place)
    try:
        text = place.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CannotRead(place, str(error)) from error
    reader = csv.DictReader(io.StringIO(text))
    if "path" not in (reader.fieldnames or []):
        raise BadManifest(place, 1, "a table of photos needs a column 'path'")
    for row in reader:
        if (row.get("kind") or kind) == kind and (row.get("split") or split) == split:
            yield row | {"path": place.parent / row["path"], "line": reader.line_num}
