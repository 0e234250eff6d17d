"""Advice belongs to the cause: what the system refuses, for real where it can be provoked, and what Pillow does."""

import errno
import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from gendeg.primitives.advice import READING, WRITING, advice_on
from gendeg.primitives.errors import (
    BadImage,
    BadManifest,
    BadModel,
    CannotRead,
    DamagedDataset,
    HubUnreachable,
    NoPairs,
    OutputNotWritable,
    UploadFailed,
)
from gendeg.primitives.faults import ImageFault
from gendeg.primitives.files import append_jsonl, atomic_write, ensure_writable, read_json_object, read_jsonl
from gendeg.primitives.images import read_rgb


@pytest.mark.parametrize(
    ("code", "reading", "writing"),
    [
        (errno.EACCES, "check its permissions", "check the permissions of this one"),
        (errno.ENOSPC, "", "make room there"),
        (errno.EDQUOT, "", "your share of this disk is used up"),
        (errno.EROFS, "", "this disk can only be read"),
        (errno.ENAMETOOLONG, "the name is too long", "the name is too long"),
        (errno.EISDIR, "it is a folder", "a folder of this name is there"),
        (errno.ENOENT, "check the spelling", "the folder is not there any more"),
        (errno.ENOTSUP, "", "this disk lacks what that takes (links, locks"),
        (errno.ENOTDIR, "a part of this path is a file", "a part of this path is a file"),
        (errno.EMFILE, "ulimit -n", "ulimit -n"),
        (errno.EIO, "the disk reports an error", "the disk reports an error"),
    ],
)
def test_every_refusal_of_the_system_has_its_own_advice(code: int, reading: str, writing: str) -> None:
    said = os.strerror(code)
    for error, advice in ((CannotRead("x", said), reading), (OutputNotWritable("x", said), writing)):
        others = {one for one in (*READING.values(), *WRITING.values()) if one not in str(error)}
        assert advice in str(error) and len(others) >= len({*READING.values(), *WRITING.values()}) - 2
        assert str(error).endswith(")") == (not advice), "no advice is better than another cause's"


def test_the_system_s_words_are_found_within_a_library_s() -> None:
    arrow = "[Errno 28] Error writing bytes to file. Detail: [errno 28] No space left on device"
    assert "make room" in advice_on(arrow, WRITING) and advice_on("no image column among a, b", READING) == ""
    assert str(CannotRead("x", "no image column among a, b")) == "x: cannot be read (no image column among a, b)"


@pytest.mark.parametrize(
    ("write", "says"),
    [
        (lambda at: atomic_write(at / "file" / "x", b""), "a part of this path is a file"),
        (lambda at: atomic_write(at / "none" / "x", b""), "the folder is not there any more"),
        (lambda at: atomic_write(at / "folder", b""), "a folder of this name is there"),
        (lambda at: atomic_write(at / ("n" * 300), b""), "the name is too long"),
        (lambda at: append_jsonl(at / "folder", [{}]), "a folder of this name is there"),
        (lambda at: append_jsonl("/dev/full", [{}]), "make room there"),
        (lambda at: ensure_writable(at / "file"), "a file of this name is there"),
        (lambda at: ensure_writable(at / "loop" / "x"), "leads back to itself"),
        (lambda at: ensure_writable("/proc/none"), "the folder is not there any more"),
    ],
)
def test_what_cannot_be_written(tmp_path: Path, write: Callable[[Path], object], says: str) -> None:
    places(tmp_path)
    with pytest.raises(OutputNotWritable) as caught:
        write(tmp_path)
    assert says in str(caught.value) and str(caught.value).count(";") <= 1


@pytest.mark.parametrize(("name", "says"), [("folder", "it is a folder: name a file in it")])
def test_what_cannot_be_read(tmp_path: Path, name: str, says: str) -> None:
    places(tmp_path)
    for read in (read_jsonl, read_json_object):
        with pytest.raises(CannotRead, match=says):
            read(tmp_path / name)


def places(root: Path) -> None:
    (root / "file").write_bytes(b"")
    (root / "folder").mkdir()
    (root / "loop").symlink_to(root / "loop")


# --- images ---


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(before: bytes = b"", after: bytes = b"") -> bytes:
    """A good one of 8 x 8 pixels, with chunks put in before and after its pixels."""
    stream = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(stream, "PNG")
    data = stream.getvalue()
    end = data.index(b"IEND") - 4
    return data[:33] + before + data[33:end] + after + data[end:]


def tiff(tag: int, value: int) -> bytes:
    """A good one of floats, with another value of one tag."""
    stream = io.BytesIO()
    Image.fromarray(np.zeros((4, 4), np.float32)).save(stream, "TIFF")
    data = bytearray(stream.getvalue())
    first = struct.unpack_from("<I", data, 4)[0]
    for at in range(first + 2, first + 2 + 12 * struct.unpack_from("<H", data, first)[0], 12):
        if struct.unpack_from("<H", data, at)[0] == tag:
            struct.pack_into("<H", data, at + 8, value)
    return bytes(data)


LONG = zlib.compress(b"a" * (PngImagePlugin.MAX_TEXT_CHUNK + 1))


@pytest.mark.parametrize(
    ("data", "fault", "says"),
    [
        (png(before=chunk(b"zTXt", b"xmp\0\0" + LONG)), ImageFault.TOO_MUCH_TEXT, "is good, but carries more text"),
        (png(after=chunk(b"zTXt", b"xmp\0\0" + LONG)), ImageFault.TOO_MUCH_TEXT, "strip it"),
        (png(before=chunk(b"iCCP", b"p\0\0" + LONG)), ImageFault.TOO_MUCH_TEXT, "strip it"),
        (png()[:50], ImageFault.TRUNCATED, "copy or download it again"),
        (tiff(258, 24), ImageFault.UNSUPPORTED, "convert it to an 8 or 16 bit"),
        (tiff(258, 32), ImageFault.UNSUPPORTED, "convert it to an 8 or 16 bit"),
    ],
    ids=("text", "text behind", "profile", "cut", "24-bit floats", "floats"),
)
def test_a_good_picture_is_not_called_damaged(data: bytes, fault: ImageFault, says: str) -> None:
    with pytest.raises(BadImage) as caught:
        read_rgb(data)
    assert caught.value.reason == fault and says in str(caught.value)
    assert ("again" in str(caught.value)) == (fault == ImageFault.TRUNCATED)


def test_a_bomb_is_too_large() -> None:
    data = bytearray(png())
    data[16:24] = struct.pack(">II", 100_000, 100_000)
    data[29:33] = struct.pack(">I", zlib.crc32(bytes(data[12:29])))
    with pytest.raises(BadImage, match="too many pixels; scale it down first"):
        read_rgb(bytes(data))


@pytest.mark.parametrize(
    ("name", "says"),
    [("n" * 300 + ".png", "the name is too long"), ("loop", "leads back to itself"), ("a\0b.png", "embedded null")],
)
def test_a_name_that_cannot_be_opened_is_no_broken_disk(tmp_path: Path, name: str, says: str) -> None:
    places(tmp_path)
    with pytest.raises(BadImage, match=says) as caught:
        read_rgb(tmp_path / name)
    assert caught.value.reason == ImageFault.UNREADABLE and "check the disk" not in str(caught.value)


# --- others ---


@pytest.mark.parametrize(
    ("reason", "says"),
    [
        ("404 Client Error: Not Found", "check the name"),
        ("401 Client Error", "log in"),
        ("Access to model x is restricted: gated repo", "ask for access"),
        ("503 Server Error", "try again later"),
        ("We couldn't connect to the hub", "check the network"),
    ],
)
def test_the_hub_s_refusals(reason: str, says: str) -> None:
    assert says in str(HubUnreachable("user/name", reason)) and says in str(UploadFailed("user/name", reason))


def test_what_may_not_be_read_is_not_to_be_repaired() -> None:
    said = "[Errno 13] Failed to open local file 'x'. Detail: [errno 13] Permission denied"
    assert str(DamagedDataset("x", said)).endswith("; check its permissions")
    assert str(DamagedDataset("x", "has other bytes")).endswith("; run gendeg repair on the dataset")
    assert str(BadModel("x", said)).endswith("; check its permissions")


def test_other_splits_are_not_mended_by_simulating() -> None:
    assert "other splits" in str(NoPairs("m.jsonl", "pairs of split test"))
    assert "simulate" not in str(NoPairs("m.jsonl", "pairs of split test")) and "simulate" in str(NoPairs("m.jsonl"))


def test_a_whole_file_is_not_to_be_removed() -> None:
    assert str(BadManifest("m", 3, "odd")) == "m, line 3: odd; correct or remove this line"
    assert str(BadManifest("m", 0, "not TOML")) == "m: not TOML; correct it, or name another"
    assert str(BadManifest("m", 0, "none; give the folder", "")) == "m: none; give the folder"
    assert str(BadManifest("m", 1, "no column", "add it")) == "m, line 1: no column; add it"
