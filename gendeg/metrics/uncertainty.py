"""How sure a number is: the bootstrap over photos (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy.stats import spearmanr

CONFIDENCE = 0.95
Rows = Int[np.ndarray, " n"]
Statistic = Callable[[Rows], float]
"""Indices of the samples that are in → the number; NaN where they do not tell it."""


@dataclass(frozen=True)
class Estimate:
    """A number, its percentile interval, and the count of samples it was taken over."""

    value: float
    low: float
    high: float
    n: int

    def as_row(self) -> dict[str, Any]:
        return {"value": _rounded(self.value), "low": _rounded(self.low), "high": _rounded(self.high), "n": self.n}


def _rounded(value: float) -> float:
    return round(float(value), 6) + 0.0


def bootstrap(clusters: Sequence[Any], statistic: Statistic, draws: int, generator: np.random.Generator) -> Estimate:
    """The statistic over all samples, and the 95 % percentile interval of it over resampled clusters (section 13.3).

    `clusters[i]` names what sample i belongs to, its photo: samples of one photo are alike, so whole photos are drawn
    with replacement, not samples. Draws where the statistic is NaN are left out; one photo makes the interval a point.
    Raises `ValueError` when there is no sample.
    """
    if len(clusters) == 0:
        raise ValueError("no samples to take a statistic over")
    groups = rows_by_cluster(clusters)
    value = float(statistic(np.arange(len(clusters))))
    drawn = [statistic(_redrawn(groups, generator)) for _ in range(draws)]
    return estimate_from_draws(value, np.array(drawn, np.float64), len(clusters))


def bootstrap_ratio(
    clusters: Sequence[Any],
    top: Float[np.ndarray, " n"],
    bottom: Float[np.ndarray, " n"],
    draws: int,
    generator: np.random.Generator,
) -> Estimate:
    """As `bootstrap` for mean(top) / mean(bottom) of paired samples, all draws at once; a mean has a bottom of ones."""
    if len(clusters) == 0:
        raise ValueError("no samples to take a statistic over")
    groups = rows_by_cluster(clusters)
    sums = np.array([[values[rows].sum() for rows in groups] for values in (top, bottom)])
    picked = generator.integers(len(groups), size=(draws, len(groups)))
    with np.errstate(divide="ignore", invalid="ignore"):
        drawn = sums[0][picked].sum(axis=1) / sums[1][picked].sum(axis=1)
        return estimate_from_draws(float(sums[0].sum() / sums[1].sum()), drawn, len(clusters))


def bootstrap_mean(
    clusters: Sequence[Any], values: Float[np.ndarray, " n"], draws: int, generator: np.random.Generator
) -> Estimate:
    """The mean and its interval over resampled clusters."""
    return bootstrap_ratio(clusters, values, np.ones(len(values)), draws, generator)


def bootstrap_blocks(
    blocks: Sequence[Float[np.ndarray, "runs _"]], weights: Sequence[float], draws: int, generator: np.random.Generator
) -> Estimate:
    """The weighted sum of the blocks' means: a block is a source, its rows are runs (seeds), its columns its photos.

    The pigeonhole bootstrap (Owen, Annals of Applied Statistics 2007): every run measured every photo, and the interval
    is of other runs on other photos. Both are redrawn with replacement: runs once for all blocks (they are the same
    restorers), photos within each block. `n` counts the photos.
    Raises `ValueError` when there is no block or the blocks' runs differ in number.
    """
    runs = {len(block) for block in blocks}
    if len(runs) != 1 or len(blocks) != len(weights):
        raise ValueError("every block needs a weight and the same runs")
    picked = generator.integers(count := runs.pop(), size=(draws, count))
    value, drawn = 0.0, np.zeros(draws)
    for block, weight in zip(blocks, weights, strict=True):
        photos = generator.integers(block.shape[1], size=(draws, block.shape[1]))
        drawn += weight * block[picked[:, :, None], photos[:, None, :]].mean(axis=(1, 2))
        value += weight * float(block.mean())
    return estimate_from_draws(value, drawn, sum(block.shape[1] for block in blocks))


def estimate_from_draws(value: float, drawn: Float[np.ndarray, " draws"], n: int) -> Estimate:
    """The percentile interval of draws made elsewhere; without a finite one it is the value itself."""
    finite = drawn[np.isfinite(drawn)]
    if len(finite) == 0:
        return Estimate(value, value, value, n)
    low, high = np.quantile(finite, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    # Photos drawn twice are ties, which a rank correlation likes: its draws can all lie on one side of the value.
    return Estimate(value, min(float(low), value), max(float(high), value), n)


def _redrawn(groups: list[Rows], generator: np.random.Generator) -> Int[np.ndarray, " drawn"]:
    return np.concatenate([groups[int(i)] for i in generator.integers(len(groups), size=len(groups))])


def rows_by_cluster(clusters: Sequence[Any]) -> list[Rows]:
    """The places of each cluster's samples, clusters in the order of their first one."""
    places: dict[Any, list[int]] = {}
    for index, name in enumerate(clusters):
        places.setdefault(name, []).append(index)
    return [np.array(rows) for rows in places.values()]


# --- ranks ---


def spearman(asked: Float[np.ndarray, " n"], measured: Float[np.ndarray, " n"]) -> float:
    """Rank correlation in [−1, 1] (Spearman, 1904), ties at their mean rank: does more asked always give more?

    Where many photos are asked the same k levels it stays below sqrt(1 − 1/k²), .994 for nine, for what was asked alike
    never measures alike. NaN where either side is constant.
    """
    if len(asked) < 2 or np.ptp(asked) == 0 or np.ptp(measured) == 0:
        return float("nan")
    return float(spearmanr(asked, measured).statistic)
