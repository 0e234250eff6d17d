"""The pyramid gives its image back, and an even brightness lives in its last level alone."""

import numpy as np
import pytest

from gendeg.metrics.pyramid import SMALLEST, expand, laplacian_pyramid
from tests.tiny import photo


@pytest.mark.parametrize("size", [(64, 96), (97, 71), (16, 16), (9, 40)])
def test_bands_add_up_to_the_image(size):
    image = photo(*size)
    bands = laplacian_pyramid(image)
    whole = bands[-1]
    for band in reversed(bands[:-1]):
        whole = band + expand(whole, band.shape[:2])
    assert np.allclose(whole, image / 255, atol=1e-5)
    assert min(bands[-1].shape[:2]) < 2 * SMALLEST


def test_a_flat_image_has_empty_bands():
    bands = laplacian_pyramid(np.full((64, 64, 3), 102, np.uint8))
    assert all(np.allclose(band, 0, atol=1e-6) for band in bands[:-1])
    assert np.allclose(bands[-1], 0.4)
