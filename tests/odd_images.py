"""Files that a folder of photographs really holds: odd ones that are read all the same, bad ones with their reason."""

import io
import struct
import zlib

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from gendeg.primitives import images
from gendeg.primitives.faults import ImageFault
from gendeg.primitives.orientation import EXIF_ORIENTATION

RED, WHITE = (255, 0, 0), (255, 255, 255)


def encoded(image: Image.Image, codec: str, **options) -> bytes:
    stream = io.BytesIO()
    image.save(stream, codec, **options)
    return stream.getvalue()


def png_header(width: int, height: int) -> bytes:
    """A PNG that promises this size and holds no pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


rgb = Image.new("RGB", (7, 5), RED)
ODD = {
    "rgb": (rgb, "PNG", {}, RED),
    "1 x 1": (Image.new("RGB", (1, 1), RED), "PNG", {}, RED),
    "cmyk jpeg": (Image.new("CMYK", (7, 5), (0, 255, 255, 0)), "JPEG", {"quality": 100}, RED),
    "palette": (rgb.convert("P", palette=Image.Palette.ADAPTIVE), "PNG", {}, RED),
    "palette, transparent": (Image.new("P", (7, 5), 0), "PNG", {"transparency": 0}, WHITE),
    "rgb, colour key": (rgb, "PNG", {"transparency": RED}, WHITE),
    "rgba, clear": (Image.new("RGBA", (7, 5), (*RED, 0)), "PNG", {}, WHITE),
    "rgba, opaque": (Image.new("RGBA", (7, 5), (*RED, 255)), "PNG", {}, RED),
    "rgba, half": (Image.new("RGBA", (7, 5), (0, 0, 0, 51)), "PNG", {}, (204, 204, 204)),
    "gray": (Image.new("L", (7, 5), 77), "PNG", {}, (77, 77, 77)),
    "gray + alpha": (Image.new("LA", (7, 5), (0, 51)), "PNG", {}, (204, 204, 204)),
    "1 bit": (Image.new("1", (7, 5), 1), "PNG", {}, WHITE),
    "webp": (rgb, "WEBP", {"lossless": True}, (254, 0, 0)),
    "bmp": (rgb, "BMP", {}, RED),
    "tiff": (rgb, "TIFF", {}, RED),
    "gif": (rgb, "GIF", {}, RED),
}


def bad_files(noise):
    jpeg = images.encode_image(noise, "jpg")
    png = images.encode_image(noise, "png")
    broken = bytearray(png)
    broken[len(png) // 2] ^= 0xFF
    return {
        "empty": (b"", ImageFault.EMPTY),
        "text": (b"not a picture, whatever the name says\n", ImageFault.NOT_AN_IMAGE),
        "postscript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n", ImageFault.NOT_AN_IMAGE),
        "half a jpeg": (jpeg[: len(jpeg) // 2], ImageFault.TRUNCATED),
        "jpeg without its end": (jpeg[:-30], ImageFault.TRUNCATED),
        "jpeg signature only": (jpeg[:4], ImageFault.DAMAGED),
        "half a png": (png[: len(png) // 2], ImageFault.TRUNCATED),
        "flipped bits": (bytes(broken), ImageFault.DAMAGED),
        "float": (encoded(Image.new("F", (4, 4)), "TIFF"), ImageFault.UNSUPPORTED),
        "32 bit": (encoded(Image.new("I", (4, 4)), "TIFF"), ImageFault.UNSUPPORTED),
        "header bomb": (png_header(40_000, 40_000), ImageFault.TOO_LARGE),
        "bomb just above Pillow's warning": (png_header(13_400, 13_300), ImageFault.TOO_LARGE),
    }


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def behind_the_pixels(png: bytes, *chunks: bytes) -> bytes:
    end = png.rindex(b"IEND") - 4
    return png[:end] + b"".join(chunks) + png[end:]


def turned_files(image: Image.Image, orientation: int = 6) -> dict[str, bytes]:
    """The same stored picture, told to be turned in every place where a file may say so."""
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = orientation
    raw, text, png = exif.tobytes(), PngInfo(), encoded(image, "PNG")
    profile = f"\nexif\n{len(raw):8}\n{raw.hex()}\n"  # as ImageMagick writes it
    text.add_text("Raw profile type exif", profile, zip=True)
    words = f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="{orientation}"/></x:xmpmeta>'
    xmp, itxt = words.encode(), PngInfo()
    itxt.add_itxt("XML:com.adobe.xmp", words)
    date = png_chunk(b"tEXt", b"date:create\0today")
    return {
        "png exif": encoded(image, "PNG", exif=exif),
        "png raw profile": encoded(image, "PNG", pnginfo=text),
        "png xmp": encoded(image, "PNG", pnginfo=itxt),
        "png exif behind": behind_the_pixels(png, png_chunk(b"eXIf", raw.removeprefix(b"Exif\0\0"))),
        "png raw profile behind": behind_the_pixels(
            png, date, png_chunk(b"tEXt", b"Raw profile type exif\0" + profile.encode())
        ),
        "jpeg exif": encoded(image, "JPEG", exif=exif),
        "jpeg xmp": encoded(image, "JPEG", xmp=xmp),
        "webp exif": encoded(image, "WEBP", exif=exif, lossless=True),
        "webp xmp": encoded(image, "WEBP", xmp=xmp, lossless=True),
        "tiff tag": encoded(image, "TIFF", exif=exif),
        "tiff xmp": encoded(image, "TIFF", tiffinfo={700: xmp}),
    }


def awkward_files(image: Image.Image) -> dict[str, bytes]:
    """Upright pictures whose bytes must not be stored as they are: `datasets` stops at them, or shows another one."""
    png, text = encoded(image, "PNG"), PngInfo()
    text.add_text("Raw profile type exif", "\nexif\n       4\nnot hexadecimal\n")
    key = struct.pack(">HHH", *image.getpixel((0, 0)))  # type: ignore[misc]
    return {
        "broken raw profile": encoded(image, "PNG", pnginfo=text),
        "colour key behind": behind_the_pixels(png, png_chunk(b"tRNS", key)),
    }
