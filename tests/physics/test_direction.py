"""Asked directions: what the number means, that rain, snow and blur follow it, and that None changes nothing."""

import numpy as np
import pytest

from gendeg.physics import SIMULATORS, degrade
from gendeg.physics.control import to_lean
from gendeg.physics.fields import gaussian_blur
from gendeg.physics.motion_blur import STRAIGHT, lay_along, motion_blur, shake_path
from gendeg.primitives.kinds import DIRECTED, Degradation, has_direction, parse_mix


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def texture(side: int = 128) -> np.ndarray:
    return (0.2 + 0.3 * gaussian_blur(rng(1).random((side, side, 3)).astype(np.float32), 0.8)).astype(np.float32)


def smoothest_direction(image: np.ndarray) -> float:
    """Degrees from the vertical, positive to the right on the way down, along which the picture changes least."""
    soft = gaussian_blur(image, 0.7)
    down, right = np.gradient(soft, axis=(0, 1))
    steepest = 0.5 * np.arctan2(2 * (down * right).sum(), (down**2 - right**2).sum())
    return float(np.degrees(steepest) + 90) % 180


def apart(one: float, other: float) -> float:
    """Degrees between two lines."""
    return abs((one - other + 90) % 180 - 90)


def test_a_direction_is_an_angle_from_the_vertical_of_period_180():
    degrees = [0, 30, -30, 89, 90, 150, 210, -400]
    expected = [0, 30, -30, 89, -90, -30, 30, -40]
    np.testing.assert_allclose([np.degrees(to_lean(one)) for one in degrees], expected, atol=1e-9)
    with pytest.raises(ValueError, match="direction"):
        to_lean(float("nan"))


def test_the_measure_of_these_tests_knows_a_line_to_the_right_on_its_way_down():
    rows, columns = np.mgrid[:64, :64]
    stripes = np.cos((columns * np.cos(np.radians(30)) - rows * np.sin(np.radians(30))) / 2)
    assert apart(smoothest_direction(np.repeat(stripes[..., None], 3, 2)), 30) < 1


@pytest.mark.parametrize("degrees", [0, 35, -60, 90])
@pytest.mark.parametrize("kind", [Degradation.RAIN, Degradation.SNOW])
def test_what_falls_leans_as_asked(kind, degrees):
    flat = np.full((128, 128, 3), 0.2, np.float32)
    found = [smoothest_direction(degrade(flat, (kind,), 0.6, rng(seed), degrees)) for seed in range(6)]
    assert np.median([apart(one, degrees) for one in found]) < (4 if kind == Degradation.RAIN else 12)


@pytest.mark.parametrize("degrees", [0, 35, -60, 90])
def test_blur_smooths_along_the_asked_direction(degrees):
    found = [smoothest_direction(motion_blur(texture(), 0.7, rng(seed), degrees)) for seed in range(6)]
    assert max(apart(one, degrees) for one in found) < 8


@pytest.mark.parametrize("seed", range(8))
def test_a_path_is_turned_onto_the_line_and_nearly_straight(seed):
    path = lay_along(shake_path(192, rng(seed)), np.radians(25))
    covariance = np.cov(path.T)
    lean = 0.5 * np.arctan2(2 * covariance[0, 1], covariance[0, 0] - covariance[1, 1])
    assert np.degrees(lean) == pytest.approx(25, abs=1e-6)
    narrow, wide = np.sqrt(np.linalg.eigvalsh(covariance))
    assert narrow <= STRAIGHT * wide * (1 + 1e-9)


def test_a_camera_at_rest_has_no_axis_and_stays():
    np.testing.assert_allclose(lay_along(np.full((9, 2), 4.0), 0.3), 0.0, atol=1e-12)


@pytest.mark.parametrize("kind", DIRECTED)
def test_half_a_turn_is_the_same_line_and_none_is_the_plain_simulator(kind):
    one, same = (degrade(texture(48), (kind,), 0.6, rng(3), degrees) for degrees in (20.0, -160.0))
    np.testing.assert_array_equal(one, same)
    plain = degrade(texture(48), (kind,), 0.6, rng(3), None)
    np.testing.assert_array_equal(plain, SIMULATORS[kind](texture(48), 0.6, rng(3)))
    assert np.abs(plain - one).max() > 0.01


def test_a_mix_hands_the_direction_to_its_member_and_haze_alone_has_none():
    mix = parse_mix("rain+haze")
    assert has_direction(mix) and not has_direction((Degradation.HAZE,))
    here, there = (degrade(texture(48), mix, 0.6, rng(3), degrees) for degrees in (60.0, -60.0))
    assert np.abs(here - there).max() > 0.05
    with pytest.raises(ValueError, match="direction"):
        degrade(texture(16), (Degradation.HAZE,), 0.6, rng(), 10.0)
