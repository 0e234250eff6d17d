"""mu and sigma against numbers computed by hand and by numpy."""

from inspect import unwrap

import numpy as np
import pytest

from gendeg.intensity.measure import measure_intensity


def flat(level: int, shape: tuple[int, int] = (4, 5)) -> np.ndarray:
    return np.full((*shape, 3), level, dtype=np.uint8)


def test_equal_images_are_zero():
    assert measure_intensity(flat(7), flat(7)) == (0.0, 0.0)


def test_a_constant_shift_has_no_spread_and_no_sign():
    for clean, degraded in ((10, 61), (61, 10), (0, 51), (255, 204)):
        assert measure_intensity(flat(clean), flat(degraded)) == pytest.approx((0.2, 0.0), abs=1e-12)


def test_half_black_half_white():
    degraded = flat(0, (2, 2))
    degraded[0] = 255
    assert measure_intensity(flat(0, (2, 2)), degraded) == pytest.approx((0.5, 0.5))


def test_by_hand_over_channels():
    clean, degraded = np.zeros((1, 1, 3), np.uint8), np.array([[[0, 51, 102]]], np.uint8)
    mu, sigma = measure_intensity(clean, degraded)
    assert mu == pytest.approx(0.2) and sigma == pytest.approx((2 / 3 * 0.04) ** 0.5)


def test_random_images_agree_with_floating_point():
    generator = np.random.default_rng(0)
    clean, degraded = (generator.integers(0, 256, (31, 17, 3), dtype=np.uint8) for _ in range(2))
    difference = np.abs(clean / 255 - degraded / 255)
    assert measure_intensity(clean, degraded) == pytest.approx((difference.mean(), difference.std()), rel=1e-12)


def test_sizes_must_agree():
    with pytest.raises(ValueError, match="one size"):
        unwrap(measure_intensity)(flat(0, (2, 3)), flat(0, (3, 2)))  # past the tests' shape checks
