"""The simulators' table and mixes: complete, ordered along the light path, as strong as the singles."""

import numpy as np
import pytest

from gendeg.physics import SIMULATORS, degrade, draw_shares
from gendeg.primitives.kinds import KNOWN, LIGHT_PATH, Degradation, mix_name

RAIN_AND_HAZE = (Degradation.RAIN, Degradation.HAZE)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def texture() -> np.ndarray:
    return 0.6 * rng(1).random((64, 64, 3), dtype=np.float32)


def test_every_degradation_has_a_simulator_and_a_place_on_the_light_path():
    assert set(SIMULATORS) == set(Degradation) == set(LIGHT_PATH)
    assert len(LIGHT_PATH) == len(Degradation)


@pytest.mark.parametrize("kind", Degradation)
def test_a_single_is_its_simulator_at_full_strength(kind):
    np.testing.assert_array_equal(degrade(texture(), (kind,), 0.7, rng(2)), SIMULATORS[kind](texture(), 0.7, rng(2)))


def test_shares_sum_to_one_and_none_vanishes():
    for seed in range(20):
        shares = draw_shares(2, rng(seed))
        assert sum(shares) == pytest.approx(1.0) and min(shares) >= 0.4
    assert draw_shares(1, rng()) == [1.0]


def test_a_mix_is_the_two_simulators_with_haze_behind():
    generator = rng(3)
    far, near = draw_shares(2, generator)
    hazy = SIMULATORS[Degradation.HAZE](texture(), 0.8 * far, generator)
    expected = SIMULATORS[Degradation.RAIN](hazy, 0.8 * near, generator)
    np.testing.assert_array_equal(degrade(texture(), RAIN_AND_HAZE, 0.8, rng(3)), expected)
    np.testing.assert_array_equal(degrade(texture(), RAIN_AND_HAZE[::-1], 0.8, rng(3)), expected)


@pytest.mark.parametrize("mix", KNOWN, ids=mix_name)
def test_mu_rises_with_strength(mix):
    clean = texture()
    mus = [np.mean([np.abs(degrade(clean, mix, s, rng(i)) - clean).mean() for i in range(3)]) for s in (0.05, 0.4, 1)]
    assert (np.diff(mus) > 0).all()


@pytest.mark.parametrize("strength", [-0.01, 1.31, float("nan")])
def test_bad_arguments_are_refused(strength):
    with pytest.raises(ValueError, match="strength"):
        degrade(texture(), RAIN_AND_HAZE, strength, rng())
    with pytest.raises(ValueError, match="mix"):
        degrade(texture(), (), 0.5, rng())
