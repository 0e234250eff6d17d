"""The energy distance of changes: what other seeds, a shift, a collapse and averaged pictures must give."""

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.spatial.distance import cdist

from benchmarks.change import typical
from gendeg.metrics.change import GROUPS, NAMES, change_statistics
from gendeg.metrics.energy import SET, Compared, compare_changes, standardised
from gendeg.physics import degrade
from gendeg.primitives.images import u8_to_unit
from gendeg.primitives.kinds import Degradation
from gendeg.primitives.rng import for_sample
from tests.tiny import photo

SCALES = np.random.default_rng(9).uniform(0.1, 10, len(NAMES))


def changes(seed: int, photos: int = 12, versions: int = 3, spread: float = 1.0, shift: float = 0.0) -> np.ndarray:
    """Normal ones of deviation `spread` around what photos have in common, each statistic in a unit of its own."""
    common = np.random.default_rng(1000).normal(0, 1, (2, photos, 1, len(NAMES)))
    own = np.random.default_rng(seed).normal(0, spread, (2, photos, versions, len(NAMES)))
    return (3 * common + own + shift) * SCALES


def compared(reference: np.ndarray, other: np.ndarray, draws: int = 40) -> Compared:
    return compare_changes(reference, other, draws, np.random.default_rng(0))


def squares(**changed: float) -> list[float]:
    """The ratio's square, of many pairs of sets."""
    return [
        compared(changes(2 * i, photos=5), changes(2 * i + 1, photos=5, **changed), 1).distance.value ** 2
        for i in range(12)
    ]


def test_other_seeds_are_as_far_as_other_seeds_with_any_number_of_photos() -> None:
    found = compared(changes(0, photos=40), changes(1, photos=40))
    assert found.distance.value == pytest.approx(1, abs=0.1)
    assert found.distance.low <= found.distance.value <= found.distance.high
    assert all(one.value == pytest.approx(1, abs=0.3) for one in (*found.intensities, *found.groups.values()))
    assert set(found.groups) == set(GROUPS)
    assert np.mean(squares()) == pytest.approx(1, abs=0.1)  # five photos: noisier, and as true


def test_a_shift_of_the_means_is_seen_as_said() -> None:
    assert np.mean(squares(shift=0.65)) ** 0.5 == pytest.approx(1.5, abs=0.1)
    assert compared(changes(0), changes(1, shift=2)).distance.value > 3


def test_the_ratio_is_that_of_v_statistics_of_sets() -> None:
    """Against sets drawn out and compared one by one, without photos' own part."""
    generator = np.random.default_rng(3)
    units = np.array([len(names) ** -0.5 for names in GROUPS.values() for _ in names])

    def distance(one: np.ndarray, two: np.ndarray) -> float:
        return 2 * cdist(one, two).mean() - cdist(one, one).mean() - cdist(two, two).mean()

    def drawn(shift: float) -> float:
        # a change less the mean of two others has 1.5 times its variance
        sets = (generator.normal(0, 1.5**0.5, (SET, len(NAMES))) for _ in range(2))
        one, two = sets
        return distance(one * units, (two + shift) * units)

    expected = (np.mean([drawn(1.0) for _ in range(200)]) / np.mean([drawn(0.0) for _ in range(200)])) ** 0.5
    reference, other = (changes(seed, photos=40, shift=shift) for seed, shift in ((5, 0.0), (6, 1.0)))
    # The unit is the deviation over photos too, the same for every statistic here: it goes out of the ratio.
    assert compared(reference, other).distance.value == pytest.approx(expected, rel=0.1)


def test_seeds_that_hardly_differ_show_in_the_spread() -> None:
    reference = changes(0, photos=30)
    found = compared(reference, changes(1, photos=30, spread=0.3))
    assert found.spread is not None
    assert found.spread.value == pytest.approx(0.3, abs=0.03)
    assert 1 < found.distance.low < found.distance.value < 1.2
    one = compared(reference, changes(1, photos=30, versions=1))
    assert one.spread is None


def test_the_unit_is_the_reference_s_deviation_and_groups_count_alike() -> None:
    one, two = standardised(changes(0), changes(1) * 5)
    spread = one.std(axis=(1, 2))
    for names in GROUPS.values():
        at = [NAMES.index(name) for name in names]
        assert (spread[:, at] ** 2).sum(axis=1) == pytest.approx([1, 1])
    assert two.std() > 3 * one.std()
    constant = changes(0) * 0
    assert np.isfinite(standardised(constant, changes(1))[1]).all()


def test_sets_that_cannot_be_compared() -> None:
    for reference, other in (
        (changes(0, photos=1), changes(1, photos=1)),
        (changes(0, versions=1), changes(1, versions=1)),
        (changes(0, photos=4), changes(1, photos=5)),
    ):
        with pytest.raises(ValueError, match="two photos with two simulations"):
            compared(reference, other)


def test_typical_is_the_median() -> None:
    assert typical(changes(0))["kurtosis"] == np.median(changes(0)[..., 0])


# --- with the simulators ---

SIDE, PHOTOS, SEEDS, MORE = 64, 16, 2, 3


@cache
def simulated(kind: Degradation, first: int, more: int) -> dict[tuple[int, int], np.ndarray]:
    """(photo, version) → changes: the version's own, and `more` with other seeds."""
    found = {}
    for number in range(PHOTOS):
        clean = u8_to_unit(photo(SIDE, SIDE, seed=number))
        for version in range(SEEDS):
            seeds = range(first + version * (1 + more), first + (version + 1) * (1 + more))
            images = [degrade(clean, (kind,), 0.6, for_sample(seed, number, "simulate")) for seed in seeds]
            found[number, version] = 255 * (np.stack(images) - clean)
    return found


def statistics(changes: dict[tuple[int, int], np.ndarray], finish: Callable = lambda change: change[0]) -> np.ndarray:
    """[1, photos, versions, statistics] of the changes, finished."""
    rows = np.zeros((1, PHOTOS, SEEDS, len(NAMES)))
    for (number, version), change in changes.items():
        clean = photo(SIDE, SIDE, seed=number)
        degraded = (clean + finish(change)).round().clip(0, 255).astype(np.uint8)
        rows[0, number, version] = change_statistics(clean, degraded)
    return rows


@pytest.mark.parametrize("kind", [Degradation.RAIN, Degradation.RAINDROP])
def test_simulators_are_like_themselves_and_softness_and_averages_are_not(kind: Degradation) -> None:
    reference, others = statistics(simulated(kind, 0, 0)), simulated(kind, 100, MORE)
    assert compared(reference, statistics(others)).distance.value == pytest.approx(1, abs=0.25)
    for finish in (lambda change: gaussian_filter(change[0], (1.0, 1.0, 0)), lambda change: change.mean(axis=0)):
        assert compared(reference, statistics(others, finish)).distance.value > 1.5
