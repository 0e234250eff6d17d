"""One self-contained HTML page of results: sections of tables, plots and pictures with a slider, through page.html.

The page holds its style, script and pictures; its Content-Security-Policy forbids it to fetch anything and to run any
script but its own (by hash), so that a caption that holds markup stays text even if escaping were to fail.
"""

import base64
import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

from gendeg.primitives.images import U8Image

HERE = Path(__file__).parent
QUALITY = 84  # of WebP; artefacts stay below what the degradations do


@dataclass(frozen=True)
class Picture:
    """An image inside the page. `full` is the size in pixels that it was stored in, before it was made smaller."""

    source: str  # data:image/webp;base64,…
    width: int
    height: int
    full: tuple[int, int]


@dataclass(frozen=True)
class Card:
    """A pair to slide between (or, without `degraded`, one picture: `single` says which) and what is known about it."""

    title: str
    notes: Sequence[str]  # a line each
    degradation: str
    origin: str
    clean: Picture | None
    degraded: Picture | None = None
    facts: Sequence[tuple[str, str]] = ()
    rank: float = 0.0  # to order by: measured mu
    single: str = "the clean photo"  # what a picture alone is


@dataclass(frozen=True)
class Cell:
    """One cell of a table. Shares are of the cell's width, in [0, 1]; `shade` colours the whole cell that strongly."""

    text: str = ""
    shade: float | None = None
    bars: Sequence[tuple[str, float]] = ()  # (kind, share), one after the other
    interval: tuple[float, float, float] | None = None  # low, value, high
    good: bool | None = None  # a target that was met, or missed


@dataclass(frozen=True)
class Table:
    """Rows of cells; plain text is a cell too. The first column is the rows' head."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell | str]]
    legend: Sequence[tuple[str, str]] = ()  # (kind, what it means)


@dataclass(frozen=True)
class Figure:
    """A plot and the line below it."""

    plot: Markup
    caption: str


@dataclass(frozen=True)
class Figures:
    """Plots side by side, as many as the window holds (or `across` of them)."""

    figures: Sequence[Figure]
    legend: Sequence[tuple[str, str]] = ()
    heading: str = ""
    across: int = 0


@dataclass(frozen=True)
class Sheet:
    """Cards in a grid with controls over all of them; `large`: each at its full size instead, one below the other."""

    cards: Sequence[Card]
    controls: bool = False
    large: bool = False
    heading: str = ""
    made_by: str = "Origin"  # what the cards' `origin` is called


@dataclass(frozen=True)
class Facts:
    """Names and values."""

    rows: Sequence[tuple[str, str]]


Block = Table | Figures | Sheet | Facts


@dataclass(frozen=True)
class Section:
    """A heading, paragraphs of plain text, and what they speak of."""

    name: str  # [a-z-]+, the anchor
    title: str
    text: Sequence[str]
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Page:
    """Everything that a report shows; plots aside, all of it plain text."""

    title: str
    kind: str  # Dataset, Evaluation
    text: str
    tiles: Sequence[tuple[str, str]]  # (number, what it counts)
    sections: Sequence[Section]
    warning: str = ""
    footer: str = ""


def render_page(page: Page) -> str:
    """The whole file. A pure function of the page: no date."""
    loader = FileSystemLoader(HERE)
    environment = Environment(
        loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined
    )
    environment.tests["number_like"] = _is_number
    environment.filters["kind"] = lambda block: type(block).__name__.lower()
    environment.filters["cell"] = lambda cell: cell if isinstance(cell, Cell) else Cell(cell)
    environment.filters["percent"] = lambda share: f"{100 * min(max(share, 0.0), 1.0):.2f}%"
    style, script = ((HERE / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment.get_template("page.html").render(
        page=page, style=Markup(style), script=Markup(script), script_hash=f"sha256-{digest}"
    )


def make_picture(image: U8Image, longest: int = 0) -> Picture:
    """As WebP inside the page, its longer side at most `longest` pixels (0: as it is)."""
    height, width = image.shape[:2]
    scale = min(1.0, longest / max(height, width)) if longest else 1.0
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = Image.fromarray(image).resize(size, Image.Resampling.LANCZOS) if scale < 1 else Image.fromarray(image)
    stream = io.BytesIO()
    small.save(stream, "WEBP", quality=QUALITY, method=4)
    source = "data:image/webp;base64," + base64.b64encode(stream.getvalue()).decode()
    return Picture(source, *size, (width, height))


def percent(part: float, whole: float) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "–"


def plain(value: object) -> str:
    """A setting as people read it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _is_number(text: str) -> bool:
    """Such cells stand to the right: 12, 0.34, −1.5, 3 %, 0.1 [0.0, 0.2]."""
    return bool(text) and text[0] in "0123456789+-−–.±" and not any(c.isalpha() for c in text.replace("dB", ""))
