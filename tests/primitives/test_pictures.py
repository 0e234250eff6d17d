"""Which files are pictures: by name, by content, and what becomes of every other file of a folder."""

import io
import os
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from gendeg.primitives.errors import BadImage, NoPhotos
from gendeg.primitives.faults import ImageFault
from gendeg.primitives.files import find_images
from gendeg.primitives.images import read_header, read_rgb
from gendeg.primitives.pictures import (
    EXTRAS,
    HEAD,
    HIDDEN,
    OTHER_FILE,
    SIDECAR,
    count_reasons,
    extra_decoders,
    format_of,
    is_built,
    missing_decoder,
    say_reasons,
    walk,
)
from tests.odd_images import encoded
from tests.tiny import photo

PICTURE = Image.fromarray(photo(12, 16))
HEIC = b"\0\0\0\x1cftypheic" + bytes(40)
JXL = b"\xff\x0a" + bytes(40)
TAKEN = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM", "JPEG2000", "AVIF", "QOI")


def mpo() -> bytes:
    """Two pictures in one file, as stereo cameras and phones write them."""
    return encoded(PICTURE, "MPO", save_all=True, append_images=[PICTURE.rotate(180)])


def moving_gif() -> bytes:
    frames = [Image.new("RGB", (6, 4), colour) for colour in ("red", "blue")]
    return encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])


def write(folder: Path, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


@pytest.mark.parametrize("format", TAKEN)
def test_a_format_is_told_by_its_first_bytes_and_decoded(format):
    data = encoded(PICTURE, format)
    assert format_of(data[:HEAD]) == format and missing_decoder(format) is None
    assert read_rgb(data).shape == (12, 16, 3)


def test_of_several_pictures_in_a_file_the_first_counts():
    assert (read_rgb(moving_gif())[0, 0] == (255, 0, 0)).all()
    near = np.abs(read_rgb(mpo()).astype(int) - photo(12, 16)).mean()
    assert near < np.abs(read_rgb(mpo()).astype(int) - photo(12, 16)[::-1, ::-1]).mean()
    assert read_header(mpo()).plain == ""  # not stored untouched: other readers know no MPO


@pytest.mark.parametrize(
    "text", [b"BM is short for benchmark, a word", b"P1 is the first point\n", b"notes", b"GIF", b"\0" * 40, b""]
)
def test_texts_are_no_pictures(text):
    assert format_of(text[:HEAD]) == ""


def test_every_file_of_a_folder_is_taken_or_counted(tmp_path):
    png = encoded(PICTURE, "PNG")
    write(
        tmp_path,
        {
            "a.jpg": encoded(PICTURE, "JPEG"), "b.gif": moving_gif(), "c.mpo": mpo(), "no_extension": png,
            "wrong.dat": png, "d.heic": HEIC, "e.jxl": JXL, "f.avif": encoded(PICTURE, "AVIF"), "sub/g.webp": png,
            "a.txt": b"a caption", "a.jpg.xmp": b"<x/>", "no_extension.json": b"{}", "README.txt": b"read me",
            "film.mp4": b"\0\0\0\x20ftypisom", "raw.NEF": encoded(PICTURE, "TIFF"), "old.tga": b"x", ".DS_Store": b"1",
            "Thumbs.db": b"1", ".git/config": b"x", "sub/._g.webp": b"1",
        },
    )  # fmt: skip
    os.mkfifo(tmp_path / "pipe")
    found = [one.path for one in find_images([tmp_path])]
    left = [one for contents in walk(tmp_path, is_built) for one in contents.left_out]
    names = [str(one.relative_to(tmp_path)) for one in found]
    assert names == [
        "a.jpg", "b.gif", "c.mpo", "d.heic", "e.jxl", "f.avif", "no_extension", "sub/g.webp", "wrong.dat"
    ]  # fmt: skip
    assert count_reasons(one.reason for one in left) == {HIDDEN: 4, OTHER_FILE: 3, SIDECAR: 3, "unsupported": 2}
    every = {path for path in tmp_path.rglob("*") if not path.is_dir() and ".git" not in path.parts}
    assert {*found, *(one.path for one in left)} == every | {tmp_path / ".git"}
    assert say_reasons({"hidden": 4, "needs_heif": 1}) == (
        "hidden file 4, format not supported: pip install 'gendeg[heif]' 1"
    )


def test_a_folder_with_files_but_no_picture_says_what_there_is(tmp_path):
    write(tmp_path, {"notes.txt": b"text", ".hidden.png": b"", "x.cr2": b"II*\0"})
    with pytest.raises(NoPhotos, match=r"\(hidden file 1, not an image 1, format not supported 1\)"):
        find_images([tmp_path])


@pytest.mark.parametrize("format, data", [("HEIF", HEIC), ("JXL", JXL)])
def test_what_needs_a_package_is_said_to_need_it(format, data):
    package, fault = EXTRAS[format]
    with pytest.raises(BadImage) as refused:
        read_rgb(data)
    if find_spec(package) is None:
        assert refused.value.reason == fault and "pip install 'gendeg[" in str(refused.value)
    else:
        assert refused.value.reason in (ImageFault.DAMAGED, ImageFault.NOT_AN_IMAGE, ImageFault.TRUNCATED)


@pytest.mark.parametrize("format", list(EXTRAS))
def test_what_a_package_decodes_is_upright(format):
    if format not in extra_decoders():
        pytest.skip(f"{EXTRAS[format][0]} is not installed (an extra)")
    data = encoded(PICTURE, format, quality=95)
    assert format_of(data[:HEAD]) == format
    assert np.abs(read_rgb(data).astype(int) - photo(12, 16)).mean() < 20
    assert read_header(data).plain == ""
    if format == "HEIF":  # its container turns the picture, and the orientation in its EXIF must not do so again
        exif = Image.Exif()
        exif[0x112] = 6
        stream = io.BytesIO()
        PICTURE.save(stream, format, exif=exif.tobytes(), quality=95)
        turned = read_rgb(stream.getvalue())
        assert turned.shape == (16, 12, 3) == (*reversed(read_size(stream.getvalue())), 3)
        assert np.abs(turned.astype(int) - np.rot90(photo(12, 16), -1)).mean() < 20


def read_size(data: bytes) -> tuple[int, int]:
    header = read_header(data)
    return header.width, header.height


@pytest.mark.parametrize("tag, value", [(254, 1), (50706, b"\1\4\0\0")])
def test_the_preview_in_a_camera_s_raw_file_is_no_photo(tag, value):
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[tag] = value
    tags.tagtype[tag] = 4 if tag == 254 else 1
    with pytest.raises(BadImage, match="raw file") as refused:
        read_rgb(encoded(PICTURE, "TIFF", tiffinfo=tags))
    assert refused.value.reason == ImageFault.UNSUPPORTED
