"""Random views: always square, always from inside the photo, the same for the same generator."""

import numpy as np
import pytest

from gendeg.pairs.crops import random_view
from tests.tiny import photo


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("shape", [(1, 1), (7, 5), (16, 16), (40, 23), (100, 33)])
def test_views_are_square_whatever_the_photo(shape):
    for seed in range(5):
        view = random_view(photo(*shape), 16, rng(seed))
        assert view.shape == (16, 16, 3) and view.dtype == np.uint8 and view.flags.c_contiguous


def test_a_photo_of_the_views_size_is_itself_or_its_mirror():
    image = photo(16, 16)
    views = [random_view(image, 16, rng(seed)) for seed in range(12)]
    as_is = [np.array_equal(view, image) for view in views]
    mirrored = [np.array_equal(view, image[:, ::-1]) for view in views]
    assert all(a != m for a, m in zip(as_is, mirrored, strict=True)) and any(as_is) and any(mirrored)


def test_size_zero_is_the_photo():
    image = photo(20, 30)
    np.testing.assert_array_equal(random_view(image, 0, rng(0)), image)


def test_sides_go_from_the_size_to_the_short_side():
    """Each view of a horizontal ramp spans as many levels as its square is wide."""
    ramp = np.repeat(np.broadcast_to(np.arange(200, dtype=np.uint8), (100, 200))[..., None], 3, axis=2)
    spans = [int(np.ptp(random_view(ramp, 20, rng(seed)))) + 1 for seed in range(200)]
    assert min(spans) < 26 and 95 < max(spans) <= 100


def test_the_same_generator_gives_the_same_view():
    np.testing.assert_array_equal(random_view(photo(50, 60), 16, rng(4)), random_view(photo(50, 60), 16, rng(4)))
