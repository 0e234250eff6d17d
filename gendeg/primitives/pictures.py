"""Which files are pictures, told by name and by content, and what becomes of the other files of a folder.

Every file below a folder is either a picture, or something that `gendeg build` can look into (a tar, a parquet file),
or left out with a reason that is counted: nothing vanishes.
"""

import os
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path

from gendeg.primitives.errors import CannotRead
from gendeg.primitives.faults import FAULT_ADVICE, ImageFault

IMAGE_EXTENSIONS = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".dib", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm",
    ".jp2", ".j2k", ".jpx", ".avif", ".gif", ".mpo", ".heic", ".heif", ".hif", ".jxl", ".qoi", ".psd",
)  # fmt: skip
"""Files with these names are pictures, or are said to be bad ones. Others are pictures when their content says so."""

NOT_READ = (
    ".dng", ".nef", ".cr2", ".cr3", ".arw", ".orf", ".rw2", ".raf", ".pef", ".srw", ".x3f", ".tga", ".pcx", ".exr",
    ".hdr", ".ico", ".icns", ".dds",
)  # fmt: skip
"""Pictures that nobody here can decode: raw files of cameras hold a small preview, which Pillow would take for them."""

PICTURES = frozenset(IMAGE_EXTENSIONS)  # many files are asked for
PACKED = (".tar", ".parquet")

HIDDEN, SIDECAR, OTHER_FILE, BUILT = "hidden", "sidecar", "other_file", "dataset"
DUPLICATE, OTHER_KIND, OTHER_SPLIT = "duplicate", "other_kind", "other_split"
NO_PHOTO = {HIDDEN, SIDECAR, OTHER_FILE, BUILT}
HARMLESS = {*NO_PHOTO, DUPLICATE, OTHER_KIND, OTHER_SPLIT}
"""Reasons of files that nobody takes for photos; and all that say nothing bad of a photo, so that nothing failed."""

WORDS = {
    HIDDEN: "hidden file",
    SIDECAR: "file beside a photo",
    OTHER_FILE: "not an image",
    BUILT: "folder that gendeg made",
    OTHER_KIND: "row of another kind",
    OTHER_SPLIT: "row of another split",
    str(ImageFault.UNSUPPORTED): "format not supported",
    str(ImageFault.NEEDS_HEIF): "format not supported: pip install 'gendeg[heif]'",
    str(ImageFault.NEEDS_JXL): "format not supported: pip install 'gendeg[jxl]'",
}
"""What a reason is called in a closing line, where its code does not say it."""

SYSTEM_FILES = {"thumbs.db", "desktop.ini", "__macosx"}  # as good as hidden, by their systems' own lights
HEAD = 32  # bytes that tell a format

EXTRAS = {"HEIF": ("pillow_heif", ImageFault.NEEDS_HEIF), "JXL": ("pillow_jxl", ImageFault.NEEDS_JXL)}
"""Formats that Pillow learns from a package: its module, and what is said where that is not installed."""

HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"heif")
SIGNATURES: tuple[tuple[str, int, tuple[bytes, ...]], ...] = (
    ("JPEG", 0, (b"\xff\xd8\xff",)),
    ("PNG", 0, (b"\x89PNG",)),
    ("GIF", 0, (b"GIF87a", b"GIF89a")),
    ("WEBP", 8, (b"WEBPVP8",)),
    ("JPEG2000", 0, (b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51")),
    ("AVIF", 4, (b"ftypavif", b"ftypavis")),
    ("HEIF", 4, tuple(b"ftyp" + brand for brand in HEIF_BRANDS)),
    ("JXL", 0, (b"\0\0\0\x0cJXL \r\n\x87\n", b"\xff\x0a")),
    ("QOI", 0, (b"qoif",)),
    ("PSD", 0, (b"8BPS\0\x01",)),
    ("RAW", 0, (b"FUJIFILMCCD-RAW", b"IIU\0", b"IIRO", b"IIRS", b"MMOR", b"FOVb")),
    ("RAW", 4, (b"ftypcrx",)),
    ("RAW", 8, (b"CR\x02\0",)),
    ("OpenEXR", 0, (b"v/1\x01",)),
    ("HDR", 0, (b"#?RADIANCE", b"#?RGBE")),
    ("DDS", 0, (b"DDS |\0\0\0",)),
    ("TIFF", 0, (b"II*\0", b"MM\0*")),
)
"""(format, offset, any of these bytes), in the order in which they are tried."""
BMP_HEADERS = (12, 40, 52, 56, 64, 108, 124)  # bytes: the two letters BM alone begin many a text


@dataclass(frozen=True)
class LeftOut:
    """A file (or a hidden folder, as one) that is no photo to us, with a stable reason and a line for people."""

    path: Path
    reason: str
    message: str


@dataclass(frozen=True)
class Contents:
    """One folder's own files, in byte order of their names."""

    pictures: list[Path]
    packed: list[Path]
    left_out: list[LeftOut]


# --- by content ---


def format_of(head: bytes) -> str:
    """Pillow's name of the format (or ours, of one that it cannot read) whose first HEAD bytes these are, or ""."""
    for name, offset, signatures in SIGNATURES:
        if head.startswith(signatures, offset):
            return name
    if head.startswith(b"BM") and int.from_bytes(head[14:18], "little") in BMP_HEADERS:
        return "BMP"
    portable = len(head) > 3 and head[:1] == b"P" and head[1:2] in b"123456" and head[2:3] in b" \t\r\n"
    return "PPM" if portable and head[3:4] in b"#0123456789 \t\r\n" else ""


def missing_decoder(format: str) -> ImageFault | None:
    """Why a picture of this format cannot be decoded here: a package is missing, or nobody can. None: it can."""
    if format in EXTRAS:
        return None if _decoder(format) else EXTRAS[format][1]
    return ImageFault.UNSUPPORTED if format in ("RAW", "OpenEXR", "HDR", "DDS") else None


def extra_decoders() -> list[str]:
    """Formats of EXTRAS whose package is installed; Pillow has learnt them afterwards."""
    return [format for format in EXTRAS if _decoder(format)]


@cache
def _decoder(format: str) -> bool:
    """Teaches Pillow a format, once. False where its package is missing or does not load."""
    try:
        module = import_module(EXTRAS[format][0])
    except ImportError:
        return False
    if format == "HEIF":
        module.register_heif_opener()
    return True


# --- folders ---


def is_built(folder: Path) -> bool:
    """Whether gendeg built a dataset in this folder (or has begun to)."""
    return (folder / ".gendeg" / "config.json").is_file()


def walk(folder: Path, ours: Callable[[Path], bool] = is_built) -> Iterator[Contents]:
    """The folder and those below it, each real folder once (cycles are survived), through symbolic links.

    A folder that is `ours` (what gendeg made, such as a dataset) is not entered, unless it is the one that was asked
    for: what lies in it is no photo of anybody's. Raises `CannotRead` for a folder that may not be listed.
    """
    waiting, seen = [folder], set()
    while waiting:
        here = waiting.pop()
        real = os.path.realpath(here)
        if real in seen:
            continue
        seen.add(real)
        folders, files, left = _sorted_names(here, here == folder, ours)
        yield _sorted_files(files, folders, left)
        waiting += reversed(folders)


def _sorted_names(here: Path, own: bool, ours: Callable[[Path], bool]) -> tuple[list[Path], list[Path], list[LeftOut]]:
    """Folders to enter, files to look at, and what is hidden."""
    try:
        names = sorted(os.listdir(here), key=os.fsencode)
    except OSError as error:
        raise CannotRead(here, error.strerror or str(error)) from error
    folders, files, left = [], [], []
    for name in names:
        path = here / name
        if name.startswith(".") or name.lower() in SYSTEM_FILES:
            left.append(LeftOut(path, HIDDEN, "a hidden file or folder"))
        elif not os.path.isdir(path):
            files.append(path)
        elif ours(path):
            left.append(LeftOut(path, BUILT, "what gendeg made; name it itself to take its photos"))
        else:
            folders.append(path)
    if own and is_built(here):  # a dataset's card and its picture are no photos
        left += [LeftOut(path, SIDECAR, "of the dataset itself") for path in files if not _is(path, PACKED)]
        files = [path for path in files if _is(path, PACKED)]
    return folders, files, left


def _is(path: Path, extensions: tuple[str, ...]) -> bool:
    return path.suffix.lower() in extensions


def _sorted_files(files: list[Path], folders: list[Path], left: list[LeftOut]) -> Contents:
    pictures: list[Path] = []
    packed: list[Path] = []
    others: list[Path] = []
    for path in files:
        suffix = path.suffix.lower()
        (pictures if suffix in PICTURES else packed if suffix in PACKED else others).append(path)
    known = (*pictures, *packed, *folders) if others else ()
    stems = {name for path in known for name in (path.name, path.stem)}
    looks = {path: _look(path) for path in others if path.stem not in stems}
    found = [path for path, look in looks.items() if look is None]
    stems |= {path.name for path in found}
    for path in others:
        if path.stem in stems and path not in found:
            left.append(LeftOut(path, SIDECAR, "belongs to what lies beside it"))
        elif look := looks[path]:
            left.append(look)
    if found:
        pictures = sorted([*pictures, *found], key=lambda path: os.fsencode(path.name))
    return Contents(pictures, packed, left)


def _look(path: Path) -> LeftOut | None:
    """What becomes of a file whose name is no picture's. None: its content is one's."""
    if _is(path, NOT_READ):
        return _not_read(path, path.suffix[1:].upper())
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # reading a pipe would wait for ever
            return LeftOut(path, OTHER_FILE, "not a regular file")
        with open(path, "rb") as stream:
            format = format_of(stream.read(HEAD))
    except PermissionError:
        return LeftOut(path, ImageFault.NO_PERMISSION, FAULT_ADVICE[ImageFault.NO_PERMISSION])
    except OSError as error:
        return LeftOut(path, OTHER_FILE, error.strerror or str(error))
    if not format:
        return LeftOut(path, OTHER_FILE, "not an image, by its name and by its content")
    return _not_read(path, format) if missing_decoder(format) is ImageFault.UNSUPPORTED else None


def _not_read(path: Path, format: str) -> LeftOut:
    return LeftOut(path, ImageFault.UNSUPPORTED, f"the format {format} cannot be read; convert it to PNG or TIFF")


# --- in words ---


def count_reasons(reasons: Iterable[str]) -> dict[str, int]:
    """Reason → how often, sorted by name."""
    return dict(sorted(Counter(map(str, reasons)).items()))


def say_reasons(counts: Mapping[str, int]) -> str:
    """`"not_an_image 2, hidden file 1"`, or ""."""
    return ", ".join(f"{WORDS.get(reason, reason)} {count}" for reason, count in counts.items())
