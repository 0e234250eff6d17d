"""Photos in plain tars, and the captions beside photos: as img2dataset, webdataset and trainers lay them."""

import json
import os
import tarfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gendeg.primitives.errors import BadOption, CannotRead
from gendeg.primitives.pictures import (
    HEAD,
    HIDDEN,
    IMAGE_EXTENSIONS,
    OTHER_FILE,
    OTHER_KIND,
    SIDECAR,
    LeftOut,
    format_of,
    missing_decoder,
)

TEXTS = (".txt", ".caption", ".json")
"""Endings of what is said of a photo, in the order in which they are asked; of JSON its field `caption`."""
ARCHIVES = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst", ".zip")
COMPRESSED = "only plain tars can be read: unpack a compressed one first"
LONGEST_TEXT = 65_536  # bytes; what is longer says something else


@dataclass(frozen=True)
class Member:
    """A picture in a tar. `name` is its path in there."""

    name: str
    offset: int
    length: int
    caption: str


def read_tar(place: str, column: str) -> Iterator[Member | LeftOut]:
    """The pictures of a tar, in its order, and the members that are none.

    `column` names one of several pictures of a sample by its ending (`gt.png`, or `gt` whatever the format). Raises
    `CannotRead`, and `BadOption` where samples have several pictures and none is named.
    """
    try:
        with tarfile.open(place, "r:") as tar, open(place, "rb") as stream:  # plain: read again by offset
            every = [member for member in tar if not member.isdir()]
            members = [member for member in every if member.isfile()]
            pictures = [one for one in members if _is_picture(one, stream)]
            texts = {_lower_ending(one.name): one for one in members if one.name.lower().endswith(TEXTS)}
            _check_column(place, [one.name for one in pictures], column)
            captions = {one.name: _caption_of(one.name, texts, stream) for one in pictures}
    except (tarfile.TarError, OSError, ValueError, EOFError) as error:
        raise CannotRead(place, f"not a plain tar: {error}") from error
    keys = {key_of(one.name)[0] for one in pictures}
    taken = {id(one) for one in pictures}
    for one in every:
        if id(one) in taken:
            if column and not _is_column(key_of(one.name)[1], column):
                yield LeftOut(Path(one.name), OTHER_KIND, f"not the column {column}")
            else:
                yield Member(one.name, one.offset_data, one.size, captions[one.name])
        elif not (one.name.lower().endswith(TEXTS) and key_of(one.name)[0] in keys):  # a caption's file is taken too
            yield _left_out(one.name, keys)


def samples_in(place: str | Path) -> dict[str, dict[str, tuple[int, int]]]:
    """Key → ending → (offset, length) of the members of a plain tar. Raises `CannotRead`."""
    samples: dict[str, dict[str, tuple[int, int]]] = {}
    try:
        with tarfile.open(place) as tar:
            if tar.fileobj is None or Path(place).suffix.lower() != ".tar":
                raise CannotRead(place, COMPRESSED)
            for member in tar:
                folder, name = os.path.split(member.name)
                key, _, ending = name.partition(".")
                if member.isfile():
                    samples.setdefault(os.path.join(folder, key), {})[ending] = member.offset_data, member.size
    except (tarfile.TarError, OSError, EOFError, ValueError) as error:
        raise CannotRead(place, f"not a tar ({error})") from error
    return samples


def key_of(name: str) -> tuple[str, str]:
    """`"a/b.clean.png"` → ("a/b", "clean.png"): key and ending, as webdataset divides them."""
    folder, base = os.path.split(name)
    key, _, ending = base.partition(".")
    return os.path.join(folder, key), ending.lower()


def plain_text(data: bytes) -> str:
    """What a text file says of a photo; "" for what is longer, or has no word in it (boxes, labels)."""
    text = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace") if len(data) <= LONGEST_TEXT else ""
    return text if any(map(str.isalpha, text)) else ""


def json_caption(data: bytes) -> str:
    """The field `caption` of a JSON object; "" for anything else."""
    try:
        row: Any = json.loads(data)
    except (ValueError, RecursionError):
        return ""
    caption = row.get("caption") if isinstance(row, dict) else None
    return caption if isinstance(caption, str) else ""


def caption_beside(picture: Path, others: set[Path]) -> str:
    """The caption of a photo in a folder whose other files are `others`: of `<photo>.txt`, or of its JSON."""
    for ending in TEXTS:
        path = picture.with_suffix(ending)
        if path not in others:
            continue
        try:
            with open(path, "rb") as stream:
                data = stream.read(LONGEST_TEXT + 1)
        except OSError:
            continue
        caption = json_caption(data) if ending == ".json" else plain_text(data)
        if caption:
            return caption
    return ""


def _is_picture(member: tarfile.TarInfo, stream: Any) -> bool:
    """By its name, or by its content where the name tells nothing."""
    name = member.name.lower()
    if os.path.basename(name).startswith("."):
        return False
    if name.endswith(IMAGE_EXTENSIONS):
        return True
    if name.endswith(TEXTS):
        return False
    stream.seek(member.offset_data)
    format = format_of(stream.read(min(HEAD, member.size)))
    return bool(format) and missing_decoder(format) != "unsupported"


def _lower_ending(name: str) -> str:
    stem, dot, ending = name.rpartition(".")
    return stem + dot + ending.lower()


def _caption_of(name: str, texts: dict[str, tarfile.TarInfo], stream: Any) -> str:
    for stem in dict.fromkeys((name.rpartition(".")[0], key_of(name)[0])):
        for ending in TEXTS:
            member = texts.get(stem + ending)
            if member is None or member.size > LONGEST_TEXT:
                continue
            stream.seek(member.offset_data)
            data = stream.read(member.size)
            caption = json_caption(data) if ending == ".json" else plain_text(data)
            if caption:
                return caption
    return ""


def _check_column(place: str, names: Sequence[str], column: str) -> None:
    endings = Counter(key_of(name)[1] for name in names)
    if column:
        if endings and not any(_is_column(ending, column) for ending in endings):
            raise BadOption("--column", f"{place} has no pictures '{column}'; there are {', '.join(sorted(endings))}")
        return
    pictures = Counter(key_of(name)[0] for name in names)
    several = sum(count > 1 for count in pictures.values())
    if 2 * several > len(pictures):  # not a few photos whose names have a dot
        there = ", ".join(ending for ending, _ in endings.most_common(8))
        raise BadOption("--column", f"{place} has several pictures a sample: {there}; name the clean one")


def _is_column(ending: str, column: str) -> bool:
    return column.lower() in (ending, ending.rpartition(".")[0])


def _left_out(name: str, keys: set[str]) -> LeftOut:
    if os.path.basename(name).startswith("."):
        return LeftOut(Path(name), HIDDEN, "a hidden file")
    if key_of(name)[0] in keys:
        return LeftOut(Path(name), SIDECAR, "belongs to what lies beside it")
    return LeftOut(Path(name), OTHER_FILE, "not an image, by its name and by its content")
