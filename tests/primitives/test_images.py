"""Every bad and odd file of the wild, made for real in tmp_path; value ranges and encodings with known answers."""

import os
import struct

import numpy as np
import pytest
from PIL import Image

from gendeg.primitives import images
from gendeg.primitives.errors import BadImage, TooLongForFormat
from gendeg.primitives.faults import ImageFault
from gendeg.primitives.orientation import EXIF_ORIENTATION, UPRIGHT
from tests.odd_images import (
    ODD,
    awkward_files,
    bad_files,
    behind_the_pixels,
    encoded,
    png_chunk,
    png_header,
    turned_files,
)


@pytest.fixture
def noise():
    return np.random.default_rng(0).integers(0, 256, (40, 56, 3), dtype=np.uint8)


# --- value ranges ---


def test_every_level_survives_each_round_trip():
    levels = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    assert (images.unit_to_u8(images.u8_to_unit(levels)) == levels).all()
    assert (images.signed_to_u8(images.u8_to_signed(levels)) == levels).all()


@pytest.mark.parametrize("unit, level", [(0, 0), (1, 255), (0.999, 255), (0.5019, 128), (-0.2, 0), (1.7, 255)])
def test_unit_to_u8_rounds_and_clips(unit, level):
    assert images.unit_to_u8(np.full((1, 1, 3), unit, np.float32))[0, 0, 0] == level


def test_signed_maps_ends_and_middle():
    unit = np.array([[[0.0, 0.5, 1.0]]], np.float32)
    assert images.unit_to_signed(unit).tolist() == [[[-1.0, 0.0, 1.0]]]
    assert images.signed_to_unit(images.unit_to_signed(unit)).tolist() == unit.tolist()


def test_conversions_leave_their_input_alone_and_stay_float32():
    unit = np.full((2, 2, 3), 0.4, np.float32)
    images.unit_to_u8(unit)
    assert (unit == np.float32(0.4)).all()
    assert images.u8_to_signed(np.zeros((1, 1, 3), np.uint8)).dtype == np.float32
    assert images.signed_to_unit(unit).dtype == np.float32


def test_nan_is_refused():
    with pytest.raises(ValueError, match="NaN"):
        images.unit_to_u8(np.full((1, 1, 3), np.nan, np.float32))


# --- odd images, handled ---


@pytest.mark.parametrize("name", ODD)
def test_reads_any_mode_as_rgb(tmp_path, name):
    image, codec, options, expected = ODD[name]
    path = tmp_path / "odd.jpg"  # the name is never believed
    path.write_bytes(encoded(image, codec, **options))
    pixels = images.read_rgb(path)
    assert pixels.dtype == np.uint8 and pixels.shape == (image.height, image.width, 3) and pixels.flags.writeable
    assert np.abs(pixels.astype(int) - expected).max() <= 1
    assert images.image_size(path) == image.size


@pytest.mark.parametrize("codec", ["PNG", "TIFF", "PPM"])
def test_sixteen_bits_are_scaled_and_rounded(codec):
    gray = np.array([[0, 128, 129, 257, 32768, 65407, 65535]], np.uint16)
    pixels = images.read_rgb(encoded(Image.fromarray(gray), codec))
    assert pixels[0, :, 0].tolist() == [0, 0, 1, 1, 128, 255, 255]
    assert (pixels == pixels[..., :1]).all()


@pytest.mark.parametrize("codec", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotated_comes_out_upright(codec, orientation):
    upright = Image.new("RGB", (24, 16), "black")
    upright.paste("white", (0, 0, 12, 8))  # top left
    undo = {5: 5, 6: 8, 7: 7, 8: 6}.get(orientation, orientation)
    stored = upright.transpose(UPRIGHT[undo]) if undo in UPRIGHT else upright
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = orientation
    data = encoded(stored, codec, exif=exif)
    pixels = images.read_rgb(data)
    assert images.image_size(data) == (24, 16) and pixels.shape == (16, 24, 3)
    assert np.abs(pixels.astype(int) - np.asarray(upright)).mean() < 6


def as_datasets_reads(data: bytes) -> np.ndarray:
    from datasets import Image as Feature

    return np.asarray(Feature().decode_example({"path": None, "bytes": data}).convert("RGB"))


@pytest.mark.parametrize("orientation", [3, 6])
@pytest.mark.parametrize("name", turned_files(Image.new("RGB", (2, 2))))
def test_a_turn_is_seen_wherever_the_file_tells_of_it(noise, name, orientation):
    data = turned_files(Image.fromarray(noise), orientation)[name]
    pixels, header = images.read_rgb(data), images.read_header(data)
    assert (pixels == as_datasets_reads(data)).all()
    assert (header.height, header.width) == pixels.shape[:2] == ((56, 40) if orientation == 6 else (40, 56))
    assert header.plain == "", "bytes that some readers turn and others do not"


@pytest.mark.parametrize("name", awkward_files(Image.new("RGB", (2, 2))))
def test_bytes_that_others_read_otherwise_are_not_plain(noise, name):
    data = awkward_files(Image.fromarray(noise))[name]
    assert images.read_header(data).plain == "" and images.read_rgb(data).shape == noise.shape


@pytest.mark.parametrize("orientation", [0, 1, 9])
@pytest.mark.parametrize(
    "name", [name for name in turned_files(Image.new("RGB", (2, 2))) if name[:4] in ("png ", "jpeg")]
)
def test_plain_bytes_are_the_same_picture_to_all(noise, name, orientation):
    data = turned_files(Image.fromarray(noise), orientation)[name]
    assert images.read_header(data).plain == {"png ": "png", "jpeg": "jpg"}[name[:4]]
    assert (images.read_rgb(data) == as_datasets_reads(data)).all()


def test_looking_behind_the_pixels_costs_no_decoding_where_nothing_is_told(noise, monkeypatch):
    from PIL.PngImagePlugin import PngImageFile

    date = behind_the_pixels(images.encode_image(noise, "png"), png_chunk(b"tEXt", b"date:create\0now"))
    monkeypatch.delattr(PngImageFile, "load_prepare")  # decoding would need it
    assert images.read_header(date).plain == "png"


def test_broken_exif_does_not_cost_the_picture(noise):
    data = encoded(Image.fromarray(noise), "JPEG", exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xff")
    assert images.read_rgb(data).shape == noise.shape


# --- bad images, refused with a stable reason ---


@pytest.mark.parametrize("name", bad_files(np.zeros((16, 16, 3), np.uint8)))
@pytest.mark.filterwarnings("error")
def test_bad_file_is_refused_with_its_reason(tmp_path, noise, name):
    data, reason = bad_files(noise)[name]
    path = tmp_path / "bad.jpg"
    path.write_bytes(data)
    for source in (path, str(path), data):
        with pytest.raises(BadImage) as caught:
            images.read_rgb(source)
        assert caught.value.reason == reason
        assert "\n" not in str(caught.value)
    assert caught.value.path.name == f"<{len(data)} bytes>"


def test_size_of_a_header_bomb_is_refused_too():
    with pytest.raises(BadImage, match="too many pixels"):
        images.image_size(png_header(40_000, 40_000))


@pytest.mark.filterwarnings("error")
def test_limit_is_a_parameter(noise):
    data = images.encode_image(noise, "png")
    assert images.read_rgb(data, max_pixels=40 * 56).shape == (40, 56, 3)
    with pytest.raises(BadImage, match="56 x 40") as caught:
        images.read_rgb(data, max_pixels=40 * 56 - 1)
    assert caught.value.reason == ImageFault.TOO_LARGE
    assert images.image_size(png_header(12_000, 12_000)) == (12_000, 12_000)  # 144 megapixels: no warning either


def test_paths_that_are_no_file(tmp_path):
    pipe = tmp_path / "pipe.png"
    os.mkfifo(pipe)
    cases = {tmp_path: ImageFault.FOLDER, tmp_path / "gone.png": ImageFault.MISSING, pipe: ImageFault.UNREADABLE}
    for path, reason in cases.items():
        for read in (images.read_rgb, images.image_size):
            with pytest.raises(BadImage) as caught:
                read(path)
            assert caught.value.reason == reason and caught.value.path == path


def test_file_that_may_not_be_read(tmp_path, noise):
    path = tmp_path / "secret.png"
    images.write_image(noise, path, "png")
    path.chmod(0)
    was = os.geteuid()
    try:
        if was == 0:  # root may read everything
            os.seteuid(65534)
        with pytest.raises(BadImage) as caught:
            images.read_rgb(path)
    finally:
        os.seteuid(was)
    assert caught.value.reason == ImageFault.NO_PERMISSION


# --- writing ---


@pytest.mark.parametrize("format, loss", [("png", 0), ("webp", 0), ("jpg", 4)])
def test_encoding_is_deterministic_and_reads_back(tmp_path, noise, format, loss):
    data = images.encode_image(noise, format)
    assert data == images.encode_image(noise.copy(), format)
    assert images.write_image(noise, tmp_path / "image.any", format) == data == (tmp_path / "image.any").read_bytes()
    assert np.abs(images.read_rgb(data).astype(int) - noise).mean() <= loss
    assert [p.name for p in tmp_path.iterdir()] == ["image.any"]


def test_png_holds_pixels_and_nothing_else(noise):
    data, kinds, at = images.encode_image(noise, "png"), set(), 8
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        kinds.add(data[at + 4 : at + 8])
        at += 12 + length
    assert kinds == {b"IHDR", b"IDAT", b"IEND"}


def test_a_view_encodes_like_its_copy(noise):
    assert images.encode_image(noise[::2, ::-1], "png") == images.encode_image(noise[::2, ::-1].copy(), "png")


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    "shape, dtype", [((4, 4, 3), np.float32), ((4, 4), np.uint8), ((4, 4, 4), np.uint8), ((0, 4, 3), np.uint8)]
)
def test_encode_takes_only_u8_rgb(shape, dtype):
    with pytest.raises(ValueError, match="uint8 array"):
        images.encode_image(np.zeros(shape, dtype), "png")


@pytest.mark.usefixtures("unchecked")
def test_encode_refuses_what_the_format_cannot_hold():
    with pytest.raises(TooLongForFormat) as caught:
        images.encode_image(np.zeros((1, 16_384, 3), np.uint8), "webp")
    assert (caught.value.width, caught.value.height, caught.value.longest) == (16_384, 1, 16_383)
    with pytest.raises(ValueError, match="unknown image format"):
        images.encode_image(np.zeros((1, 1, 3), np.uint8), "tiff")


# --- resizing ---


@pytest.mark.parametrize(
    "shape, size, expected",
    [((40, 56), 20, (20, 28)), ((56, 40), 80, (112, 80)), ((1, 1), 8, (8, 8)), ((7, 500), 2, (2, 143))],
)
def test_short_side_becomes_the_size(shape, size, expected):
    image = np.full((*shape, 3), 90, np.uint8)
    resized = images.resize_short_side(image, size)
    assert resized.shape == (*expected, 3) and (resized == 90).all()


def test_resize_to_the_same_size_changes_nothing(noise):
    assert (images.resize_short_side(noise, 40) == noise).all()
    with pytest.raises(ValueError):
        images.resize_short_side(noise, 0)
