"""From which intensity on a restorer helps: its score before and after at each level, and where the gain changes sign.

The gain is paired: of one image, after minus before (LPIPS: before minus after), so that more is better. At a level the
restorer helps where the 95 % interval of the mean gain lies above zero, harms where it lies below, and is undecided
else, and wherever there are fewer than `FEWEST` photos. The curve of the mean gain crosses zero where a straight line
between two levels does. All intervals redraw whole photos, with all of their levels.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Any

import numpy as np
from jaxtyping import Float

from gendeg.metrics.uncertainty import Estimate, estimate_from_draws
from gendeg.primitives.rng import for_sample
from gendeg.restore.score import ScoreRow

BINS = 5
"""Equal parts of [0, 1], for sets whose intensities are not levels."""
SCORES = {"psnr": 1, "ssim": 1, "lpips": -1}
"""Name → 1 where more is better, −1 where less is."""
HELPS, HARMS, UNDECIDED = "helps", "harms", "undecided"
FEWEST = 6
"""Photos that a verdict takes. Should a gain be as likely as a loss, all n photos agree in 2 of 2^n cases (sign test):
6 % of five, 3 % of six. Fewer cannot tell at 95 %, whatever the bootstrap says, which knows no spread but theirs."""
Curve = Float[np.ndarray, " levels"]


@dataclass(frozen=True)
class Point:
    """The pairs of one level (or the mean intensity of those of one bin)."""

    intensity: float
    photos: int
    before: Estimate
    after: Estimate
    gain: Estimate

    @property
    def verdict(self) -> str:
        """Few photos tell nothing of others."""
        if self.photos < FEWEST or self.gain.low <= 0 <= self.gain.high:
            return UNDECIDED
        return HELPS if self.gain.low > 0 else HARMS


@dataclass(frozen=True)
class Crossing:
    """Where the mean gain crosses zero, going up with the intensity (from harm to help) or down."""

    at: Estimate
    up: bool


@dataclass(frozen=True)
class ByIntensity:
    """One score of one degradation. `binned`: the points are bins, not levels."""

    degradation: str
    score: str
    binned: bool
    points: list[Point]
    crossings: list[Crossing]

    @property
    def says(self) -> str:
        """In words: what it does at the levels, and where that changes."""
        runs = [(verdict, list(run)) for verdict, run in groupby(self.points, key=lambda point: point.verdict)]
        parts = [f"{verdict} {_span(run)}" for verdict, run in runs]
        counts = sorted({point.photos for point in self.points})
        few = counts[0] < FEWEST
        for one in () if few else self.crossings:
            side = "from" if one.up else "up to"
            span = f"{one.at.value:.2f} [{one.at.low:.2f}, {one.at.high:.2f}]"
            parts.append(f"mean gain above zero {side} {span}{' on' if one.up else ''}")
        said = " to ".join(map(str, dict.fromkeys((counts[0], counts[-1]))))
        parts.append(f"on {said} photo{'s' if counts[-1] > 1 else ''}{f': a verdict takes {FEWEST}' if few else ''}")
        return "; ".join(parts)

    def as_row(self) -> dict[str, Any]:
        points = [
            {"intensity": point.intensity, "photos": point.photos}
            | {name: getattr(point, name).as_row() for name in ("before", "after", "gain")}
            | {"verdict": point.verdict}
            for point in self.points
        ]
        crossings = [{"at": one.at.as_row(), "direction": "up" if one.up else "down"} for one in self.crossings]
        own = {"degradation": self.degradation, "score": self.score, "binned": self.binned}
        return own | {"says": self.says, "points": points, "crossings": crossings}


def _span(run: Sequence[Point]) -> str:
    first, last = run[0].intensity, run[-1].intensity
    return f"at {first:.3g}" if len(run) == 1 else f"from {first:.3g} to {last:.3g}"


def by_intensity(rows: Sequence[ScoreRow], draws: int = 500, seed: int = 0) -> list[ByIntensity]:
    """Every score of every degradation that was asked for at two intensities or more; other rows do not count."""
    groups: dict[str, list[ScoreRow]] = defaultdict(list)
    for row in rows:
        if np.isfinite(row.intensity):
            groups[row.degradation].append(row)
    found = []
    for kind, those in sorted(groups.items()):
        for score, sign in SCORES.items():
            told = [row for row in those if np.isfinite(getattr(row, score))]
            if told and (curve := _curve(kind, score, sign, told, draws, seed)) is not None:
                found.append(curve)
    return found


def _curve(kind: str, score: str, sign: int, rows: Sequence[ScoreRow], draws: int, seed: int) -> ByIntensity | None:
    photos = {name: number for number, name in enumerate(dict.fromkeys(row.photo for row in rows))}
    places, level, binned = _levels(np.array([row.intensity for row in rows]), len(photos))
    if len(places) < 2:
        return None
    photo = np.array([photos[row.photo] for row in rows])
    before, after = (np.array([getattr(row, name) for row in rows]) for name in (f"{score}_input", score))
    counts = _table(np.ones(len(rows)), photo, level)
    generator = for_sample(seed, f"{kind}/{score}/intensity", "bootstrap")
    weights = generator.multinomial(len(photos), np.full(len(photos), 1 / len(photos)), size=draws)

    def means(values: Float[np.ndarray, " n"]) -> tuple[Curve, Float[np.ndarray, "draws levels"]]:
        sums = _table(values, photo, level)
        with np.errstate(invalid="ignore"):
            return sums.sum(axis=0) / counts.sum(axis=0), (weights @ sums) / (weights @ counts)

    gain, gains = means(sign * (after - before))
    sides = [means(before), means(after), (gain, gains)]
    points = [
        Point(
            round(float(place), 6), int((counts[:, number] > 0).sum()),
            *(estimate_from_draws(float(mean[number]), drawn[:, number], int(counts[:, number].sum()))
              for mean, drawn in sides),
        )
        for number, place in enumerate(places)
    ]  # fmt: skip
    crossings = [_crossing(places, gains, at, up, len(photos)) for at, up in zero_crossings(places, gain)]
    return ByIntensity(kind, score, binned, points, crossings)


def _levels(intensity: Float[np.ndarray, " n"], photos: int) -> tuple[Curve, np.ndarray, bool]:
    """Where the points stand, which of them each pair belongs to, and whether they are bins.

    Levels are met again and again; where most intensities are met once, they were drawn.
    """
    levels, which = np.unique(np.round(intensity, 6), return_inverse=True)
    if 2 * len(levels) <= len(intensity) or photos == 1:
        return levels, which, False
    filled, which = np.unique(np.minimum((intensity * BINS).astype(int), BINS - 1), return_inverse=True)
    means = np.array([intensity[which == number].mean() for number in range(len(filled))])
    return means, which, True


def _table(values: Float[np.ndarray, " n"], photo: np.ndarray, level: np.ndarray) -> Float[np.ndarray, "photos levels"]:
    """Sums by photo and level."""
    table = np.zeros((photo.max() + 1, level.max() + 1))
    np.add.at(table, (photo, level), values)
    return table


def zero_crossings(places: Curve, gain: Curve) -> list[tuple[float, bool]]:
    """Where straight lines through the points cross zero, and whether they go up; zero itself counts as below."""
    told = np.isfinite(gain)
    points = zip(places[told].tolist(), gain[told].tolist(), strict=True)
    return [
        (x + (to - x) * y / (y - end), end > 0)
        for (x, y), (to, end) in pairwise(points)
        if (y > 0) != (end > 0)
    ]  # fmt: skip


def _crossing(places: Curve, gains: Float[np.ndarray, "draws levels"], at: float, up: bool, photos: int) -> Crossing:
    """Its interval: the nearest crossing of the same direction in every draw.

    A draw without one has it beyond the levels: it is taken at the end where its gain has the sign of that side.
    """
    drawn = []
    for gain in gains:
        alike = [place for place, rises in zero_crossings(places, gain) if rises == up]
        above = bool(np.nanmean(gain) > 0)
        drawn.append(min(alike, key=lambda place: abs(place - at)) if alike else places[0 if above == up else -1])
    return Crossing(estimate_from_draws(at, np.array(drawn), photos), up)
