"""Files and folders: atomic writing, hashes, finding photographs, names for outputs, JSON lines, packed data."""

import errno
import hashlib
import json
import os
import re
import secrets
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BufferedWriter
from pathlib import Path
from typing import Any, NoReturn

from gendeg.primitives.disk import fsync_file, fsync_folder
from gendeg.primitives.errors import (
    BadManifest,
    CannotRead,
    IncompleteInstall,
    MissingPath,
    NoImages,
    NoPhotos,
    OutputExists,
    OutputNotWritable,
)
from gendeg.primitives.hub import HUB
from gendeg.primitives.pictures import IMAGE_EXTENSIONS, OTHER_FILE, LeftOut, count_reasons, is_built, say_reasons, walk

TEMPORARY = re.compile(r"\.gendeg-[0-9a-f]{16}\.tmp")
PACKED_HERE = "a tar or table; gendeg build takes photos out of those, other commands need files"
LONGEST_STEM = 96
"""Characters. File systems take 255 bytes, and the degradation, intensity, seed and extension follow the stem."""


@dataclass(frozen=True)
class Found:
    """An image to read, and the folder argument it was found under (its own folder when it was named itself)."""

    path: Path
    root: Path


# --- writing ---


@contextmanager
def written(path: Path) -> Iterator[BufferedWriter]:
    """Within `with`: a new file to write to; it stands under its name when the block ends well, else nothing is left.

    Readers see the old file or the whole new one, also after a power cut. Raises `OutputNotWritable` for every
    `OSError`, those of the block among them.
    """
    temporary = temporary_beside(path)
    try:
        with open(temporary, "xb") as stream:
            yield stream
            fsync_file(stream)
        os.replace(temporary, path)
        fsync_folder(path.parent)
    except OSError as error:
        raise OutputNotWritable(path, error.strerror or str(error)) from error
    finally:
        with suppress(OSError):  # gone after the rename; Ctrl-C between the two is why this is not in `except`
            temporary.unlink()


def atomic_write(path: str | Path, content: bytes | str) -> None:
    """As `written`, all at once. Text is UTF-8 and keeps its newlines. Raises `OutputNotWritable`."""
    data = content.encode("utf-8") if isinstance(content, str) else content
    with written(Path(path)) as stream:
        stream.write(data)


def write_new(path: Path, content: bytes, overwrite: bool, option: str) -> None:
    """As `atomic_write`, in a folder that is made if need be; the same bytes again are no matter.

    Raises `OutputExists` for other bytes, unless they may be overwritten; `option` names the file.
    """
    ensure_writable(path.parent)
    if path.exists() and not overwrite and (not path.is_file() or path.read_bytes() != content):
        raise OutputExists(path, option)
    atomic_write(path, content)


def temporary_beside(path: Path) -> Path:
    """A new name that only we use, in the same folder: a rename must not cross file systems."""
    return path.with_name(f".gendeg-{secrets.token_hex(8)}.tmp")


def is_temporary(path: Path) -> bool:
    """Whether it is such a name: what a killed process left behind."""
    return TEMPORARY.fullmatch(path.name) is not None


def ensure_writable(folder: str | Path) -> Path:
    """Makes the folder if it is not there, and tries it with a file. Raises `OutputNotWritable`."""
    folder = Path(folder)
    probe = temporary_beside(folder / "probe")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch(exist_ok=False)  # permission bits do not tell about full, read-only or network disks
        probe.unlink()
    except OSError as error:
        raise OutputNotWritable(folder, error.strerror or str(error)) from error
    return folder


def refuse_existing(overwrite: bool, *paths: Path) -> None:
    """Raises `OutputExists` for the first of these that is there, unless they may be overwritten."""
    there = next((path for path in paths if path.exists()), None)
    if there is not None and not overwrite:
        raise OutputExists(there)


def refuse_missing(place: str | Path) -> None:
    """Raises `MissingPath` for what is not on this disk, unless it is the hub's."""
    if str(place).startswith(HUB):
        return
    try:
        os.stat(place)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise MissingPath(place) from error
    except OSError:  # whoever reads it says what the system says
        return


def refuse_unwritable(place: Path) -> None:
    """Raises `OutputNotWritable` where the nearest folder that is there takes no new file; nothing is made.

    Only a try tells of full disks and of those of a network (`ensure_writable`).
    """
    try:
        near = next(one for one in (place, *place.absolute().parents) if one.exists())
        folder = near if near.is_dir() else near.parent if near == place else None
    except OSError:
        return
    if folder is None:
        raise OutputNotWritable(place, os.strerror(errno.ENOTDIR))
    if not os.access(folder, os.W_OK | os.X_OK):
        fixed = os.statvfs(folder).f_flag & os.ST_RDONLY
        raise OutputNotWritable(place, os.strerror(errno.EROFS if fixed else errno.EACCES))


def sha256_of(path: str | Path) -> str:
    """Lower-case hexadecimal SHA-256 of a file's bytes."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sha256_lines(lines: Iterable[str]) -> str:
    """As `sha256_of`, of lines of text, file names of any encoding among them."""
    return sha256_bytes("\n".join(lines).encode("utf-8", "surrogatepass"))


def sha256_bytes(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


# --- finding images ---


def find_images(
    paths: Iterable[str | Path],
    skip: Callable[[Path], bool] = lambda path: False,
    ours: Callable[[Path], bool] = is_built,
) -> list[Found]:
    """Every picture under the given files and folders, each once, sorted by the bytes of its path.

    Folders are searched recursively, by name and content (`pictures`), through symbolic links, without hidden files
    and folders, and without the files that `skip` and the folders that `ours` names (a run's own outputs, where they
    lie among its photos). A file that is named itself is kept whatever its extension, so that a bad one is reported
    later.
    Raises `MissingPath`, `NoImages` (for a folder argument without any), `NoPhotos` (without any, and what there is)
    and `CannotRead` (a folder may not be listed).
    """
    by_path: dict[str, Found] = {}
    found = [one for path in map(Path, paths) for one in _under(path, skip, ours)]
    for one in sorted(found, key=lambda f: (os.fsencode(f.path), os.fsencode(f.root))):
        by_path.setdefault(os.path.abspath(one.path), one)
    return list(by_path.values())


def _under(path: Path, skip: Callable[[Path], bool], ours: Callable[[Path], bool]) -> list[Found]:
    if not os.path.exists(path):
        raise MissingPath(path)
    if not path.is_dir():
        return [Found(path, path.parent)]
    found, left = [], []
    for contents in walk(path, ours):
        found += [Found(image, path) for image in contents.pictures if not skip(image)]
        left += [one for one in contents.left_out if not skip(one.path)]
        left += [LeftOut(one, OTHER_FILE, PACKED_HERE) for one in contents.packed]
    if not found and left:
        raise NoPhotos(path, say_reasons(count_reasons(one.reason for one in left)))
    if not found:
        raise NoImages(path, IMAGE_EXTENSIONS)
    return found


# --- names for outputs ---


def output_stems(found: Sequence[Found]) -> list[str]:
    """One name `[A-Za-z0-9_-]+` per image, never two alike (also where upper and lower case are the same).

    Usually the file's own name. Where names collide, all of them get their folders below the root, then the root's
    name and the extension, then a hash of the path; so the names depend on the set of images, not on its order.
    """
    stems = [_stem(one, 0) for one in found]
    for level in (1, 2, 3):
        times = Counter(stem.lower() for stem in stems)
        # A stem lengthened earlier may meet another; both sides go on then, whatever their level.
        stems = [_stem(one, level) if times[stem.lower()] > 1 else stem for one, stem in zip(found, stems, strict=True)]
    if len({stem.lower() for stem in stems}) < len(stems):
        raise ValueError("the same image is listed twice")
    return stems


def _stem(one: Found, level: int) -> str:
    """Level 0: the name; 1: with the folders below the root; 2: with the root and the extension; 3: with a hash."""
    parts = [one.path.stem]
    if level >= 1:
        parts = [*one.path.parent.relative_to(one.root).parts, *parts]
    if level >= 2:
        parts = [os.path.basename(os.path.abspath(one.root)), *parts, one.path.suffix[1:]]
    text = "-".join(filter(None, map(_plain, parts)))[-LONGEST_STEM:].strip("-_") or "image"
    if level == 3:
        text += "-" + sha256_bytes(os.fsencode(os.path.abspath(one.path)))[:10]
    return text


def _plain(text: str) -> str:
    """`"Café 1.final"` → `"Cafe_1_final"`: accents dropped, every other run of strange characters one underscore."""
    without_marks = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return re.sub(r"[^A-Za-z0-9_-]+", "_", without_marks).strip("-_")


# --- JSON lines ---


def json_line(row: Mapping[str, Any]) -> str:
    """One line without its newline, in the row's key order. ASCII, so that file names of any encoding survive.

    Raises `ValueError` for NaN and infinity, which are not JSON.
    """
    return json.dumps(row, allow_nan=False)


def write_json(path: str | Path, rows: Mapping[str, Any]) -> None:
    """Indented, whole or not at all. Raises `ValueError` for NaN and infinity."""
    atomic_write(path, json.dumps(rows, indent=1, allow_nan=False) + "\n")


def write_jsonl(path: str | Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """The whole file at once, atomically."""
    atomic_write(path, "".join(json_line(row) + "\n" for row in rows))


def append_jsonl(path: str | Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Adds lines at the end; an interruption cuts at most the last one. Raises `OutputNotWritable`."""
    data = "".join(json_line(row) + "\n" for row in rows).encode()
    try:
        with open(path, "ab") as stream:
            stream.write(data)
    except OSError as error:
        raise OutputNotWritable(path, error.strerror or str(error)) from error


def read_jsonl(path: str | Path) -> list[dict[str, Any]]:
    """Every line as an object; blank lines are skipped. Raises as `read_numbered_jsonl`."""
    return [row for _, row in read_numbered_jsonl(path)]


def read_numbered_jsonl(path: str | Path) -> list[tuple[int, dict[str, Any]]]:
    """Every line as (its number from 1, its object); blank lines are counted and skipped.

    Raises `MissingPath`, `CannotRead`, and `BadManifest` with the number of the first bad line, counted from 1.
    """
    lines = read_bytes(path).removeprefix(b"\xef\xbb\xbf").split(b"\n")
    return [(number, _parse(path, number, line)) for number, line in enumerate(lines, start=1) if line.strip()]


def readable_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The lines that are objects: the last one may be cut by a kill, or still be under the pen. Raises `OSError`."""
    for line in path.read_bytes().splitlines():
        with suppress(ValueError):
            row = json.loads(line)
            if isinstance(row, dict):
                yield row


def read_json_object(path: str | Path) -> dict[str, Any]:
    """A file that holds one JSON object. Raises `MissingPath`, `CannotRead`, or `BadManifest` for anything else."""
    return _parse(path, 0, read_bytes(path))


def notes_of(path: Path) -> dict[str, Any]:
    """What a file of notes says; nothing where there is no such file, or it is something else."""
    try:
        return read_json_object(path)
    except (MissingPath, CannotRead, BadManifest):
        return {}


def read_bytes(path: str | Path) -> bytes:
    """Raises `MissingPath` and `CannotRead`."""
    if not os.path.exists(path):
        raise MissingPath(path)
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise CannotRead(path, error.strerror or str(error)) from error


def _parse(path: str | Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        row = json.loads(line.decode("utf-8"), parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise BadManifest(path, number, "not UTF-8") from error
    except (ValueError, RecursionError) as error:
        raise BadManifest(path, number, f"not JSON ({error})") from error
    if not isinstance(row, dict):
        raise BadManifest(path, number, f"not a JSON object but {type(row).__name__}")
    return row


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number JSON knows")


# --- data that comes with gendeg ---


def data_root(name: str) -> Path:
    """The folder `prompts` or `manifests`: inside an installed wheel, or beside the package in a checkout."""
    if name not in ("prompts", "manifests"):
        raise ValueError(f"no such data folder '{name}'; there are prompts and manifests")
    package = Path(__file__).resolve().parents[1]
    # The wheel's place first: beside an installed package lies site-packages, where anyone may own a `prompts`.
    places = [package / "_data" / name, package.parent / name]
    for place in places:
        if place.is_dir():
            return place
    raise IncompleteInstall(name, places)


def packed_constraints() -> Path | None:
    """constraints.txt, the tested versions: inside an installed wheel, or beside the package in a checkout."""
    package = Path(__file__).resolve().parents[1]
    places = (package / "_data", package.parent)
    return next((place / "constraints.txt" for place in places if (place / "constraints.txt").is_file()), None)
