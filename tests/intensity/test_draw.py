"""Many statistics at once agree with one at a time."""

import numpy as np
import pytest

from gendeg.intensity.ask import intensity_to_statistics
from gendeg.intensity.bins import MU_BINS, SIGMA_BINS
from gendeg.intensity.draw import Drawer, curve, directions_of
from gendeg.intensity.priors import Prior
from gendeg.primitives.errors import BadOption
from gendeg.primitives.kinds import Degradation

LOW = Prior("haze", "low", 1.0, {(10, 4): 50, (11, 5): 50})
HIGH = Prior("haze", "high", 3.0, {(60, 40): 100})


def uniforms(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(size=(count, 3))


def test_fixed_is_the_quantile_and_the_median():
    drawer = Drawer([LOW, HIGH])
    got = drawer.fixed(0.4, 3)
    expected = intensity_to_statistics(drawer.every.joint, 0.4)
    assert got.mu.tolist() == [expected.mu] * 3 and got.sigma.tolist() == [expected.sigma] * 3
    assert got.source.tolist() == [-1] * 3


def test_a_range_is_even_in_intensity_and_mu_is_its_quantile():
    drawer = Drawer([LOW, HIGH])
    got = drawer.between(0.2, 0.6, uniforms(4000))
    assert got.intensity.min() >= 0.2 and got.intensity.max() <= 0.6 and abs(got.intensity.mean() - 0.4) < 0.01
    for place in range(0, 4000, 500):
        expected = intensity_to_statistics(drawer.every.joint, got.intensity[place]).mu
        assert got.mu[place] == pytest.approx(expected, abs=1e-9)


def test_priors_are_drawn_by_weight_and_joint():
    drawer = Drawer([LOW, HIGH])
    got = drawer.from_priors(uniforms(8000), np.zeros(8000, bool))
    assert abs((got.source == 1).mean() - 0.75) < 0.02
    low, high = got.source == 0, got.source == 1
    assert (MU_BINS.index(got.mu[low]) <= 11).all() and (MU_BINS.index(got.mu[high]) == 60).all()
    assert (SIGMA_BINS.index(got.sigma[high]) == 40).all() and (SIGMA_BINS.index(got.sigma[low]) <= 5).all()
    assert got.intensity[low].max() < 0.26 < got.intensity[high].min() + 0.02


def test_even_draws_fill_the_range_of_their_source():
    lopsided = Prior("haze", "x", 1.0, {(0, 0): 999, (100, 50): 1})
    got = Drawer([lopsided]).from_priors(uniforms(2000), np.ones(2000, bool))
    assert abs(got.mu.mean() - 50.5 * MU_BINS.width) < 0.02


def test_rank_undoes_quantile():
    line = curve(np.array([0, 1.0, 3, 2, 0]), MU_BINS)
    q = np.linspace(0, 1, 11)
    assert np.allclose(line.rank(line.quantile(q)), q)


def test_directions_of_a_plan():
    rain, haze, uniform = (Degradation.RAIN,), (Degradation.HAZE,), np.array([0.0, 0.25, 1.0])
    assert directions_of("30")(rain, uniform).tolist() == [30, 30, 30]
    assert directions_of(" -20..20 ")(rain, uniform).tolist() == [-20, -10, 20]
    assert np.isnan(directions_of("-20..20")(haze, uniform)).all(), "haze has none"
    assert np.isnan(directions_of("prior")(rain, uniform)).all(), "the model draws it"


@pytest.mark.parametrize("text", ["left", "", "20..-20", "0..181", "nan", "1..2..3", "-200"])
def test_directions_that_are_none(text):
    with pytest.raises(BadOption, match="--direction"):
        directions_of(text)
