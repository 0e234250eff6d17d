"""How far a model's changes are from the simulators', by what other seeds of those are apart: energy distance, ratio.

(Székely and Rizzo, "Energy statistics", J. Statistical Planning and Inference 2013.)
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.spatial.distance import cdist

from gendeg.metrics.change import GROUPS, NAMES
from gendeg.metrics.uncertainty import Estimate, bootstrap_ratio, estimate_from_draws

Changes = Float[np.ndarray, "intensities photos versions statistics"]
Others = Float[np.ndarray, "others_intensities others_photos others_versions statistics"]
"""`change_statistics` of some versions (seeds) of every photo at every intensity, of one degradation."""
Between = Float[np.ndarray, "photos photos"]
"""Mean distance of a version of one photo (row) and one of another (column), by the sets that they are of."""

SET = 16
"""Changes in each of two sets that the ratio speaks of: more would tell smaller differences apart."""
SMALLEST = 0.05
"""The least unit, of statistics that hardly vary: all are logarithms, shares or correlations, and less is not seen."""


@dataclass(frozen=True)
class Compared:
    """What two sets of changes say of each other; `groups` and `intensities` are the same ratio of a part.

    `distance`: 1 like other seeds, more farther. `spread`: between seeds of a photo, ÷ the reference's; None without
    two versions of each photo.
    """

    distance: Estimate
    intensities: tuple[Estimate, ...]
    groups: dict[str, Estimate]
    spread: Estimate | None


def compare_changes(reference: Changes, other: Others, draws: int, generator: np.random.Generator) -> Compared:
    """Distance and spread of `other`, a model's, relative to those of `reference`, the simulators' with other seeds.

    *Unit.* A statistic counts in standard deviations of the reference, over photos and versions of an intensity (at
    least `SMALLEST`); each of `GROUPS` counts as one, however many statistics it has.

    *Given the photo.* Photos differ more than seeds do. So what is compared is a change less the mean of all but one of
    the reference's versions of its photo and intensity: for the reference's own that one is itself, for the other's
    each in turn. Both have the same error of that mean, and other seeds of the reference are the same to it.

    *The ratio* is √(V(other, reference) / V(reference, reference)) for sets of `SET` changes, V the expected energy
    distance of two sets of that size (each change also paired with itself, as in a V-statistic): what is measured
    beside what chance alone does to sets so large. Both follow from three mean distances (R reference, O other),
        V(O, R) = 2 E|O − R| − (1 − 1/SET) (E|O − O'| + E|R − R'|),   V(R, R') = 2 E|R − R'| / SET,
    which are taken over pairs of different photos only and so have no bias, whatever the number of photos: a ratio of
    two measured distances would divide by something near 0. Other seeds give 1 on average (below it as often as above);
    a mean that is off by .65 of the seeds' own deviation in every statistic about 1.5. Seeds that hardly differ move it
    little (to 1.07 where they do by .3): that is for `spread`. A number below 0 under the root, by chance, is given as
    0. All intensities at once: their mean distances are averaged.

    Intervals are of redrawn photos; a photo drawn twice is not compared with itself. Raises `ValueError` for fewer than
    two photos, or fewer than two versions in the reference.
    """
    if reference.shape[1] < 2 or reference.shape[2] < 2 or reference.shape[:2] != other.shape[:2]:
        raise ValueError("at least two photos with two simulations each are needed, and the same photos of both")
    one, two = standardised(reference, other)
    weights = _photo_weights(reference.shape[1], draws, generator)
    whole = [_between(*sets) for sets in zip(one, two, strict=True)]
    groups = {}
    for name, names in GROUPS.items():
        at = [NAMES.index(statistic) for statistic in names]
        groups[name] = _ratio([_between(*sets) for sets in zip(one[..., at], two[..., at], strict=True)], weights)
    return Compared(
        _ratio(whole, weights), tuple(_ratio([part], weights) for part in whole), groups,
        _spread(one, two, draws, generator) if other.shape[2] > 1 else None,
    )  # fmt: skip


def standardised(reference: Changes, other: Others) -> tuple[Changes, Others]:
    """Both in the reference's deviations, intensity by intensity, each of `GROUPS` with a weight of one."""
    share = {name: len(names) ** -0.5 for names in GROUPS.values() for name in names}
    unit = np.maximum(reference.std(axis=(1, 2), keepdims=True), SMALLEST)
    weight = np.array([share[name] for name in NAMES]) / unit
    return reference * weight, other * weight


def _between(
    reference: Float[np.ndarray, "photos versions d"], other: Float[np.ndarray, "photos others d"]
) -> tuple[Between, Between, Between]:
    """Reference and itself, other and itself, reference and other: mean distances by photos, given the photos."""
    versions = reference.shape[1]
    without = (reference.sum(axis=1, keepdims=True) - reference) / (versions - 1)  # the mean but each
    one = reference - without
    two = (other[:, :, None] - without[:, None]).reshape(len(other), -1, other.shape[2])
    return _distances(one, one), _distances(two, two), _distances(one, two)


def _distances(one: Float[np.ndarray, "photos n d"], two: Float[np.ndarray, "photos m d"]) -> Between:
    every = cdist(one.reshape(-1, one.shape[2]), two.reshape(-1, two.shape[2]))
    return every.reshape(len(one), one.shape[1], len(two), two.shape[1]).mean(axis=(1, 3))


def _photo_weights(photos: int, draws: int, generator: np.random.Generator) -> Float[np.ndarray, "draws photos"]:
    """How often each photo is in: once in the first row, as often as it is drawn in the others."""
    drawn = generator.multinomial(photos, np.full(photos, 1 / photos), size=draws)
    return np.concatenate([np.ones((1, photos)), drawn]).astype(float)


def _ratio(parts: Sequence[tuple[Between, Between, Between]], weights: Float[np.ndarray, "draws photos"]) -> Estimate:
    """See `compare_changes`; NaN of draws that have one photo only are left out."""
    within, others, across = (_mean_distance(np.mean(one, axis=0), weights) for one in zip(*parts, strict=True))
    chance = 2 * within / SET
    apart = 2 * across - (1 - 1 / SET) * (within + others)
    with np.errstate(divide="ignore", invalid="ignore"):
        values = np.sqrt(np.maximum(apart, 0) / chance)
    return estimate_from_draws(float(values[0]), values[1:], weights.shape[1])


def _mean_distance(between: Between, weights: Float[np.ndarray, "draws photos"]) -> Float[np.ndarray, " draws"]:
    """Of versions of different photos, each photo as often as it is in."""
    squares = weights**2
    pairs = weights.sum(axis=1) ** 2 - squares.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return (((weights @ between) * weights).sum(axis=1) - squares @ np.diag(between)) / pairs


def _spread(one: Changes, two: Others, draws: int, generator: np.random.Generator) -> Estimate:
    """Mean distance of two versions of a photo, the other's ÷ the reference's."""
    top, bottom = (np.mean([[_within(photo) for photo in part] for part in changes], axis=0) for changes in (two, one))
    return bootstrap_ratio(range(len(top)), top, bottom, draws, generator)


def _within(versions: Float[np.ndarray, "n d"]) -> float:
    return float(cdist(versions, versions).sum()) / (len(versions) * (len(versions) - 1))
