"""What is asked of one photo: degradation, prompt and statistics, from words and numbers a user gives.

An intensity is a quantile of p(mu); sigma is the median given mu (sampling as in GenDeg, section 3.3).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from gendeg.intensity.bins import MU_BINS, SIGMA_BINS, Bins
from gendeg.intensity.direction import UNKNOWN, Direction
from gendeg.intensity.measure import Intensity
from gendeg.intensity.priors import are_exact, load_priors, mixture
from gendeg.primitives.errors import BadOption
from gendeg.primitives.kinds import DIRECTED, Mix, has_direction, mix_name, parse_mixes
from gendeg.primitives.records import DECIMALS
from gendeg.prompts import make_prompt, words

SIGMA_NEIGHBOURS = 24  # expected pairs wanted around a mu before its conditional sigma is trusted
Joint = Float[np.ndarray, "mu sigma"]


@dataclass(frozen=True)
class Ask:
    """One degraded version that is asked for.

    `source` names the priors that its intensity was read from. Of an empty mix nothing is known but prompt and
    statistics; NaN is the null statistic, and an unknown direction the model's own choice.
    """

    mix: Mix
    caption: str
    prompt: str
    intensity: float
    mu: float
    sigma: float
    source: str
    direction: Direction = UNKNOWN

    @property
    def name(self) -> str:
        """The mix as records, files and a model's configuration name it."""
        return mix_name(self.mix)

    @property
    def recorded(self) -> dict[str, Any]:
        """What a record says of it."""
        direction, coherence = self.direction.recorded
        return {
            "degradation": self.name, "caption": self.caption, "prompt": self.prompt, "intensity": self.intensity,
            "mu_requested": self.mu, "sigma_requested": self.sigma, "direction_requested": direction,
            "coherence_requested": coherence, "source": self.source,
        }  # fmt: skip


@cache
def joint_of(mix: Mix, root: str = "") -> tuple[Joint, str, bool]:
    """The joint density of mu and sigma of all priors of a degradation, their sources' names, and whether it is exact.

    `root` is a folder of priors; without one: the packed ones.
    """
    priors = load_priors(mix, Path(root) if root else None)
    return mixture(priors), "+".join(prior.source for prior in priors), are_exact(priors)


def ask_intensity(mix: Mix, intensity: float, caption: str = "", priors: str = "") -> Ask:
    """`intensity` in [0, 1] is a quantile of p(mu); sigma is its conditional median. Raises `BadOption`, `NoPrior`."""
    if not 0.0 <= intensity <= 1.0:
        raise BadOption("--intensity", f"must lie in [0, 1], got {intensity}")
    joint, source, exact = joint_of(mix, priors)
    mu, sigma = intensity_to_statistics(joint, intensity, exact)
    return _ask(mix, caption, intensity, mu, sigma, source)


def ask_intensities(types: str, intensities: Sequence[float], caption: str = "", priors: str = "") -> list[Ask]:
    """Every degradation of a comma list at every intensity, as `ask_intensity`.

    Each once, at the precision of records and file names: two that share a name would overwrite each other.
    """
    distinct = list(dict.fromkeys(round(q, DECIMALS) for q in intensities))
    return [ask_intensity(mix, q, caption, priors) for mix in parse_mixes(types) for q in distinct]


def intensity_word(intensity: float) -> str:
    """`i060` in names of files and keys: hundredths, or millionths (`i0125000`) where it is finer than these."""
    coarse = round(intensity, 2) == intensity
    return "i" + f"{intensity:.{2 if coarse else DECIMALS}f}".replace(".", "")


def ask_statistics(mix: Mix, mu: float, sigma: float | None, caption: str = "", priors: str = "") -> Ask:
    """Statistics given directly; without sigma, the median of p(sigma | mu). Raises `BadOption`, `NoPrior`."""
    _check_in(MU_BINS, "--mu", mu)
    joint, source, exact = joint_of(mix, priors)
    if sigma is None:
        sigma = median_sigma(joint, mu, exact)
    _check_in(SIGMA_BINS, "--sigma", sigma)
    return _ask(mix, caption, statistics_to_intensity(joint, mu), mu, sigma, source)


def ask_direction(asks: Sequence[Ask], degrees: float | None) -> list[Ask]:
    """The same with a direction, in degrees from the vertical, where there can be one; None leaves it to the model.

    Raises `BadOption` where there can be none in any.
    """
    if degrees is None:
        return list(asks)
    refuse_undirected([ask.mix for ask in asks])
    told = Direction.of(degrees)
    return [replace(ask, direction=told) if has_direction(ask.mix) else ask for ask in asks]


def refuse_undirected(mixes: Sequence[Mix]) -> None:
    """Raises `BadOption` where nothing has a direction that is asked for."""
    if not any(map(has_direction, mixes)):
        names, having = ", ".join(map(mix_name, mixes)), ", ".join(DIRECTED)
        raise BadOption("--direction", f"{names} has none; it goes with {having}")


def _ask(mix: Mix, caption: str, intensity: float, mu: float, sigma: float, source: str) -> Ask:
    caption = " ".join(caption.split()) or words().fallback_caption
    return Ask(mix, caption, make_prompt(caption, mix), intensity, mu, sigma, source)


def _check_in(bins: Bins, option: str, value: float) -> None:
    if not bins.contains(value):
        raise BadOption(option, f"must lie in [0, {bins.high}], the range the model was told about; got {value}")


# --- the axis of intensity ---


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
