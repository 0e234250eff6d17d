"""What is asked of one photo: degradation, prompt and statistics, from words and numbers a user gives."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from gendeg.intensity.bins import MU_BINS, SIGMA_BINS, Bins
from gendeg.intensity.direction import UNKNOWN, Direction
from gendeg.intensity.priors import are_exact, load_priors, mixture
from gendeg.intensity.quantile import intensity_to_statistics, median_sigma, statistics_to_intensity
from gendeg.primitives.errors import BadOption
from gendeg.primitives.kinds import Mix, mix_name, parse_mixes
from gendeg.primitives.records import DECIMALS
from gendeg.prompts import make_prompt, words


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


@cache
def joint_of(mix: Mix, root: str = "") -> tuple[np.ndarray, str, bool]:
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


def ask_statistics(mix: Mix, mu: float, sigma: float | None, caption: str = "", priors: str = "") -> Ask:
    """Statistics given directly; without sigma, the median of p(sigma | mu). Raises `BadOption`, `NoPrior`."""
    _check_in(MU_BINS, "--mu", mu)
    joint, source, exact = joint_of(mix, priors)
    if sigma is None:
        sigma = median_sigma(joint, mu, exact)
    _check_in(SIGMA_BINS, "--sigma", sigma)
    return _ask(mix, caption, statistics_to_intensity(joint, mu), mu, sigma, source)


def _ask(mix: Mix, caption: str, intensity: float, mu: float, sigma: float, source: str) -> Ask:
    caption = " ".join(caption.split()) or words().fallback_caption
    return Ask(mix, caption, make_prompt(caption, mix), intensity, mu, sigma, source)


def _check_in(bins: Bins, option: str, value: float) -> None:
    if not bins.contains(value):
        raise BadOption(option, f"must lie in [0, {bins.high}], the range the model was told about; got {value}")
