"""The range of a degradation as cells of mu, density, width and direction, and an order of pairs that covers them."""

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from gendeg.curate.measure import Candidate
from gendeg.primitives.rng import for_sample

BINS = 4  # of mu and of direction; density and width have three
COHERENT = 0.2  # below this a layer has no direction


def in_turn(candidates: Sequence[Candidate], group: Sequence[int], seed: int, kind: str) -> list[int]:
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
    return order


def cells(candidates: Sequence[Candidate]) -> Int[np.ndarray, "n axes"]:
    """Which bin of mu, density, width and direction each layer lies in: bins of equal width over the middle 98 %."""
    shapes = [one.measured.shape for one in candidates]
    columns = [
        _bin(np.array([one.pair.mu for one in candidates]), BINS),
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
