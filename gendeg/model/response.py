"""A model's own response to mu and sigma, measured once and stored with it: what to tell it to get what is asked."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gendeg.intensity.bins import MU_BINS, SIGMA_BINS
from gendeg.intensity.measure import Intensity

Response = Mapping[str, Mapping[str, Sequence[Sequence[float]]]]
"""Mix name → {"mu": [[asked mu, told mu], …], "sigma": [[asked mu, factor of sigma], …]}, both rising in their asked
mu, and told mu too; a degradation that is not in it is told what was asked."""


def told_statistics(response: Response, degradation: str, mu: float, sigma: float) -> Intensity:
    """(mu, sigma) as asked → as the model is to be told; NaN, the null statistic, stays.

    mu goes through straight lines between the measured points, on to 0 and to the end of its bins, so that more asked
    is never less told. sigma is multiplied by a factor that depends on mu alone: rising in sigma for any mu, also
    for one that is not the median at this mu.
    """
    curves = response.get(degradation)
    if not curves or not mu >= 0:
        return Intensity(mu, sigma)
    asked, told = np.array(curves["mu"], float).T
    end = max(MU_BINS.high * told[-1] / asked[-1], told[-1])
    told_mu = float(np.interp(mu, [0.0, *asked, MU_BINS.high], [0.0, *told, end]))
    factor = float(np.interp(mu, *np.array(curves["sigma"], float).T))
    return Intensity(min(told_mu, MU_BINS.high), min(sigma * factor, SIGMA_BINS.high))


def checked_response(response: Any) -> dict[str, Any]:
    """What a model's configuration holds under `calibration`, as plain lists. Raises `ValueError` for another thing."""
    if not isinstance(response, Mapping):
        raise ValueError("calibration must map degradations to curves")
    return {
        str(name): {kind: _points(name, kind, curves) for kind in ("mu", "sigma")} for name, curves in response.items()
    }


def _points(name: str, kind: str, curves: Any) -> list[list[float]]:
    try:
        points = np.array(curves[kind], float)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"calibration of {name} has no curve of {kind}") from error
    good = points.ndim == 2 and points.shape[1] == 2 and len(points) > 0 and bool(np.isfinite(points).all())
    if not good or (points <= 0).any() or (np.diff(points[:, 0]) <= 0).any():
        raise ValueError(f"calibration of {name}: {kind} must be pairs of numbers above 0, the first ones rising")
    if kind == "mu" and (np.diff(points[:, 1]) < 0).any():
        raise ValueError(f"calibration of {name}: a stronger mu may not be told as a weaker one")
    return points.tolist()
