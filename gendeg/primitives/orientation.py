"""Which way up a picture is, wherever its file says so: as Pillow's `exif_transpose`, and with it `datasets`, sees it.

An orientation may stand in EXIF, in a PNG's "Raw profile type exif" (as ImageMagick writes it) or in XMP; a PNG may
hold any of them behind its pixels. A reader that looks in fewer places than another one gets another picture.
"""

import io
from typing import Any

from PIL import Image

EXIF_ORIENTATION = 0x0112
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
SIDEWAYS = (5, 6, 7, 8)  # width and height change places

PNG_SIGNATURE = 8  # bytes
HARMLESS = (b"tIME", b"IEND")
WORDS = (b"tEXt", b"zTXt", b"iTXt")
TELLING = (b"Raw profile type exif\0", b"XML:com.adobe.xmp\0")
"""Keywords of text that Pillow reads an orientation from."""


def orientation_of(image: Image.Image) -> int:
    """1..8, by all that has been read of the file so far. Raises whatever Pillow's parser stumbles over."""
    value: Any = Image.Image.getexif(image).get(EXIF_ORIENTATION)  # of a PNG's own method: it would decode the picture
    return int(value) if UPRIGHT.get(value) is not None else 1


def header_orientation(image: Image.Image) -> int:
    """The turn that is still to come before a picture of which only the header was read is upright.

    A TIFF is turned by Pillow itself; its size is known turned when its own tag says so, but not when XMP does.
    """
    if image.format == "TIFF" and EXIF_ORIENTATION in getattr(image, "tag_v2", ()):
        return 1
    return orientation_of(image)


def tells_late(stream: io.BufferedIOBase) -> bool:
    """Whether a PNG holds anything behind its pixels that changes how it is shown; then only decoding it tells.

    Reads the chunks' heads and leaves the stream where it was. What is no whole PNG has nothing to tell.
    """
    here, seen = stream.tell(), False
    try:
        end = stream.seek(0, io.SEEK_END)
        at = PNG_SIGNATURE
        while at + 8 <= end:
            stream.seek(at)
            head = stream.read(8 + max(map(len, TELLING)))
            kind = head[4:8]
            if kind == b"IDAT":
                seen = True
            elif seen and kind not in HARMLESS and (kind not in WORDS or head[8:].startswith(TELLING)):
                return True
            at += 12 + int.from_bytes(head[:4], "big")
        return False
    finally:
        stream.seek(here)
