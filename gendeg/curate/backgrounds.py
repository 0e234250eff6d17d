"""How many backgrounds, and which: those that cover the range of the degradation at the least complexity.

Weighted set cover by the greedy rule (Chvátal, 1979): the next photo is the one with most of the range for its cost.
A cell that is covered c times already counts 1 / (c + 1), so that the range goes on filling evenly after it is covered.
"""

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

import numpy as np

from gendeg.curate.measure import Candidate
from gendeg.curate.range import cells

LEAST_COST = 0.1  # of the simplest photo, whose score may be 0
Cells = Mapping[str, Counter[tuple[int, ...]]]
"""Photo → how many of its pairs lie in each cell."""


def fewest(candidates: Sequence[Candidate], group: Sequence[int], most: int) -> set[str]:
    """At most `most` photos of a degradation's pairs; a photo costs its complexity."""
    scores = {candidates[i].photo: LEAST_COST + candidates[i].background for i in group}
    return set(islice(by_cover(_cells(candidates, group), scores), most))


def balanced(candidates: Sequence[Candidate], group: Sequence[int]) -> set[str]:
    """As many photos as leave the layers at least as many bits as the backgrounds.

    Those whose own layers outweigh them all stay. What they have to spare pays for others, which cost what their
    layers lack, in the order of cover for cost. Where no photo is outweighed nothing can be balanced, and as few stay
    as cover the range.
    """
    photos = _by_photo(candidates, group)
    lack = {photo: -np.subtract(*description(candidates, rows)) for photo, rows in photos.items()}
    chosen = {photo for photo, bits in lack.items() if bits <= 0}
    covered = _cells(candidates, group)
    if not chosen:
        wanted, seen = set().union(*covered.values()), set[tuple[int, ...]]()
        for photo in by_cover(covered, lack):
            if seen == wanted:
                break
            chosen.add(photo)
            seen |= set(covered[photo])
        return chosen
    spare = -sum(lack[photo] for photo in chosen)
    for photo in by_cover({p: covered[p] for p in covered if p not in chosen}, lack):
        if lack[photo] <= spare:
            chosen.add(photo)
            spare -= lack[photo]
    return chosen


def description(candidates: Sequence[Candidate], group: Sequence[int]) -> tuple[float, float]:
    """Compressed bits of (the layers, the backgrounds) of pairs: a layer each, but each photo once, as one view.

    How much there is to learn by heart of either (the two-part code of Rissanen, Automatica 1978, of a set of pairs).
    """
    bits = np.array([(candidates[i].measured.layer[2], candidates[i].measured.background[2]) for i in group])
    sizes = np.array([candidates[i].pair.width * candidates[i].pair.height for i in group])
    views = Counter(candidates[i].photo for i in group)
    shares = np.array([1 / views[candidates[i].photo] for i in group])
    return float((bits[:, 0] * sizes).sum()), float((bits[:, 1] * sizes * shares).sum())


def by_cover(covered: Cells, costs: Mapping[str, float]) -> Iterator[str]:
    """Photos in the greedy order; gains only fall, so that a photo is looked at again only when it comes up."""
    counts: Counter[tuple[int, ...]] = Counter()
    heap = [(-_gain(covered[photo], counts) / costs[photo], photo) for photo in covered]
    heapq.heapify(heap)
    while heap:
        _, photo = heapq.heappop(heap)
        now = -_gain(covered[photo], counts) / costs[photo]
        if heap and (now, photo) > heap[0]:
            heapq.heappush(heap, (now, photo))
            continue
        counts.update(covered[photo])
        yield photo


def _gain(own: Counter[tuple[int, ...]], counts: Counter[tuple[int, ...]]) -> float:
    return sum(1 / (counts[cell] + k + 1) for cell, times in own.items() for k in range(times))


def _cells(candidates: Sequence[Candidate], group: Sequence[int]) -> Cells:
    codes = cells([candidates[i] for i in group]).tolist()
    found: dict[str, Counter[tuple[int, ...]]] = defaultdict(Counter)
    for i, code in zip(group, codes, strict=True):
        found[candidates[i].photo][tuple(code)] += 1
    return found


def _by_photo(candidates: Sequence[Candidate], group: Sequence[int]) -> dict[str, list[int]]:
    photos: dict[str, list[int]] = defaultdict(list)
    for i in group:
        photos[candidates[i].photo].append(i)
    return photos
