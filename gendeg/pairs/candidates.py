"""Pairs before they are checked, from folders, images side by side, tars and Hugging Face datasets, in one form."""

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from gendeg.pairs.packed import ARCHIVES, COMPRESSED, samples_in
from gendeg.pairs.rows import open_dataset
from gendeg.pairs.sources import Lonely, Source, find_couples, find_source, parallel_layout
from gendeg.pairs.split import SPLIT_WORDS, SPLITS
from gendeg.primitives.errors import BadImage, BadManifest, BadOption, CannotRead, MissingPath, NoImages
from gendeg.primitives.faults import ImageFault
from gendeg.primitives.files import find_images, output_stems, sha256_bytes
from gendeg.primitives.folders import is_ours
from gendeg.primitives.hub import HUB
from gendeg.primitives.images import encode_image, read_rgb
from gendeg.primitives.kinds import mix_name, parse_mix

SIDES = ("clean-left", "clean-right")


@dataclass(frozen=True)
class Candidate:
    """One pair as it was found. `read` gives the encoded halves, or raises `BadImage`."""

    name: str
    stem: str
    degradation: str
    source: str
    split: str  # "": not known
    read: Callable[[], tuple[bytes, bytes]]  # clean, degraded
    caption: str = ""
    files: dict[str, Path | None] = field(default_factory=lambda: {"clean": None, "degraded": None})


@dataclass(frozen=True)
class Wanted:
    """What the user said about the pairs."""

    source: str
    degradation: str
    degraded: str
    clean: str
    side: str


def find_candidates(
    root: str, source: str, type: str, degraded: str, clean: str, side: str
) -> tuple[list[Candidate], list[Lonely]]:
    """Every pair in order, and the files (or members of a tar) without their other half.

    Raises `BadOption` for what does not go together, `MissingPath`, `UnknownSource`, `NoImages`, `CannotRead`.
    """
    if side and side not in SIDES:
        raise BadOption("--side-by-side", f"must be {' or '.join(SIDES)}, not '{side}'")
    free = bool(side or degraded or clean)
    known = None if free else find_source(source or _missing("--source", "or --degraded and --clean"))
    kind = mix_name(parse_mix(type)) if type else known.degradation if known else _missing("--type", "the degradation")
    wanted = Wanted(known.name if known else source or "mine", kind, degraded, clean, side)
    if not root.startswith(HUB) and not os.path.exists(root):
        raise MissingPath(root)
    if side:
        return _side_by_side(Path(root), wanted), []
    if root.startswith(HUB):
        name = root.removeprefix(HUB)
        return _told_apart(_from_dataset(name, _both(wanted)), name), []
    if root.lower().endswith(ARCHIVES):
        raise CannotRead(root, COMPRESSED)
    if tarfile_given(root):
        found, lonely = _from_tar(Path(root), _both(wanted))
        return _told_apart(found, root), lonely
    return _from_folder(Path(root), wanted, known)


def tarfile_given(root: str) -> bool:
    return os.path.isfile(root) and root.lower().endswith(".tar")


def _missing(option: str, what: str) -> Any:
    raise BadOption(option, f"is needed: {what}")


def _both(wanted: Wanted) -> Wanted:
    for option, value in (("--degraded", wanted.degraded), ("--clean", wanted.clean)):
        if not value:
            _missing(option, "the column or the ending of the member that holds it")
    return wanted


# --- folders ---


def _from_folder(root: Path, wanted: Wanted, known: Source | None) -> tuple[list[Candidate], list[Lonely]]:
    layouts = known.layouts if known else (parallel_layout(*map(_pattern, (wanted.degraded, wanted.clean))),)
    couples, lonely = find_couples(root, layouts)
    if not couples:
        for pattern in () if known else (wanted.degraded, wanted.clean):
            folder = root / _pattern(pattern).partition("{")[0].rpartition("/")[0]
            if not folder.is_dir():
                raise MissingPath(folder)
    if not couples and all(one.lacks == "degraded" for one in lonely):
        raise NoImages(root, [f"{layout.degraded} with {layout.clean}" for layout in layouts])

    def reader(clean: Path, degraded: Path) -> Callable[[], tuple[bytes, bytes]]:
        return lambda: (_bytes(clean), _bytes(degraded))

    return [
        Candidate(
            str(couple.degraded), couple.degraded.stem, couple.degradation or wanted.degradation, wanted.source,
            couple.split, reader(couple.clean, couple.degraded),
            files={"clean": couple.clean, "degraded": couple.degraded},
        )
        for couple in couples
    ], lonely  # fmt: skip


def _pattern(text: str) -> str:
    """A folder's name means every image in it."""
    return text if "{" in text else f"{text.rstrip('/')}/{{id}}"


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise BadImage(path, ImageFault.MISSING) from error
    except OSError as error:
        raise BadImage(path, ImageFault.UNREADABLE, error.strerror or str(error)) from error


# --- two halves in one picture ---


def _side_by_side(root: Path, wanted: Wanted) -> list[Candidate]:
    found = find_images([root], ours=is_ours)

    def reader(path: Path) -> Callable[[], tuple[bytes, bytes]]:
        def read() -> tuple[bytes, bytes]:
            left, right = _halves(path)
            return (left, right) if wanted.side == "clean-left" else (right, left)

        return read

    return [
        Candidate(str(one.path), stem, wanted.degradation, wanted.source, _split_of_path(one.path), reader(one.path))
        for one, stem in zip(found, output_stems(found), strict=True)
    ]


def _halves(path: Path) -> tuple[bytes, bytes]:
    image = read_rgb(path)
    width = image.shape[1]
    if width % 2 or width < 2:
        raise BadImage(path, ImageFault.UNSUPPORTED, f"{width} pixels across cannot be halved")
    left, right = np.ascontiguousarray(image[:, : width // 2]), np.ascontiguousarray(image[:, width // 2 :])
    return encode_image(left, "png"), encode_image(right, "png")


def _split_of_path(path: Path) -> str:
    words = [SPLIT_WORDS[part.lower()] for part in path.parent.parts if part.lower() in SPLIT_WORDS]
    return words[-1] if words else ""


# --- webdataset tars ---


def _from_tar(path: Path, wanted: Wanted) -> tuple[list[Candidate], list[Lonely]]:
    """Members `<key>.<ending>`, the endings being what was named; and those without their other half."""
    members = samples_in(path)

    def reader(places: dict[str, tuple[int, int]]) -> Callable[[], tuple[bytes, bytes]]:
        def read() -> tuple[bytes, bytes]:
            with open(path, "rb") as stream:
                halves = []
                for ending in (wanted.clean, wanted.degraded):
                    offset, length = places[ending]
                    stream.seek(offset)
                    halves.append(stream.read(length))
            return halves[0], halves[1]

        return read

    whole = {key: places for key, places in members.items() if wanted.clean in places and wanted.degraded in places}
    if not whole:
        endings = sorted({ending for places in members.values() for ending in places})
        raise BadManifest(
            path, 0, f"no sample has both {wanted.clean} and {wanted.degraded}; there are {', '.join(endings)}"
        )
    sides = (("clean", wanted.degraded, wanted.clean), ("degraded", wanted.clean, wanted.degraded))
    lonely = [
        Lonely(path / f"{key}.{there}", lacks)
        for lacks, there, missing in sides
        for key, places in members.items()
        if there in places and missing not in places
    ]
    return [
        Candidate(f"{path}/{key}", _stem(f"{path.stem}-{key}"), wanted.degradation, wanted.source, "", reader(places))
        for key, places in whole.items()
    ], lonely


# --- Hugging Face datasets ---


def _from_dataset(name: str, wanted: Wanted) -> Iterator[Candidate]:
    import datasets

    for split, rows in open_dataset(name).items():
        for column in (wanted.clean, wanted.degraded):
            if not isinstance(rows.features.get(column), datasets.Image):
                raise BadManifest(name, 0, f"no image column '{column}' among {', '.join(rows.column_names)}")
            rows = rows.cast_column(column, datasets.Image(decode=False))
        known = SPLIT_WORDS.get(split.lower(), split if split in SPLITS else "")
        captions = rows["caption"] if "caption" in rows.column_names else [""] * len(rows)
        for number, caption in enumerate(captions):
            yield Candidate(
                f"{name} {split} row {number}", f"{_stem(split)}-{number:07d}", wanted.degradation, wanted.source,
                known, _row_reader(name, rows, number, wanted), str(caption or ""),
            )  # fmt: skip


def _row_reader(name: str, rows: Any, number: int, wanted: Wanted) -> Callable[[], tuple[bytes, bytes]]:
    def read() -> tuple[bytes, bytes]:
        row, halves = rows[number], []
        for column in (wanted.clean, wanted.degraded):
            stored = row[column] or {}
            if not stored.get("bytes") and not stored.get("path"):
                raise BadImage(f"{name} row {number}", ImageFault.EMPTY)
            halves.append(stored.get("bytes") or _bytes(Path(stored["path"])))
        return halves[0], halves[1]

    return read


def _told_apart(found: Iterable[Candidate], root: str) -> list[Candidate]:
    """No two of one stem, also where case does not count: what is alike gets a hash of its name below `root`."""
    every = list(found)
    alike = Counter(one.stem.lower() for one in every)

    def alone(one: Candidate) -> Candidate:
        if alike[one.stem.lower()] == 1:
            return one
        return replace(one, stem=f"{one.stem}-{sha256_bytes(os.fsencode(one.name.removeprefix(root)))[:12]}")

    return list(map(alone, every))


def _stem(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "_", text)[-80:]
