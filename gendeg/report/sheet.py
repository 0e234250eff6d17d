"""Contact sheets: labelled images in a grid, so that people look at what was made."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

from gendeg.primitives.images import U8Image, resize_short_side

GAP, LABEL, MARGIN = 6, 16, 8
PAPER, INK = (250, 250, 248), (30, 30, 30)


@dataclass(frozen=True)
class Tile:
    """One image of a sheet and the line above it."""

    image: U8Image
    label: str


def draw_sheet(rows: Sequence[Sequence[Tile]], cell_width: int = 256) -> U8Image:
    """Rows of labelled images, each scaled to `cell_width` pixels; a row is as high as its tallest image.

    Raises `ValueError` when there is no image at all.
    """
    rows = [row for row in rows if row]
    if not rows:
        raise ValueError("a sheet needs at least one image")
    scaled = [[_fit(cell.image, cell_width) for cell in row] for row in rows]
    heights = [max(image.height for image in row) + LABEL + GAP for row in scaled]
    width = 2 * MARGIN + max(len(row) for row in scaled) * (cell_width + GAP) - GAP
    sheet = Image.new("RGB", (width, 2 * MARGIN + sum(heights)), PAPER)
    draw, font, top = ImageDraw.Draw(sheet), _font(), MARGIN
    for row, images, height in zip(rows, scaled, heights, strict=True):
        for column, (cell, image) in enumerate(zip(row, images, strict=True)):
            left = MARGIN + column * (cell_width + GAP)
            draw.text((left, top), _shorten(cell.label, font, cell_width), fill=INK, font=font)
            sheet.paste(image, (left, top + LABEL))
        top += height
    return np.array(sheet)


def thumbnail(image: U8Image, cell_width: int) -> UInt8[np.ndarray, "new_h new_w 3"]:
    """No wider than a cell of the sheet it is kept for, so that memory stays small."""
    height, width = image.shape[:2]
    short = max(1, cell_width * min(height, width) // width)
    return image if width <= cell_width else resize_short_side(image, short)


def _fit(image: U8Image, width: int) -> Image.Image:
    height = max(1, round(image.shape[0] * width / image.shape[1]))
    method = Image.Resampling.NEAREST if image.shape[1] * 4 <= width else Image.Resampling.LANCZOS
    return Image.fromarray(image).resize((width, min(height, 4 * width)), method)


Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
FONT, SIZE = Path("mpl-data/fonts/ttf/DejaVuSans.ttf"), 11
"""Of matplotlib's folder, which is installed with us: Latin, Greek and Cyrillic, of which Pillow's own has half."""
UNASSIGNED = "\U0010fffe"


@cache
def _font() -> Font:
    spec = find_spec("matplotlib")  # found without importing it
    for place in (spec.submodule_search_locations or []) if spec else []:
        if (path := Path(place) / FONT).is_file():
            return ImageFont.truetype(path, SIZE)
    return ImageFont.load_default(size=12)


@cache
def drawable(letter: str) -> str:
    """A letter, or where the font has none (Chinese, emoji) its number, `\\u6c34`: names differ then as they do."""
    if letter.isascii():
        return letter
    if unicodedata.category(letter).startswith("C"):  # bytes of a name that is no UTF-8 among them
        return letter.encode("unicode_escape").decode()
    drawn, nothing = (bytes(_font().getmask(one)) for one in (letter, UNASSIGNED))
    return letter if drawn != nothing else letter.encode("unicode_escape").decode()


def _shorten(text: str, font: Font, width: int) -> str:
    text = " ".join(text.split())  # file names may hold newlines, which cannot be measured
    text = "".join(map(drawable, unicodedata.normalize("NFC", text)))
    while font.getlength(text) > width and len(text) > 4:
        text = text[:-4] + "…" if text.endswith("…") else text[:-1] + "…"
    return text
