"""What is asked of one photo: degradation, prompt and statistics, from words and numbers a user gives.

An intensity is a quantile of p(mu); sigma is the median given mu (sampling as in GenDeg, section 3.3).
"""

import math
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
from gendeg.primitives.kinds import DIRECTED, MIXES, Mix, Wanted, has_direction, mix_name, parse_types
from gendeg.primitives.options import PHYSICS
from gendeg.primitives.records import DECIMALS, Part
from gendeg.prompts import make_prompt, words

SIGMA_NEIGHBOURS = 24  # expected pairs wanted around a mu before its conditional sigma is trusted
Joint = Float[np.ndarray, "mu sigma"]


NOTHING = math.nan
"""As a statistic: not asked for."""


@dataclass(frozen=True)
class PartAsk:
    """What is asked of one pass of several, by its own prior."""

    mix: Mix
    intensity: float
    mu: float
    sigma: float

    def recorded(self, made: Intensity) -> Part:
        """`made`: what it changed of the picture that it was laid on."""
        return Part(
            degradation=mix_name(self.mix), intensity=self.intensity, mu_requested=self.mu, sigma_requested=self.sigma,
            mu=made.mu, sigma=made.sigma,
        )  # fmt: skip


@dataclass(frozen=True)
class Ask:
    """One degraded version that is asked for.

    `source` names the priors that its intensity was read from. Of an empty mix nothing is known but prompt and
    statistics; NaN is the null statistic, and an unknown direction the model's own choice.

    `parts` is empty for what is made in one pass. Others are asked part by part, in the order in which they are laid on
    each other, and nothing of the whole: its mu and sigma are `NOTHING`, its intensity is the parts' mean.
    """

    mix: Mix
    caption: str
    prompt: str
    intensity: float
    mu: float
    sigma: float
    source: str
    direction: Direction = UNKNOWN
    parts: tuple[PartAsk, ...] = ()

    @property
    def name(self) -> str:
        """The mix as records, files and a model's configuration name it."""
        return mix_name(self.mix)

    @property
    def passes(self) -> tuple[PartAsk, ...]:
        """What is asked of each pass; of a single one, all."""
        return self.parts or (PartAsk(self.mix, self.intensity, self.mu, self.sigma),)

    @property
    def recorded(self) -> dict[str, Any]:
        """What a record says of it."""
        direction, coherence = self.direction.recorded
        return {
            "degradation": self.name, "caption": self.caption, "prompt": self.prompt, "intensity": self.intensity,
            "mu_requested": self.mu, "sigma_requested": self.sigma, "direction_requested": direction,
            "coherence_requested": coherence, "source": self.source,
        }  # fmt: skip

    def recorded_with(self, whole: Intensity, parts: Sequence[Intensity]) -> dict[str, Any]:
        """The same with what was measured: of a whole of parts nothing was asked, so what it is, was asked."""
        if not self.parts:
            return self.recorded
        each = [asked.recorded(made) for asked, made in zip(self.parts, parts, strict=True)]
        return replace(self, mu=whole.mu, sigma=whole.sigma).recorded | {"parts": each}


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


def learnt_by(model: str) -> tuple[Mix, ...]:
    """The mixes that a model makes in one pass: simulators none, networks those that they are told in one prompt."""
    return () if model == PHYSICS else MIXES


def in_one_pass(wanted: Wanted, learnt: Sequence[Mix] = MIXES) -> bool:
    """Whether it is asked for as a whole: a single degradation, or a learnt mix whose parts have no own intensity."""
    return len(wanted.mix) == 1 or (wanted.mix in learnt and not any(one is not None for one in wanted.own))


def ask_wanted(
    wanted: Wanted, intensity: float, caption: str = "", priors: str = "", learnt: Sequence[Mix] = MIXES
) -> Ask:
    """As a whole or in parts, each at its own intensity, or at this one. Raises `BadOption`, `NoPrior`."""
    each = [intensity if own is None else round(own, DECIMALS) for own in wanted.own]
    if in_one_pass(wanted, learnt):
        return ask_intensity(wanted.mix, each[0], caption, priors)
    asked = [ask_intensity((kind,), q, caption, priors) for kind, q in zip(wanted.kinds, each, strict=True)]
    parts = tuple(PartAsk(one.mix, one.intensity, one.mu, one.sigma) for one in asked)
    source = "+".join(dict.fromkeys(one.source for one in asked))
    whole = _ask(wanted.mix, caption, sum(each) / len(each), NOTHING, NOTHING, source)
    return replace(whole, parts=parts)


def ask_intensities(
    types: str, intensities: Sequence[float], caption: str = "", priors: str = "", learnt: Sequence[Mix] = MIXES
) -> list[Ask]:
    """Every degradation and mix of a comma list at every intensity, as `ask_wanted`.

    Each once, at the precision of records and file names: two that share a name would overwrite each other.
    """
    distinct = list(dict.fromkeys(round(q, DECIMALS) for q in intensities))
    asks = [ask_wanted(wanted, q, caption, priors, learnt) for wanted in parse_types(types) for q in distinct]
    return list({(ask.name, *strengths_of(ask)): ask for ask in asks}.values())


def strengths_of(ask: Ask) -> tuple[float, ...]:
    """Its intensity, or of several parts each one's, in the order of its name."""
    own = {part.mix: part.intensity for part in ask.parts}
    return tuple(own[kind,] for kind in ask.mix) if own else (ask.intensity,)


def refuse_parts(wanted: Wanted, learnt: Sequence[Mix] = MIXES) -> None:
    """Raises `BadOption` for what statistics cannot be asked of: several parts, or one with its own intensity."""
    if not in_one_pass(wanted, learnt) or any(own is not None for own in wanted.own):
        example = "+".join(f"{kind}=0.5" for kind in wanted.kinds)
        raise BadOption("--mu", f"is of one degradation; {wanted.name} is asked by intensities ({example})")


def drawn_mixes(types: str, model: str) -> list[Mix]:
    """What priors are drawn from for a comma list: mixes as a whole, or their parts."""
    each = [
        [wanted.mix] if in_one_pass(wanted, learnt_by(model)) else [(kind,) for kind in wanted.kinds]
        for wanted in parse_types(types)
    ]
    return list(dict.fromkeys(mix for mixes in each for mix in mixes))


def intensity_word(*intensities: float) -> str:
    """`i060` in names of files and keys: hundredths, or millionths (`i0125000`) where it is finer than these.

    `i060-040`: of two parts, in the order of the mix's name.
    """
    finest = (2 if round(one, 2) == one else DECIMALS for one in intensities)
    return "i" + "-".join(f"{one:.{n}f}".replace(".", "") for one, n in zip(intensities, finest, strict=True))


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
