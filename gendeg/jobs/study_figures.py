"""What a study's page shows: curves with intervals, the t-SNE scatter of each degradation, pictures of every set."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from gendeg.jobs.restore_data import Example
from gendeg.jobs.study_data import EXISTING, REAL, STRANGE, WITHIN, generated_place
from gendeg.jobs.study_work import Study, examples_of
from gendeg.report.html import Card, Figure, Sheet, make_picture
from gendeg.report.plots import Axis, Frame, band, dots, draw, line

LONGEST = 192  # pixels of a picture
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


# --- pictures ---


def picture_sheet(study: Study) -> Sheet:
    """By the same order, drawn by a seed, that the examples of trainings and tests come in."""
    cards: list[Card] = []
    sets = {
        "existing": (study.data / EXISTING, "train"),
        "existing, real": (study.data / REAL, "train"),
        "generated": (generated_place(study.config, study.recipe.data), "train"),
        "within": (study.data / WITHIN, "train"),
        "unseen, strangers": (study.data / STRANGE, "train"),
        "unseen, real": (study.data / REAL, "test"),
    }
    for origin, (place, split) in sets.items():
        if place.exists():
            cards += _cards(study, origin, examples_of(place, split))
    return Sheet(cards, controls=True, heading="Sample pictures", made_by="Set")


def _cards(study: Study, origin: str, examples: list[Example]) -> list[Card]:
    seen: dict[str, int] = {}
    cards = []
    for one in examples:
        if origin == "unseen, real" and one.pair.source not in study.recipe.data.unseen_sources:
            continue
        kind = one.pair.degradation
        seen[kind] = seen.get(kind, 0) + 1
        if seen[kind] <= study.recipe.results.pictures:
            cards.append(_card(origin, one))
    return cards


def _card(origin: str, one: Example) -> Card:
    clean, degraded = (make_picture(image, LONGEST) for image in one.read())
    notes = [f"{one.pair.source}", f"mu\u00a0{one.pair.mu:.3f} · sigma\u00a0{one.pair.sigma:.3f}"]
    kind = one.pair.degradation
    return Card(f"{kind} · {origin}", notes, kind, origin, clean, degraded, rank=one.pair.mu)
