"""Narrowed draws: nothing at width 1, the middle at width 0, and rain that leans one way."""

import numpy as np
import pytest

from gendeg.physics import SIMULATORS
from gendeg.physics.narrow import NarrowGenerator
from gendeg.primitives.kinds import Degradation


def narrow(width: float, seed: int = 0) -> NarrowGenerator:
    return NarrowGenerator(np.random.default_rng(seed), width)


@pytest.mark.parametrize("kind", Degradation)
def test_width_one_changes_no_simulator(kind):
    photo = np.random.default_rng(1).random((40, 40, 3), dtype=np.float32)
    wide = SIMULATORS[kind](photo, 0.6, np.random.default_rng(2))
    np.testing.assert_array_equal(SIMULATORS[kind](photo, 0.6, narrow(1.0, 2)), wide)


def test_width_zero_draws_the_middle_of_every_range():
    generator = narrow(0.0)
    assert generator.uniform(2, 6) == 4 and generator.triangular(-40, 5, 40) == 5 and generator.random() == 0.5
    np.testing.assert_allclose(generator.dirichlet([1, 3]), [0.25, 0.75])
    np.testing.assert_array_equal(generator.uniform(0, 1, 3), [0.5, 0.5, 0.5])
    assert {int(generator.choice(3, p=(0.2, 0.5, 0.3))) for _ in range(20)} == {1}


def test_draws_stay_in_the_middle_share_while_places_stay_free():
    generator = narrow(0.2)
    drawn = np.array([generator.uniform(0, 10) for _ in range(300)])
    assert 4 <= drawn.min() < 4.2 and 5.8 < drawn.max() <= 6
    assert np.ptp(generator.random(500)) > 0.9 and np.ptp(generator.integers(0, 100, 500)) > 90


def test_width_outside_the_range_is_refused():
    with pytest.raises(ValueError, match="width"):
        narrow(1.5)


def test_narrow_rain_leans_one_way():
    """Angles of the streaks over twenty pictures, from the structure tensor of what the rain added."""
    grey = np.full((64, 64, 3), 0.3, np.float32)

    def lean(generator: np.random.Generator) -> float:
        added = (SIMULATORS[Degradation.RAIN](grey, 0.7, generator) - grey).mean(axis=2)
        down, right = np.gradient(added)
        return float(0.5 * np.arctan2(2 * (down * right).sum(), (right**2 - down**2).sum()))

    wide = [lean(np.random.default_rng(seed)) for seed in range(20)]
    straight = [lean(narrow(0.1, seed)) for seed in range(20)]
    assert np.std(straight) < 0.4 * np.std(wide)
