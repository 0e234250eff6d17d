"""The intensity axis on histograms whose quantiles are known."""

import numpy as np
import pytest

from gendeg.intensity.ask import (
    ask_direction,
    ask_intensities,
    ask_intensity,
    intensity_to_statistics,
    learnt_by,
    median_sigma,
    refuse_parts,
    strengths_of,
)
from gendeg.intensity.bins import MU_BINS, SIGMA_BINS
from gendeg.primitives.errors import BadOption
from gendeg.primitives.kinds import parse_wanted


def uniform(first: int = 0, last: int = 127, sigma: int = 40) -> np.ndarray:
    """mu even over the bins first..last, sigma in one bin."""
    joint = np.zeros((128, 128))
    joint[first : last + 1, sigma] = 1.0
    return joint / joint.sum()


def diagonal() -> np.ndarray:
    return np.eye(128) / 128


@pytest.mark.parametrize("q", [0.0, 0.1, 0.25, 0.5, 0.9, 1.0])
def test_uniform_mu_makes_the_axis_linear(q):
    assert intensity_to_statistics(uniform(), q).mu == pytest.approx(0.7 * q)


def test_the_axis_starts_and_ends_where_the_prior_does():
    joint = uniform(first=10, last=19)
    assert intensity_to_statistics(joint, 0.0).mu == pytest.approx(10 * MU_BINS.width)
    assert intensity_to_statistics(joint, 0.5).mu == pytest.approx(15 * MU_BINS.width)
    assert intensity_to_statistics(joint, 1.0).mu == pytest.approx(20 * MU_BINS.width)


def test_a_known_histogram():
    joint = np.zeros((128, 128))
    joint[2, 5], joint[8, 5] = 0.25, 0.75
    width = MU_BINS.width
    assert intensity_to_statistics(joint, 0.125).mu == pytest.approx(2.5 * width)
    assert intensity_to_statistics(joint, 0.25 + 1e-9).mu == pytest.approx(8 * width, rel=1e-6)
    assert intensity_to_statistics(joint, 0.625).mu == pytest.approx(8.5 * width)


def test_mu_rises_strictly_with_intensity():
    counts = np.random.default_rng(0).poisson(0.3, (128, 128)).astype(float)
    mus = [intensity_to_statistics(counts / counts.sum(), q).mu for q in np.linspace(0, 1, 41)]
    assert (np.diff(mus) > 0).all()


@pytest.mark.parametrize("intensity", [-0.01, 1.01, float("nan"), float("inf")])
def test_outside_the_axis_is_refused(intensity):
    with pytest.raises(ValueError, match="intensity"):
        intensity_to_statistics(uniform(), intensity)


def test_sigma_of_one_bin_is_its_centre():
    assert intensity_to_statistics(uniform(sigma=40), 0.3).sigma == pytest.approx(40.5 * SIGMA_BINS.width)


def test_sigma_follows_mu():
    for q in (0.1, 0.5, 0.9):
        mu, sigma = intensity_to_statistics(diagonal(), q)
        assert sigma / SIGMA_BINS.high == pytest.approx(mu / MU_BINS.high, abs=0.02)


def test_a_mu_that_the_prior_lacks_takes_its_nearest_sigma():
    joint = np.zeros((128, 128))
    joint[10, 20], joint[100, 90] = 0.5, 0.5
    assert median_sigma(joint, 12 * MU_BINS.width) == pytest.approx(20.5 * SIGMA_BINS.width)
    assert median_sigma(joint, 0.7) == pytest.approx(90.5 * SIGMA_BINS.width)


def test_a_direction_goes_to_what_has_one():
    rain, haze = ask_direction(ask_intensities("rain,haze", [0.5]), 210.0)
    assert rain.direction.recorded == pytest.approx((30.0, 1.0)) and not haze.direction.known
    assert rain.recorded["direction_requested"] == pytest.approx(30) and haze.recorded["coherence_requested"] == 0
    assert ask_direction([haze], None) == [haze]
    with pytest.raises(BadOption, match="haze has none; it goes with rain, snow, motion_blur"):
        ask_direction([haze], 30.0)


def test_a_mix_is_asked_as_a_whole_or_in_parts():
    names = [(ask.name, strengths_of(ask), len(ask.parts)) for ask in ask_intensities(
        "rain+haze,haze=0.6+rain,low_light+snow,rain=0.3", [0.5, 0.2])]  # fmt: skip
    assert names == [
        ("rain+haze", (0.5,), 0), ("rain+haze", (0.2,), 0), ("rain+haze", (0.5, 0.6), 2), ("rain+haze", (0.2, 0.6), 2),
        ("snow+low_light", (0.5, 0.5), 2), ("snow+low_light", (0.2, 0.2), 2), ("rain", (0.3,), 0),
    ]  # fmt: skip
    assert [len(ask.parts) for ask in ask_intensities("rain+haze", [0.5], learnt=learnt_by("physics"))] == [2]
    parts = ask_intensities("haze=0.6+low_light", [0.5])[0].parts
    for part in parts:
        alone = ask_intensity(part.mix, part.intensity)
        assert (part.mu, part.sigma) == (alone.mu, alone.sigma)


def test_statistics_are_of_one_degradation():
    with pytest.raises(BadOption, match="haze=0.5\\+low_light=0.5"):
        refuse_parts(parse_wanted("low_light+haze"))
