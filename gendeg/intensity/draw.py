"""Many statistics at once: a plan's mu and sigma, drawn or looked up (GenDeg, section 3.3)."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int

from gendeg.intensity.ask import Joint, intensity_to_statistics, sigma_given
from gendeg.intensity.bins import MU_BINS, SIGMA_BINS, Bins
from gendeg.intensity.priors import Prior, are_exact, load_priors, mixture
from gendeg.primitives.errors import BadOption
from gendeg.primitives.kinds import Mix, has_direction
from gendeg.primitives.records import DECIMALS

EVEN_EVERY = 20
"""Every 20th draw takes mu evenly over the range of its source, so that rare strengths are seen too.

Of an imported prior sigma as well, whatever mu is: so do its authors (`Prior.even_sigma`).
"""
NUMBER = r"\d*\.?\d+"


@dataclass(frozen=True)
class Drawn:
    """Statistics of n samples. `intensity` is the quantile of mu among all sources; `source` an index, −1: all."""

    intensity: Float[np.ndarray, " n"]
    mu: Float[np.ndarray, " n"]
    sigma: Float[np.ndarray, " n"]
    source: Int[np.ndarray, " n"]


@dataclass(frozen=True)
class Curve:
    """A cumulative histogram between its first and last filled bin: quantiles and ranks by linear interpolation."""

    edges: Float[np.ndarray, " k"]
    cumulative: Float[np.ndarray, " k"]

    def quantile(self, q: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        return np.interp(q, self.cumulative, self.edges)

    def rank(self, value: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        return np.interp(value, self.edges, self.cumulative)


def curve(weights: Float[np.ndarray, " bins"], bins: Bins) -> Curve:
    """From a histogram, unnormalised; at least one bin must be filled."""
    cumulative = np.concatenate([[0.0], np.cumsum(weights)])
    filled = np.flatnonzero(weights)
    keep = slice(filled[0], filled[-1] + 2)
    edges = np.arange(len(weights) + 1) * bins.width
    return Curve(edges[keep], cumulative[keep] / cumulative[-1])


class Drawing:
    """p(mu) of one joint density, and p(sigma | mu) for every bin of mu, made when first asked for.

    `exact`: rows as they stand, not smoothed.
    """

    def __init__(self, joint: Joint, exact: bool = False):
        self.joint, self.mu, self.exact = joint, curve(joint.sum(axis=1), MU_BINS), exact
        self._sigma: dict[int, Curve] = {}

    def draw_sigma(self, mu: Float[np.ndarray, " n"], uniform: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """One draw of p(sigma | bin of mu) for each mu."""
        sigma, bins = np.empty_like(mu), MU_BINS.index(mu)
        for number in np.unique(bins):
            here = bins == number
            sigma[here] = self._sigma_curve(int(number)).quantile(uniform[here])
        return sigma

    def _sigma_curve(self, number: int) -> Curve:
        if number not in self._sigma:
            centre = (number + 0.5) * MU_BINS.width
            self._sigma[number] = curve(sigma_given(self.joint, centre, self.exact), SIGMA_BINS)
        return self._sigma[number]


class Drawer:
    """All sources of one degradation."""

    def __init__(self, priors: Sequence[Prior]):
        self.priors = list(priors)
        weights = np.array([prior.weight for prior in priors])
        self.shares = np.cumsum(weights / weights.sum())

    @cached_property
    def every(self) -> Drawing:
        """The sources by their weights."""
        return Drawing(mixture(self.priors), are_exact(self.priors))

    @cached_property
    def each(self) -> list[Drawing]:
        return [Drawing(prior.density(), prior.exact) for prior in self.priors]

    def fixed(self, intensity: float, count: int) -> Drawn:
        """The same statistics `count` times: the quantile of mu, the median of sigma given it."""
        mu, sigma = intensity_to_statistics(self.every.joint, intensity, self.every.exact)
        return Drawn(np.full(count, intensity), np.full(count, mu), np.full(count, sigma), np.full(count, -1))

    def in_turn(self, levels: Sequence[float], first: int, count: int) -> Drawn:
        """The levels one after the other, as `fixed`; sample number `first` gets `levels[first % len(levels)]`."""
        turns = (np.arange(first, first + count)) % len(levels)
        each = [self.fixed(level, 1) for level in levels]
        intensity, mu, sigma = (
            np.concatenate([getattr(one, name) for one in each])[turns] for name in ("intensity", "mu", "sigma")
        )
        return Drawn(intensity, mu, sigma, np.full(count, -1))

    def between(self, low: float, high: float, uniform: Float[np.ndarray, "n 3"]) -> Drawn:
        """Intensities even in [low, high]; mu is that quantile, sigma a draw of p(sigma | mu)."""
        intensity = low + (high - low) * uniform[:, 1]
        mu = self.every.mu.quantile(intensity)
        return Drawn(intensity, mu, self.every.draw_sigma(mu, uniform[:, 2]), np.full(len(mu), -1))

    def from_priors(self, uniform: Float[np.ndarray, "n 3"], even: Bool[np.ndarray, " n"]) -> Drawn:
        """A source by weight, mu from its p(mu) (where `even`: evenly over its range), sigma from its p(sigma | mu)."""
        source = np.minimum(np.searchsorted(self.shares, uniform[:, 0], side="right"), len(self.priors) - 1)
        mu, sigma = np.empty(len(uniform)), np.empty(len(uniform))
        for number in np.unique(source):
            here, drawing = source == number, self.each[number]
            evenly = _evenly(drawing.mu.edges[0], drawing.mu.edges[-1], uniform[here, 1])
            mu[here] = np.where(even[here], evenly, drawing.mu.quantile(uniform[here, 1]))
            sigma[here] = drawing.draw_sigma(mu[here], uniform[here, 2])
            if (bins := self.priors[number].even_sigma) is not None:
                low, high = bins[0] * SIGMA_BINS.width, (bins[1] + 1) * SIGMA_BINS.width
                sigma[here] = np.where(even[here], _evenly(low, high, uniform[here, 2]), sigma[here])
        return Drawn(self.every.mu.rank(mu), mu, sigma, source)


def _evenly(low: float, high: float, uniform: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    return low + (high - low) * uniform


Statistics = Callable[[Mix, Float[np.ndarray, "n 3"], int], tuple[Drawn, list[str]]]
"""(mix, uniform draws, number of the first) → statistics of n samples, and the names of the sources."""


def levels_of(intensity: str) -> tuple[float, ...]:
    """The levels of a graded set, `0.1,0.5,0.9`, weakest first, each once; none where `--intensity` is no such list.

    Raises `BadOption`.
    """
    parts = [part.strip() for part in intensity.split(",")]
    if len(parts) == 1:
        return ()
    if wrong := [part for part in parts if not re.fullmatch(NUMBER, part)]:
        raise BadOption("--intensity", f"levels are numbers, as in 0.1,0.5,0.9; '{wrong[0]}' is none")
    levels = sorted({round(float(part), DECIMALS) for part in parts})
    if levels[-1] > 1:
        raise BadOption("--intensity", f"must lie in [0, 1], not '{levels[-1]:g}'")
    if len(levels) == 1:
        raise BadOption("--intensity", f"names one level twice; for that level alone write {levels[0]:g}")
    return tuple(levels)


def statistics_of(intensity: str, priors: str = "") -> Statistics:
    """`--intensity` of a plan: `prior`, one value, a range or levels; `priors` is a folder, empty: the packed ones.

    Raises `BadOption`.
    """
    mode, levels = intensity.strip(), levels_of(intensity)
    match = re.fullmatch(rf"({NUMBER})(?:-({NUMBER}))?", mode)
    if mode != "prior" and match is None and not levels:
        raise BadOption("--intensity", f"must be prior, a number, a range 0.2-0.8 or levels 0.1,0.5,0.9, not '{mode}'")
    low, high = (float(match[1]), float(match[2] or match[1])) if match else (0.0, 1.0)
    if not 0 <= low <= high <= 1:
        raise BadOption("--intensity", f"must lie in [0, 1], not '{mode}'")

    def statistics(mix: Mix, uniform: Float[np.ndarray, "n 3"], first: int) -> tuple[Drawn, list[str]]:
        drawer = _drawer(mix, priors)
        names = [prior.source for prior in drawer.priors]
        if levels:
            return drawer.in_turn(levels, first, len(uniform)), names
        if match is None:
            even = (np.arange(first, first + len(uniform)) + 1) % EVEN_EVERY == 0
            return drawer.from_priors(uniform, even), names
        if match[2] is None:
            return drawer.fixed(low, len(uniform)), names
        return drawer.between(low, high, uniform), names

    return statistics


Directions = Callable[[Mix, Float[np.ndarray, " n"]], Float[np.ndarray, " n"]]
"""(mix, uniform draws) → degrees from the vertical of n samples; NaN where the model draws them."""


def directions_of(direction: str) -> Directions:
    """`--direction` of a plan: `prior`, degrees, or a range of them. Raises `BadOption`."""
    mode, number = direction.strip(), rf"([+-]?{NUMBER})"
    if mode == "prior":
        return as_learnt
    match = re.fullmatch(rf"{number}(?:\.\.{number})?", mode)
    if match is None:
        raise BadOption("--direction", f"must be prior, degrees like 30 or a range like -20..20, not '{mode}'")
    low, high = float(match[1]), float(match[2] or match[1])
    if not -180 <= low <= high <= 180:
        raise BadOption("--direction", f"must lie in [-180, 180] and rise, not '{mode}'")

    def directions(mix: Mix, uniform: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        return np.round(_evenly(low, high, uniform), DECIMALS) if has_direction(mix) else as_learnt(mix, uniform)

    return directions


def asks_direction(direction: str) -> bool:
    """Whether a plan's `--direction` leaves it to no model. Raises `BadOption`."""
    return directions_of(direction) is not as_learnt


def as_learnt(mix: Mix, uniform: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Every direction left to the model."""
    return np.full(len(uniform), np.nan)


@cache
def _drawer(mix: Mix, root: str) -> Drawer:
    return Drawer(load_priors(mix, Path(root) if root else None))
