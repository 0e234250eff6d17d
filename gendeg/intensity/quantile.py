"""The intensity axis: a quantile of p(mu), and sigma given mu (DESIGN.md, 3.4; sampling as in GenDeg, section 3.3)."""

import numpy as np
from jaxtyping import Float

from gendeg.intensity.bins import MU_BINS, SIGMA_BINS, Bins
from gendeg.intensity.measure import Intensity

SIGMA_NEIGHBOURS = 24  # expected pairs wanted around a mu before its conditional sigma is trusted
Joint = Float[np.ndarray, "mu sigma"]


def intensity_to_statistics(joint: Joint, intensity: float, exact: bool = False) -> Intensity:
    """`intensity` in [0, 1] → (mu at that quantile of p(mu), median sigma given this mu); `exact`: `sigma_given`.

    Raises `ValueError` for an intensity outside [0, 1] or NaN.
    """
    if not 0.0 <= intensity <= 1.0:
        raise ValueError(f"intensity must lie in [0, 1], got {intensity}")
    mu = _quantile(joint.sum(axis=1), intensity, MU_BINS)
    return Intensity(mu, median_sigma(joint, mu, exact))


def statistics_to_intensity(joint: Joint, mu: float) -> float:
    """The share of p(mu) that lies below `mu`: the inverse of `intensity_to_statistics`."""
    cumulative = np.concatenate([[0.0], np.cumsum(joint.sum(axis=1))])
    edges = np.arange(MU_BINS.count + 1) * MU_BINS.width
    return float(np.interp(mu, edges, cumulative / cumulative[-1]))


def median_sigma(joint: Joint, mu: float, exact: bool = False) -> float:
    """Median of p(sigma | mu); mu in [0, 0.7]."""
    return _quantile(sigma_given(joint, mu, exact), 0.5, SIGMA_BINS)


def sigma_given(joint: Joint, mu: float, exact: bool = False) -> Float[np.ndarray, " sigma"]:
    """p(sigma | mu), unnormalised. Counted priors are few pairs, so their rows are smoothed over mu: a Gaussian window,
    widened until enough of the prior lies in it. `exact` (imported priors): the row of mu's bin as it stands, so that
    sigma falls only where the table has counts; of an empty row, the nearest filled one (of two, the weaker).
    """
    if exact:
        return joint[_filled_row(joint, mu)]
    centres = (np.arange(MU_BINS.count) + 0.5) * MU_BINS.width
    for widen in (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 128.0):
        window = np.exp(-0.5 * ((centres - mu) / (widen * MU_BINS.width)) ** 2)
        weights = window @ joint
        if weights.sum() * 1000 >= SIGMA_NEIGHBOURS:
            break
    return weights


def _filled_row(joint: Joint, mu: float) -> int:
    filled = np.flatnonzero(joint.sum(axis=1))
    return int(filled[np.argmin(np.abs(filled - MU_BINS.index(np.array([mu]))[0]))])


def _quantile(weights: Float[np.ndarray, " bins"], q: float, bins: Bins) -> float:
    """Quantile of a histogram, linear inside a bin; empty bins at either end are never entered."""
    cumulative = np.concatenate([[0.0], np.cumsum(weights)])
    cumulative /= cumulative[-1]
    edges = np.arange(bins.count + 1) * bins.width
    filled = np.flatnonzero(weights)
    keep = slice(filled[0], filled[-1] + 2)
    return float(np.interp(q, cumulative[keep], edges[keep]))
