"""The filter: known measurements, physics passes, unrelated pictures do not."""

import numpy as np
import pytest

from gendeg.pairs.judge import FLAT, INTENSITY_OFF, STRUCTURE_LOST, judge, structure_kept
from gendeg.physics import degrade
from gendeg.primitives.images import u8_to_unit, unit_to_u8
from gendeg.primitives.kinds import KNOWN
from gendeg.primitives.rng import for_sample
from tests.tiny import photo


def test_measured_and_passed():
    clean = photo(40, 50)
    verdict = judge(clean, clean, 0.0, 0.01, 0.9)
    assert verdict.reason == "" and verdict.measured == (0.0, 0.0)


def test_each_reason():
    clean = photo(60, 60)
    assert judge(clean, np.full_like(clean, 7), 0.4, 1.0, -1).reason == FLAT
    darker = (clean // 2).astype(np.uint8)
    measured = judge(clean, darker, 0.0, 1.0, 0.9).measured
    assert judge(clean, darker, measured.mu + 0.051, 0.05, 0.9).reason == INTENSITY_OFF
    assert judge(clean, darker, measured.mu + 0.049, 0.05, 0.9).reason == ""
    assert judge(clean, clean[::-1].copy(), 0.2, 1.0, 0.15).reason == STRUCTURE_LOST


def test_a_flat_photo_may_stay_flat():
    flat = np.full((20, 20, 3), 90, np.uint8)
    assert judge(flat, flat, 0.0, 0.1, 0.5).reason == ""


def test_structure_is_scaled_not_turned():
    clean = photo(64, 64)
    veiled = (clean * 0.3 + 150).astype(np.uint8)
    assert structure_kept(clean, veiled) > 0.95
    assert structure_kept(clean, 255 - clean) < -0.95
    assert structure_kept(clean[:1, :1], clean[:1, :1]) == 1.0


@pytest.mark.parametrize("mix", KNOWN)
def test_physics_passes(mix):
    clean = photo(128, 160, seed=3)
    degraded = unit_to_u8(degrade(u8_to_unit(clean), mix, 0.5, for_sample(0, 0, "test")))
    assert structure_kept(clean, degraded) > 0.15
