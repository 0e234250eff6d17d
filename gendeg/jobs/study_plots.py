"""The plots of a study: curves with intervals, and the t-SNE scatter of each degradation."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from gendeg.report.html import Figure
from gendeg.report.plots import Axis, Frame, band, dots, draw, line

Curve = Sequence[tuple[float, Mapping[str, Any] | None]]
"""(place along the axis, {value, low, high}); points without a mean are left out."""


def plot_curves(
    title: str, x: str, y: str, curves: Mapping[str, Curve], marks: Sequence[tuple[float, str]], caption: str
) -> Figure:
    """Means as lines with dots, intervals as bands; the keys are colours of the page. A single mean is a level line."""
    drawn = {kind: _arrays(curve) for kind, curve in curves.items()}
    drawn = {kind: arrays for kind, arrays in drawn.items() if arrays.size}
    values = np.concatenate([arrays[1:].ravel() for arrays in drawn.values()]) if drawn else np.array([0.0, 1.0])
    room = 0.06 * max(float(values.max() - values.min()), 1e-6)
    places = [place for place, _ in marks]
    beyond = 0.04 * max(places[-1] - places[0], 1e-6)
    frame = Frame(
        Axis(x, places[-1] + beyond, places[0] - beyond, marks),
        Axis(y, float(values.max()) + room, float(values.min()) - room),
    )
    parts: list[Markup] = []
    for kind, arrays in drawn.items():
        if arrays.shape[1] == 1:
            arrays = np.stack([np.array([places[0], places[-1]]), *np.repeat(arrays[1:], 2, axis=1)])
            parts.append(line(frame, arrays[0], arrays[1], kind))
            continue
        parts += [band(frame, arrays[0], arrays[2], arrays[3], kind), line(frame, arrays[0], arrays[1], kind)]
        parts.append(dots(frame, arrays[0], arrays[1], kind))
    return Figure(draw(frame, title, *parts), caption)


def _arrays(curve: Curve) -> np.ndarray:
    """Rows: place, value, low, high."""
    there = [(place, one["value"], one["low"], one["high"]) for place, one in curve if one]
    return np.array(there, np.float64).T


def plot_scatter(title: str, points: Sequence[Mapping[str, Any]], kinds: Mapping[str, str], caption: str) -> Figure:
    """Points of one degradation among all others (faint); `kinds`: origin → colour."""
    every = np.array([(point["x"], point["y"]) for point in points], np.float64)
    low, high = every.min(axis=0), every.max(axis=0)
    room = 0.05 * np.maximum(high - low, 1e-6)
    axes = [Axis("", float(high[i] + room[i]), float(low[i] - room[i])) for i in (0, 1)]
    frame = Frame(*axes)
    marks = []
    for origin, kind in kinds.items():
        here = np.array([(p["x"], p["y"]) for p in points if p["origin"] == origin and p["degradation"] == title])
        if here.size:
            marks.append(dots(frame, here[:, 0], here[:, 1], kind))
    return Figure(draw(frame, f"{title}: features of images", *marks), caption)
