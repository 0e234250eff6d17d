"""Which pairs to train on: few and simple backgrounds under the whole range of the degradation (arXiv 2502.12600).

Of each degradation: what lies outside the ranges goes, then backgrounds that are not simple enough, then (when their
number is limited) those that others cover the range without (curate/backgrounds.py). What is left gives its pairs in
turn, a cell of the range after the other, the simplest background first, until the samples are full (curate/range.py).
"""

from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np

from gendeg.curate.backgrounds import balanced, fewest
from gendeg.curate.config import CurateConfig
from gendeg.curate.measure import Candidate
from gendeg.curate.range import in_turn
from gendeg.primitives.errors import BadOption

KEPT = ""
HELD_OUT = "held out"  # kept too: validation and test pairs are not chosen among

QUANTITIES: dict[str, Callable[[Candidate], float]] = {
    "mu": lambda one: one.pair.mu,
    "sigma": lambda one: one.pair.sigma,
    "density": lambda one: one.measured.shape.density,
    "width": lambda one: one.measured.shape.width,
    "length": lambda one: one.measured.shape.length,
    "direction": lambda one: one.measured.shape.direction,
    "background": lambda one: one.background,
    "layer": lambda one: one.layer,
}
"""What `--range` can name."""


def select(candidates: Sequence[Candidate], config: CurateConfig) -> list[str]:
    """For each pair why it is dropped, or `KEPT`. Deterministic: equal candidates and settings, equal choice.

    Raises `BadOption` for options that contradict each other or name nothing.
    """
    ranges = parse_ranges(config.ranges)
    reasons = [_out_of_range(one, ranges) for one in candidates]
    open_pairs = [i for i, reason in enumerate(reasons) if not reason]
    groups: dict[str, list[int]] = defaultdict(list)
    for i in open_pairs:
        groups[candidates[i].degradation].append(i)
    for kind, group in sorted(groups.items()):
        inside = _simplest(candidates, group, config.simplest, reasons)
        if config.balance:
            inside = _only(candidates, inside, balanced(candidates, inside), "background beyond the balance", reasons)
        elif config.backgrounds:
            few = fewest(candidates, inside, config.backgrounds)
            inside = _only(candidates, inside, few, "background beyond --backgrounds", reasons)
        groups[kind] = in_turn(candidates, inside, config.seed, kind)
    if config.samples:
        for kind, most in _shares({kind: len(group) for kind, group in groups.items()}, config.samples).items():
            for i in groups[kind][most:]:
                reasons[i] = "beyond --samples"
    return reasons


def parse_ranges(texts: Sequence[str]) -> dict[str, tuple[float, float]]:
    """`"mu=0.02:0.3"` → mu: (0.02, 0.3). Raises `BadOption`."""
    found = {}
    for text in texts:
        name, _, ends = text.partition("=")
        low, _, high = ends.partition(":")
        try:
            pair = float(low or "-inf"), float(high or "inf")
        except ValueError:
            pair = (1.0, 0.0)
        if name not in QUANTITIES or ":" not in ends or not pair[0] <= pair[1]:
            names = ", ".join(QUANTITIES)
            raise BadOption("--range", f"'{text}': write NAME=LOW:HIGH, such as mu=0.02:0.3, with one of {names}")
        found[name] = pair
    return found


def _out_of_range(one: Candidate, ranges: dict[str, tuple[float, float]]) -> str:
    for name, (low, high) in ranges.items():
        if not low <= QUANTITIES[name](one) <= high:
            return f"{name} outside --range"
    return KEPT


def _simplest(candidates: Sequence[Candidate], group: list[int], share: float, reasons: list[str]) -> list[int]:
    """Of the photos of a degradation the share with the lowest score; the pairs of the others are dropped."""
    scores = {candidates[i].photo: candidates[i].background for i in group}
    ranked = sorted(scores, key=lambda photo: (scores[photo], photo))
    chosen = set(ranked[: max(1, int(np.ceil(share * len(ranked) - 1e-9)))])
    return _only(candidates, group, chosen, "background not among the --simplest", reasons)


def _only(
    candidates: Sequence[Candidate], group: Sequence[int], photos: set[str], reason: str, reasons: list[str]
) -> list[int]:
    """The pairs of those photos; the others are dropped for this reason."""
    for i in group:
        if candidates[i].photo not in photos:
            reasons[i] = reason
    return [i for i in group if candidates[i].photo in photos]


def _shares(counts: dict[str, int], samples: int) -> dict[str, int]:
    """How many of each degradation: equally many, and what the rare ones lack goes to the others."""
    left, shares = samples, {}
    for place, (kind, count) in enumerate(sorted(counts.items(), key=lambda item: (item[1], item[0]))):
        shares[kind] = min(count, left // (len(counts) - place))
        left -= shares[kind]
    return shares
