"""Which pairs to train on: few and simple backgrounds under the whole range of the degradation (arXiv 2502.12600).

The range is cut into cells by mu, density, width and direction of the layer. Cells give their pairs in turn, in each
the simplest background first, so that rare strong rain counts as much as the common drizzle.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from gendeg.configs import CurateConfig
from gendeg.jobs.curate_places import Measured, Placed
from gendeg.primitives.errors import BadOption
from gendeg.primitives.rng import for_sample

BINS = 4  # of mu; density, width and direction have three and four
COHERENT = 0.2  # below this a layer has no direction
KEPT = ""
HELD_OUT = "held out"  # kept too: validation and test pairs are not chosen among


@dataclass(frozen=True)
class Candidate:
    """A pair, its numbers, and the scores in [0, 1] of its background (the mean over the photo's views) and layer."""

    placed: Placed
    measured: Measured
    background: float
    layer: float

    @property
    def photo(self) -> str:
        return self.placed.photo

    @property
    def degradation(self) -> str:
        return self.placed.pair.degradation


QUANTITIES: dict[str, Callable[[Candidate], float]] = {
    "mu": lambda one: one.placed.pair.mu,
    "sigma": lambda one: one.placed.pair.sigma,
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
        ordered = in_turn(candidates, inside, config.seed, kind)
        if config.balance:
            _balance(candidates, ordered, reasons)
        groups[kind] = _few_backgrounds(candidates, ordered.order, config.backgrounds, reasons)
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
    for i in group:
        if candidates[i].photo not in chosen:
            reasons[i] = "background not among the --simplest"
    return [i for i in group if candidates[i].photo in chosen]


# --- the range of a degradation ---


@dataclass(frozen=True)
class Ordered:
    """Pairs in the order in which they are taken; the first of every cell come first, `first` of them."""

    order: list[int]
    first: int


def in_turn(candidates: Sequence[Candidate], group: Sequence[int], seed: int, kind: str) -> Ordered:
    """Every cell gives one pair, its simplest background's, then every cell a second one, and so on."""
    codes = cells([candidates[i] for i in group])
    draw = for_sample(seed, kind, "curate").permutation(len(group))  # among equally simple ones
    members: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for place in sorted(range(len(group)), key=lambda p: (candidates[group[p]].background, int(draw[p]))):
        members[tuple(codes[place].tolist())].append(group[place])
    order: list[int] = []
    by_cell = [members[cell] for cell in _spread_cells(sorted(members))]
    for turn in range(max(map(len, by_cell), default=0)):
        order += [cell[turn] for cell in by_cell if turn < len(cell)]
    return Ordered(order, len(by_cell))


def cells(candidates: Sequence[Candidate]) -> Int[np.ndarray, "n axes"]:
    """Which bin of mu, density, width and direction each layer lies in: bins of equal width over the middle 98 %."""
    shapes = [one.measured.shape for one in candidates]
    columns = [
        _bin(np.array([one.placed.pair.mu for one in candidates]), BINS),
        _bin(np.array([shape.density for shape in shapes]), BINS - 1),
        _bin(np.log(np.array([max(shape.width, 1.0) for shape in shapes])), BINS - 1),
        np.array([1 + int((s.direction + 90) // 45) % BINS if s.coherence >= COHERENT else 0 for s in shapes], int),
    ]
    return np.stack(columns, axis=1).astype(np.int64).reshape(len(candidates), 4)


def _bin(values: Float[np.ndarray, " n"], count: int) -> Int[np.ndarray, " n"]:
    if not len(values):
        return np.zeros(0, np.int64)
    low, high = np.quantile(values, [0.01, 0.99])
    share = (values - low) / max(high - low, 1e-9)
    return np.clip((share * count).astype(np.int64), 0, count - 1)


def _spread_cells(found: Sequence[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """An order in which any first few cells cover every axis as evenly as they can."""
    left, order = list(found), []
    used: Counter[tuple[int, int]] = Counter()
    while left:
        best = min(left, key=lambda cell: (sum(used[place] for place in enumerate(cell)), cell))
        used.update(enumerate(best))
        order.append(best)
        left.remove(best)
    return order


# --- how many backgrounds ---


def _few_backgrounds(candidates: Sequence[Candidate], order: Sequence[int], most: int, reasons: list[str]) -> list[int]:
    """Those left of the order; a photo that would be one more than `most` (0: all) is dropped with its pairs."""
    chosen: set[str] = set()
    kept = []
    for i in order:
        if reasons[i]:
            continue
        if most and candidates[i].photo not in chosen and len(chosen) >= most:
            reasons[i] = "background beyond --backgrounds"
            continue
        chosen.add(candidates[i].photo)
        kept.append(i)
    return kept


def _balance(candidates: Sequence[Candidate], ordered: Ordered, reasons: list[str]) -> None:
    """Drops photos until the layers hold as many bits as the backgrounds under them (a photo counts once).

    The photos of the first pair of every cell stay, for the range; the others come in the order of bits of layers per
    bit of background, as long as the sum of both stays balanced. So the most simple and most reused backgrounds stay.
    """
    photos: dict[str, list[int]] = defaultdict(list)
    for i in ordered.order:
        photos[candidates[i].photo].append(i)
    bits = {photo: description(candidates, group) for photo, group in photos.items()}
    reserved = list(dict.fromkeys(candidates[i].photo for i in ordered.order[: ordered.first]))
    layers, backgrounds = (sum(bits[photo][side] for photo in reserved) for side in (0, 1))
    others = sorted(set(photos) - set(reserved), key=lambda photo: (-bits[photo][0] / bits[photo][1], photo))
    for photo in others:
        if layers + bits[photo][0] >= backgrounds + bits[photo][1]:
            layers, backgrounds = layers + bits[photo][0], backgrounds + bits[photo][1]
            continue
        for i in photos[photo]:
            reasons[i] = "background beyond the balance"


def description(candidates: Sequence[Candidate], group: Sequence[int]) -> tuple[float, float]:
    """Compressed bits of (the layers, the backgrounds) of pairs: a layer each, but each photo once, as one view."""
    bits = np.array([(candidates[i].measured.layer[2], candidates[i].measured.background[2]) for i in group])
    sizes = np.array([candidates[i].placed.pair.width * candidates[i].placed.pair.height for i in group])
    views = Counter(candidates[i].photo for i in group)
    shares = np.array([1 / views[candidates[i].photo] for i in group])
    return float((bits[:, 0] * sizes).sum()), float((bits[:, 1] * sizes * shares).sum())


def _shares(counts: dict[str, int], samples: int) -> dict[str, int]:
    """How many of each degradation: equally many, and what the rare ones lack goes to the others."""
    left, shares = samples, {}
    for place, (kind, count) in enumerate(sorted(counts.items(), key=lambda item: (item[1], item[0]))):
        shares[kind] = min(count, left // (len(counts) - place))
        left -= shares[kind]
    return shares
