"""Phase correlation: shifts that were made are found, degradations without one are not mistaken for it."""

import numpy as np
import pytest

from gendeg.metrics.alignment import SURE, find_shift
from gendeg.physics import degrade
from gendeg.primitives.images import u8_to_unit, unit_to_u8
from gendeg.primitives.kinds import parse_mix
from gendeg.primitives.rng import for_sample
from tests.tiny import photo

SCENE = photo(160, 200, seed=3)


@pytest.mark.parametrize(("down", "right"), [(0, 0), (7, 0), (0, -9), (-5, 12)])
def test_a_shift_is_found(down, right):
    moved = np.roll(SCENE, (-down, -right), axis=(0, 1))
    shift = find_shift(SCENE, moved)
    assert (round(shift.down), round(shift.right)) == (down, right) and shift.peak > SURE
    assert shift.length == pytest.approx(np.hypot(down, right))


@pytest.mark.parametrize("kind", ["haze", "rain", "snow", "low_light", "raindrop"])
@pytest.mark.parametrize("strength", [0.3, 0.9])
def test_a_degraded_photo_is_where_it_was(kind, strength):
    degraded = unit_to_u8(degrade(u8_to_unit(SCENE), parse_mix(kind), strength, for_sample(0, kind, "test")))
    shift = find_shift(SCENE, degraded)
    assert shift.peak < SURE or shift.length <= 3


def test_a_flat_picture_says_nothing():
    flat = np.full_like(SCENE, 90)
    assert find_shift(SCENE, flat).peak < SURE


def test_two_sizes_cannot_be_compared(unchecked):
    with pytest.raises(ValueError, match="one size"):
        find_shift(SCENE, SCENE[:-1])
