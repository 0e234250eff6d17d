"""Differences between versions of one photo."""

import numpy as np
import pytest

from gendeg.metrics.diversity import diversity, perceptual_distance
from gendeg.metrics.pyramid import laplacian_pyramid
from tests.tiny import photo

SCENE = photo(64, 64)


def test_equal_versions_have_none():
    assert perceptual_distance(SCENE, SCENE) == 0 == diversity([SCENE, SCENE, SCENE])


def test_an_even_veil_differs_in_the_last_level_alone():
    first = np.full((64, 64, 3), 100, np.uint8)
    levels = len(laplacian_pyramid(first))
    assert perceptual_distance(first, first + np.uint8(51)) == pytest.approx(0.2 / levels, rel=1e-4)


def test_the_mean_is_over_pairs():
    flat = [np.full((16, 16, 3), level, np.uint8) for level in (0, 51, 102)]  # one level: 0.2, 0.4, 0.2 apart
    assert diversity(flat) == pytest.approx(0.8 / 3, rel=1e-5)
    with pytest.raises(ValueError, match="two versions"):
        diversity(flat[:1])
