"""Directions of known streaks and blurs come back; what has none says so."""

import math

import numpy as np
import pytest

from gendeg.intensity.direction import UNKNOWN, Direction, measure_direction, structure_tensor
from gendeg.physics.fields import convolve
from gendeg.physics.strangers import line_psf
from gendeg.primitives.kinds import Degradation, has_direction, parse_mix

RAIN, BLUR = (Degradation.RAIN,), (Degradation.MOTION_BLUR,)


def noise(seed=0, side=128):
    """A picture with detail in all directions alike."""
    rough = np.random.default_rng(seed).uniform(0, 255, (side, side, 1))
    return np.repeat(np.rint(rough).astype(np.uint8), 3, axis=2)


def smeared(image, degrees, length):
    """Along a line `degrees` from the vertical, which the kernel counts from the horizontal."""
    blurred = convolve(image.astype(np.float32), line_psf(length, np.radians(90 - degrees)))
    return np.clip(np.rint(blurred), 0, 255).astype(np.uint8)


def apart(one, other):
    """Degrees between two directions of period 180."""
    return abs((one - other + 90) % 180 - 90)


@pytest.mark.parametrize("degrees", [0, 25, 45, -30, -70, 90])
def test_a_blur_runs_where_the_camera_went(degrees):
    clean = noise()
    found = measure_direction(clean, smeared(clean, degrees, 9), BLUR)
    assert apart(found.degrees, degrees) < 5 and found.coherence > 0.5


def test_a_photo_with_edges_one_way_does_not_turn_the_blur():
    rows = np.linspace(0, 60, 128)[:, None, None]
    clean = np.clip(noise() * 0.3 + 90 + 80 * np.sin(rows), 0, 255).astype(np.uint8)
    found = measure_direction(clean, smeared(clean, 40, 9), BLUR)
    assert apart(found.degrees, 40) < 15


@pytest.mark.parametrize("degrees", [0, 30, -50, 90])
def test_streaks_run_across_their_gradients(degrees):
    clean = np.full((128, 128, 3), 90, np.uint8)
    dots = (np.random.default_rng(1).uniform(size=(128, 128, 1)) > 0.99).astype(np.float32) * 2000
    streaks = convolve(np.repeat(dots, 3, axis=2), line_psf(21, np.radians(90 - degrees)))
    degraded = np.clip(clean + streaks, 0, 255).astype(np.uint8)
    found = measure_direction(clean, degraded, RAIN)
    assert apart(found.degrees, degrees) < 4 and found.coherence > 0.6


def test_what_has_no_direction():
    clean = noise()
    assert measure_direction(clean, clean, RAIN) == Direction(0.0, 0.0)
    assert measure_direction(clean, clean, BLUR).coherence < 0.05
    assert measure_direction(clean, noise(1), RAIN).coherence < 0.1
    for tiny in (clean[:1, :1], clean[:2, :9]):
        assert measure_direction(tiny, tiny, RAIN) == measure_direction(tiny, tiny, BLUR) == Direction(0.0, 0.0)
    haze = measure_direction(clean, clean // 2, (Degradation.HAZE,))
    assert math.isnan(haze.cos) and math.isnan(haze.sin)


def test_which_mixes_have_one():
    told = {"rain", "snow", "motion_blur", "rain+haze", "snow+haze"}
    names = ("haze", "low_light", "raindrop", *told)
    assert {name for name in names if has_direction(parse_mix(name))} == told


def test_doubled_angles_there_and_back():
    for degrees in (-89.0, -30.0, 0.0, 45.0, 90.0):
        doubled = math.radians(2 * degrees)
        found = Direction(0.7 * math.cos(doubled), 0.7 * math.sin(doubled))
        assert apart(found.degrees, degrees) < 1e-9 and found.coherence == pytest.approx(0.7)
    assert math.isnan(UNKNOWN.coherence)


def test_the_structure_tensor_of_a_slope():
    down = np.repeat(np.arange(6, dtype=np.float32)[:, None], 5, axis=1)
    assert structure_tensor(down) == pytest.approx(np.array([[1, 0], [0, 0]]), abs=1e-6)
    assert structure_tensor(down[:, :4]) == pytest.approx(np.zeros((2, 2)))
