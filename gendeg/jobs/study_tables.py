"""Numbers of a study as text: means with their intervals, signed or not, and the order of degradations."""

from collections.abc import Mapping
from typing import Any

from gendeg.jobs.study_scores import BLUR
from gendeg.primitives.kinds import Degradation

Numbers = Mapping[str, Any]


def estimate(one: Numbers | None, digits: int) -> str:
    """`20.10 [19.80, 20.40]`, or a dash."""
    if not one:
        return "–"
    return f"{one['value']:.{digits}f} [{one['low']:.{digits}f}, {one['high']:.{digits}f}]"


def signed(one: Numbers | None, digits: int) -> str:
    """`+0.42 [+0.20, +0.61]`, or a dash."""
    if not one:
        return "–"
    value, low, high = (f"{one[key] + 0.0:+.{digits}f}".replace("-", "−") for key in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"


def kinds_of(means: Numbers) -> list[str]:
    """The degradations among the keys, motion blur last, for it is read apart."""
    found = [kind.value for kind in Degradation if kind.value in means]
    return [kind for kind in found if kind != BLUR] + [kind for kind in found if kind == BLUR]
