"""The shape of a layer: waves of known length and direction, and a square of known area."""

import numpy as np
import pytest

from gendeg.metrics.layer_shape import LONGEST, layer_shape


def wave(period: float, degrees: float, size: int = 200) -> np.ndarray:
    """Straight waves whose crests lean `degrees` from the vertical, to the right as they fall."""
    rows, columns = np.mgrid[:size, :size].astype(float)
    lean = np.radians(degrees)
    across = columns * np.cos(lean) - rows * np.sin(lean)
    return np.repeat(0.2 * np.sin(2 * np.pi * across / period)[..., None], 3, axis=2)


@pytest.mark.parametrize("degrees", [-60, -20, 0, 35, 80])
def test_direction_is_that_of_the_crests(degrees: float) -> None:
    shape = layer_shape(wave(12, degrees))
    assert shape.direction == pytest.approx(degrees, abs=2)
    assert shape.coherence > 0.95


@pytest.mark.parametrize("period", [10, 20, 40])
def test_width_is_the_period_and_length_has_no_end(period: float) -> None:
    shape = layer_shape(wave(period, 0))
    assert shape.width == pytest.approx(period, rel=0.08)  # central differences see a little less slope
    assert shape.length == LONGEST


def test_crossed_waves_have_no_direction() -> None:
    shape = layer_shape(wave(20, 0) + wave(20, 90))
    assert shape.coherence == pytest.approx(0, abs=0.02)
    assert shape.width == pytest.approx(shape.length, rel=0.02)


def test_density_is_the_share_of_changed_pixels() -> None:
    layer = np.zeros((100, 100, 3))
    layer[:50, :20] = 0.1
    assert layer_shape(layer).density == pytest.approx(0.1)
    assert layer_shape(layer * 0.1).density == 0  # too faint to see


def test_a_flat_layer_has_no_structure() -> None:
    shape = layer_shape(np.full((8, 8, 3), 0.3))
    assert (shape.density, shape.width, shape.length, shape.direction, shape.coherence) == (1, 0, 0, 0, 0)
