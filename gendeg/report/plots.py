"""Small plots as inline SVG by hand: they take the page's colours, light or dark, and a paragraph's worth of bytes."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float
from markupsafe import Markup, escape

Values = Float[np.ndarray, " n"]

WIDTH, HEIGHT = 300, 224
LEFT, RIGHT, TOP, BOTTOM = 54, 10, 10, 38
SHADES = 6
"""Steps of a heat map; the cells of one step are one path, so that ten thousand cells stay a few kilobytes."""


@dataclass(frozen=True)
class Axis:
    """A linear axis from `low` to `high`. An empty `label` leaves it without numbers."""

    label: str
    high: float
    low: float = 0.0
    marks: Sequence[tuple[float, str]] = ()
    """Where numbers stand and what they say, instead of round ones: for categories, and for logarithms."""

    def ticks(self) -> list[float]:
        """Two to six round numbers inside it, or where the marks are."""
        if self.marks:
            return [place for place, _ in self.marks]
        span = self.high - self.low
        step = 10.0 ** np.floor(np.log10(span / 2.5))
        step *= max(factor for factor in (1, 2, 2.5, 5) if factor == 1 or span / (step * factor) >= 2.5)
        first = np.ceil(self.low / step - 1e-9)
        return [float(step * number) for number in np.arange(first, self.high / step + 1e-9)]

    def texts(self) -> list[str]:
        """What stands at the ticks."""
        return [text for _, text in self.marks] or _numbers(self.ticks())


@dataclass(frozen=True)
class Frame:
    """The two axes of a plot: data → units of the drawing, whose origin is the upper left corner."""

    x: Axis
    y: Axis

    def across(self, values: Values) -> Values:
        return LEFT + (values - self.x.low) / (self.x.high - self.x.low) * (WIDTH - LEFT - RIGHT)

    def down(self, values: Values) -> Values:
        share = (values - self.y.low) / (self.y.high - self.y.low)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    def points(self, x: Values, y: Values) -> list[str]:
        """`"12.3 45.6"` for every point, kept inside the frame, so that what is beyond an axis lies on its end."""
        across = np.clip(self.across(x), LEFT, WIDTH - RIGHT)
        down = np.clip(self.down(y), TOP, HEIGHT - BOTTOM)
        return [f"{a:.1f} {d:.1f}" for a, d in zip(across.tolist(), down.tolist(), strict=True)]


def draw(frame: Frame, title: str, *marks: Markup) -> Markup:
    """The whole plot. `title` is what a screen reader says."""
    head = Markup('<svg class="plot" viewBox="0 0 {} {}" role="img" aria-label="{}">').format(WIDTH, HEIGHT, title)
    return head + _axes(frame) + Markup("").join(marks) + Markup("</svg>")


# --- marks; `kind` is a class of the page's style sheet: generated, existing, simulated, prior, ideal … ---


def dots(frame: Frame, x: Values, y: Values, kind: str) -> Markup:
    """Each point a line of no length, with round ends: one path for all of them."""
    return _path("dots", kind, "".join(f"M{point}h0" for point in frame.points(x, y)))


def line(frame: Frame, x: Values, y: Values, kind: str) -> Markup:
    return _path("line", kind, "M" + "L".join(frame.points(x, y)))


def stairs(frame: Frame, edges: Float[np.ndarray, " k"], heights: Values, kind: str, filled: bool = False) -> Markup:
    """A histogram: n heights between n + 1 edges."""
    x = np.repeat(edges, 2)
    y = np.concatenate([[frame.y.low], np.repeat(heights, 2), [frame.y.low]])
    return _path("area" if filled else "line", kind, "M" + "L".join(frame.points(x, y)))


def heat(
    frame: Frame, x: Float[np.ndarray, " i"], y: Float[np.ndarray, " j"], weights: Float[np.ndarray, "w h"], kind: str
) -> Markup:
    """Cells between edges `x` and `y`, the fuller the stronger (by the square root); empty ones are left out.

    `weights` has one row for each interval of `x`. Cells beyond the frame are left out too.
    """
    share = np.sqrt(weights / weights.max()) if weights.any() else weights
    steps = np.ceil(share * SHADES).astype(int)
    inside = np.outer(x[:-1] < frame.x.high, y[:-1] < frame.y.high)
    across, down = np.clip(frame.across(x), LEFT, WIDTH - RIGHT), np.clip(frame.down(y), TOP, HEIGHT - BOTTOM)
    paths = []
    for step in range(1, SHADES + 1):
        cells = [
            f"M{across[i]:.1f} {down[j + 1]:.1f}H{across[i + 1]:.1f}V{down[j]:.1f}H{across[i]:.1f}Z"
            for i, j in np.argwhere((steps == step) & inside)
        ]
        if cells:
            paths.append(_path("heat", f"{kind} s{step}", "".join(cells)))
    return Markup("").join(paths)


def whiskers(frame: Frame, x: Values, low: Values, high: Values, kind: str) -> Markup:
    """Intervals as upright lines."""
    ends = zip(frame.points(x, low), frame.points(x, high), strict=True)
    return _path("line", kind, "".join(f"M{one}L{other}" for one, other in ends))


def band(frame: Frame, x: Values, low: Values, high: Values, kind: str) -> Markup:
    """The area between two curves."""
    return _path("area", kind, "M" + "L".join([*frame.points(x, high), *frame.points(x[::-1], low[::-1])]) + "Z")


def spread(values: Sequence[Float[np.ndarray, " _"]], least: float) -> float:
    """A good upper end of an axis: past 99.5 % of all values, at least `least`."""
    filled = [np.quantile(one, 0.995) for one in values if len(one)]
    return float(max([least, *(1.08 * value for value in filled)]))


# --- what stands around ---


def _axes(frame: Frame) -> Markup:
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    parts = []
    if frame.x.label:
        ticks = frame.x.ticks()
        for place, text in zip(frame.across(np.array(ticks)).tolist(), frame.x.texts(), strict=True):
            parts.append(Markup('<path class="grid" d="M{:.1f} {}V{}"/>').format(place, TOP, bottom))
            words = Markup('<text x="{:.1f}" y="{}" text-anchor="middle">{}</text>')
            parts.append(words.format(place, bottom + 15, text))
    if frame.y.label:
        ticks = frame.y.ticks()
        for place, text in zip(frame.down(np.array(ticks)).tolist(), frame.y.texts(), strict=True):
            parts.append(Markup('<path class="grid" d="M{} {:.1f}H{}"/>').format(LEFT, place, right))
            words = Markup('<text x="{}" y="{:.1f}" text-anchor="end">{}</text>')
            parts.append(words.format(LEFT - 6, place + 3.5, text))
    parts.append(Markup('<path class="axis" d="M{} {}V{}H{}"/>').format(LEFT, TOP, bottom, right))
    middle = (LEFT + right) / 2, (TOP + bottom) / 2
    parts.append(
        Markup('<text class="label" x="{}" y="{}" text-anchor="middle">{}</text>').format(
            middle[0], HEIGHT - 5, frame.x.label
        )
    )
    turned = Markup('<text class="label" transform="translate(10 {}) rotate(-90)" text-anchor="middle">{}</text>')
    return Markup("").join(parts) + turned.format(middle[1], frame.y.label)


def _numbers(ticks: Sequence[float]) -> list[str]:
    """All with as many digits as the finest step needs."""
    step = min((b - a for a, b in pairwise(ticks)), default=1.0)
    digits = next(d for d in range(8) if abs(round(step, d) - step) < 1e-9 * max(1.0, abs(step)) or d == 7)
    return [f"{tick + 0.0:.{digits}f}" for tick in ticks]


def _path(shape: str, kind: str, data: str) -> Markup:
    return Markup('<path class="{} {}" d="{}"/>').format(shape, kind, escape(data))
