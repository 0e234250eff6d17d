"""Pixels in and out: value ranges, robust decoding to upright RGB, deterministic encoding, resizing.

Decisions, in one place. Alpha is composited on white, as viewers show it (what hides below transparency is arbitrary).
Colour profiles are ignored: training code ignores them too, so a converted degraded image beside an untouched clean
one would differ in colour. Sixteen-bit gray becomes eight by rounding value / 257, never by clipping (for sixteen-bit
RGB Pillow hands over the upper bytes, at most one level off).
"""

import io
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float, Float32, UInt8
from PIL import Image, TiffImagePlugin, UnidentifiedImageError

from gendeg.primitives.errors import BadImage, TooLongForFormat
from gendeg.primitives.faults import ImageFault
from gendeg.primitives.files import atomic_write
from gendeg.primitives.orientation import SIDEWAYS, UPRIGHT, header_orientation, orientation_of, tells_late
from gendeg.primitives.pictures import HEAD, extra_decoders, format_of, missing_decoder

ImageFormat = Literal["png", "jpg", "webp"]
U8Image = UInt8[np.ndarray, "h w 3"]
GREY = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601: rgb @ GREY is the brightness

MAX_PIXELS = 178_000_000
"""Default limit. Pillow itself refuses beyond 2 * Image.MAX_IMAGE_PIXELS = 178,956,970, which stays in force."""

DECODERS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM", "JPEG2000", "AVIF", "QOI", "PSD")
"""What is tried, by content and never by file name. A closed list: others guess, or (EPS) start another program."""
PLAIN = {"PNG": "png", "JPEG": "jpg"}
RAW_TAGS = (50706,)  # DNGVersion
SUBFILE_TYPE = 254  # of TIFF; its lowest bit says "reduced": the preview that a camera's raw file begins with

LONGEST_SIDE = {"png": 2**31 - 1, "jpg": 65_500, "webp": 16_383}
ENCODINGS: dict[str, tuple[str, dict[str, object]]] = {
    "png": ("PNG", {"compress_level": 4}),  # half the time of 6 for 1 % more bytes
    "jpg": ("JPEG", {"quality": 95, "subsampling": 0}),
    "webp": ("WEBP", {"lossless": True, "quality": 50, "method": 4}),  # quality is the effort here, not a loss
}


# --- value ranges: u8 0..255, unit [0, 1], signed [-1, 1]; batches [... h w 3] pass too ---


def u8_to_unit(image: UInt8[np.ndarray, "*batch 3"]) -> Float32[np.ndarray, "*batch 3"]:
    return image.astype(np.float32) / np.float32(255)


def unit_to_u8(image: Float[np.ndarray, "*batch 3"]) -> UInt8[np.ndarray, "*batch 3"]:
    """Rounds to the nearest level; values outside [0, 1] are clipped; NaN is a `ValueError`."""
    if np.isnan(image).any():
        raise ValueError("the image holds NaN")
    levels = np.clip(image, 0.0, 1.0) * 255.0
    return np.rint(levels, out=levels).astype(np.uint8)


def unit_to_signed(image: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch 3"]:
    return image * 2 - 1


def signed_to_unit(image: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch 3"]:
    return (image + 1) / 2


def u8_to_signed(image: UInt8[np.ndarray, "*batch 3"]) -> Float32[np.ndarray, "*batch 3"]:
    return unit_to_signed(u8_to_unit(image))


def signed_to_u8(image: Float[np.ndarray, "*batch 3"]) -> UInt8[np.ndarray, "*batch 3"]:
    """As `unit_to_u8`, from [-1, 1]."""
    return unit_to_u8(signed_to_unit(image))


# --- reading ---


def read_rgb(source: str | Path | bytes, max_pixels: int = MAX_PIXELS) -> U8Image:
    """Any photograph, as a path or as the bytes of a file → upright 8-bit RGB [h w 3].

    Takes gray, 1-bit, palette, alpha, CMYK, 16-bit and rotated images (by EXIF or XMP); of several frames the first.
    Raises `BadImage` with a reason, and nothing else, for every way in which a file can be bad.
    """
    with _opened(source, max_pixels) as image:
        try:
            image.load()
            rgb = _to_rgb(image, _name(source))
        except BadImage:
            raise
        except (Image.DecompressionBombError, MemoryError) as error:
            raise BadImage(_name(source), ImageFault.TOO_LARGE, str(error)) from error
        except Exception as error:  # decoders raise whatever their format's parser stumbles over
            raise BadImage(_name(source), _load_fault(error), str(error)) from error
        orientation = _orientation(image)
        upright = rgb.transpose(UPRIGHT[orientation]) if orientation in UPRIGHT else rgb
        return np.array(upright, dtype=np.uint8)


@dataclass(frozen=True)
class ImageHeader:
    """Size in pixels as `read_rgb` returns it; `plain`: png or jpg if the file already is that, else "".

    Plain bytes are the same picture to everyone: to us, to Pillow, and to what turns pictures upright as `datasets`.
    """

    width: int
    height: int
    plain: str


def read_header(source: str | Path | bytes, max_pixels: int = MAX_PIXELS) -> ImageHeader:
    """What the header alone tells (and a PNG's metadata behind its pixels, for which it is decoded). As `read_rgb`."""
    with _opened(source, max_pixels) as image:
        plain = PLAIN.get(image.format or "", "")
        decode = plain == "png" and tells_late(image.fp)  # type: ignore[attr-defined]
        try:
            if decode:
                image.load()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                orientation = header_orientation(image)
        except Exception:  # broken metadata, or pixels: others stop there, and we find out when we read it
            orientation, plain = 1, ""
        width, height = image.size[::-1] if orientation in SIDEWAYS else image.size
        upright = image.mode == "RGB" and orientation == 1 and not image.has_transparency_data
        return ImageHeader(width, height, plain if upright else "")


def image_size(source: str | Path | bytes, max_pixels: int = MAX_PIXELS) -> tuple[int, int]:
    """(width, height) in pixels as `read_rgb` would return it, from the header alone. Raises `BadImage`."""
    header = read_header(source, max_pixels)
    return header.width, header.height


@contextmanager
def _opened(source: str | Path | bytes, max_pixels: int) -> Iterator[Image.Image]:
    """The image with only its header read, and its size checked."""
    stream = io.BytesIO(_checked_bytes(source)) if isinstance(source, bytes) else _open_file(Path(source))
    with stream:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Pillow's bomb warning (we refuse ourselves) and broken EXIF
                image = Image.open(stream, formats=_decoders())
        except Image.DecompressionBombError as error:
            raise BadImage(_name(source), ImageFault.TOO_LARGE, str(error)) from error
        except UnidentifiedImageError as error:
            stream.seek(0)
            raise _unidentified(_name(source), stream) from error
        except Exception as error:
            raise BadImage(_name(source), _load_fault(error), str(error)) from error
        if _is_preview(image):
            raise BadImage(_name(source), ImageFault.UNSUPPORTED, "a camera's raw file, whose preview is seen")
        if image.width * image.height > max_pixels:
            detail = f"{image.width} x {image.height}, limit {max_pixels / 1e6:g} megapixels"
            raise BadImage(_name(source), ImageFault.TOO_LARGE, detail)
        yield image


@cache
def _decoders() -> list[str]:
    """Those of DECODERS and of the installed extras that Pillow has; it would raise KeyError for any other."""
    Image.init()
    return [name for name in (*DECODERS, *extra_decoders()) if name in Image.OPEN]


def _unidentified(name: str, stream: io.BufferedIOBase) -> BadImage:
    """What no decoder took: no image at all, one that is broken or strange in its header, or one that nobody reads."""
    format = format_of(stream.read(HEAD))
    missing = missing_decoder(format)
    if missing is ImageFault.UNSUPPORTED:
        return BadImage(name, missing, f"format {format}")
    if format == "TIFF":
        return BadImage(name, *_strange_tiff(stream))
    return BadImage(name, missing or (ImageFault.DAMAGED if format else ImageFault.NOT_AN_IMAGE))


def _strange_tiff(stream: io.BufferedIOBase) -> tuple[ImageFault, str]:
    """Why Pillow does not take it for a TIFF: broken, or stored in a way that it cannot decode."""
    stream.seek(0)
    try:
        TiffImagePlugin.TiffImageFile(stream).close()  # type: ignore[arg-type]
    except SyntaxError as error:  # the one that `Image.open` keeps to itself
        return _load_fault(error), str(error)
    except Exception:  # whatever the parser stumbles over
        return ImageFault.DAMAGED, ""
    return ImageFault.DAMAGED, ""


def _is_preview(image: Image.Image) -> bool:
    """Whether this is the small picture that a raw file (DNG, NEF, ARW …: all TIFF) puts before what was taken."""
    if image.format != "TIFF":
        return False
    tags = image.tag_v2  # type: ignore[attr-defined]
    reduced = tags.get(SUBFILE_TYPE, 0)
    return any(tag in tags for tag in RAW_TAGS) or (isinstance(reduced, int) and bool(reduced & 1))


def _open_file(path: Path) -> io.BufferedReader:
    try:
        mode = path.stat()
        if stat.S_ISDIR(mode.st_mode):
            raise BadImage(path, ImageFault.FOLDER)
        if not stat.S_ISREG(mode.st_mode):
            raise BadImage(path, ImageFault.UNREADABLE, "not a regular file")  # a pipe would wait for ever
        if mode.st_size == 0:
            raise BadImage(path, ImageFault.EMPTY)
        return path.open("rb")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise BadImage(path, ImageFault.MISSING) from error
    except PermissionError as error:
        raise BadImage(path, ImageFault.NO_PERMISSION) from error
    except (OSError, ValueError) as error:  # ValueError: a NUL byte in the name
        reason = getattr(error, "strerror", None) or str(error)
        raise BadImage(path, ImageFault.UNREADABLE, reason) from error


def _checked_bytes(data: bytes) -> bytes:
    if not data:
        raise BadImage(_name(data), ImageFault.EMPTY)
    return data


def _name(source: str | Path | bytes) -> str:
    return f"<{len(source)} bytes>" if isinstance(source, bytes) else str(source)


def _orientation(image: Image.Image) -> int:
    """1..8, of a picture that was decoded. Broken metadata counts as upright: the pixels are still good."""
    if image.format in ("TIFF", "JXL"):
        return 1  # turned by their decoders already
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return orientation_of(image)
    except Exception:  # whatever the parser stumbles over
        return 1


UNKNOWN_WAYS = ("not available", "not supported", "unsupported", "unknown compression", "unknown pixel mode",
                "unknown raw mode", "unknown data organization")  # fmt: skip
"""How Pillow says that a good file is stored in a way that it cannot decode."""


def _load_fault(error: Exception) -> ImageFault:
    text = str(error).lower()
    if isinstance(error, MemoryError):
        return ImageFault.TOO_LARGE
    if "max_text_" in text:
        return ImageFault.TOO_MUCH_TEXT
    if any(way in text for way in UNKNOWN_WAYS):
        return ImageFault.UNSUPPORTED
    if isinstance(error, OSError) and error.errno is not None:
        return ImageFault.UNREADABLE
    return ImageFault.TRUNCATED if "truncated" in text or "eof" in text else ImageFault.DAMAGED


def _to_rgb(image: Image.Image, name: str) -> Image.Image:
    """A loaded image of any mode → mode RGB."""
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PPM"):
        return Image.fromarray(_sixteen_to_eight(np.asarray(image))).convert("RGB")
    if image.mode in ("I", "F", "LAB"):  # 32-bit gray may mean 0..255, 0..65535 or anything: not for us to guess
        raise BadImage(name, ImageFault.UNSUPPORTED, f"mode {image.mode}")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
    return image.convert("RGB")


def _sixteen_to_eight(gray: np.ndarray) -> UInt8[np.ndarray, "h w"]:
    """Levels 0..65535 → 0..255: value / 257, rounded to nearest."""
    return ((gray.astype(np.uint32) + 128) // 257).astype(np.uint8)


# --- writing ---


def encode_image(image: U8Image, format: ImageFormat) -> bytes:
    """The file's bytes: PNG; JPEG quality 95 without chroma subsampling; WebP lossless. No metadata, no timestamps.

    Equal pixels give equal bytes as long as Pillow and its codecs are the same version.
    Raises `TooLongForFormat` when a side is beyond the format, `ValueError` for anything but uint8 [h w 3].
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise ValueError(f"expected a uint8 array [h w 3], got {image.dtype} {list(image.shape)}")
    if format not in ENCODINGS:
        raise ValueError(f"unknown image format '{format}'; choose from {', '.join(ENCODINGS)}")
    height, width = image.shape[:2]
    if max(width, height) > LONGEST_SIDE[format]:
        raise TooLongForFormat(width, height, format, LONGEST_SIDE[format])
    codec, options = ENCODINGS[format]
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, codec, **options)
    return stream.getvalue()


def write_image(image: U8Image, path: str | Path, format: ImageFormat) -> bytes:
    """Encodes, writes atomically, and returns the bytes (for their hash). The file's name is not looked at."""
    data = encode_image(image, format)
    atomic_write(path, data)
    return data


def resize_short_side(image: U8Image, size: int) -> UInt8[np.ndarray, "new_h new_w 3"]:
    """Lanczos so that the shorter side is exactly `size` pixels, up or down; the aspect is kept to the next pixel."""
    if size < 1:
        raise ValueError(f"size must be at least 1 pixel, got {size}")
    height, width = image.shape[:2]
    short = min(height, width)
    if short == size:
        return image
    new = (max(1, round(width * size / short)), max(1, round(height * size / short)))
    return np.array(Image.fromarray(image).resize(new, Image.Resampling.LANCZOS))


def stored_size(width: int, height: int, size: int, square: bool) -> tuple[int, int]:
    """(width, height) of `stored_view`'s result, without the picture."""
    short = min(width, height)
    if size and short != size:
        width, height = max(1, round(width * size / short)), max(1, round(height * size / short))
    return (min(width, height),) * 2 if square else (width, height)


def stored_view(image: U8Image, size: int, square: bool) -> UInt8[np.ndarray, "new_h new_w 3"]:
    """The short side scaled to `size` (0: as it is), then, if `square`, the middle square."""
    scaled = resize_short_side(image, size) if size else image
    if not square:
        return scaled
    height, width = scaled.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return np.ascontiguousarray(scaled[top : top + side, left : left + side])
