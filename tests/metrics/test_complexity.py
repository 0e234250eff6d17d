"""Complexity: numbers that follow from the formulas, on flat images, stripes, slopes and noise."""

import numpy as np
import pytest

from gendeg.metrics.complexity import (
    background_complexity,
    compressed_bits,
    gradient_entropy,
    layer_as_u8,
    layer_complexity,
    layer_of,
    mean_ranks,
    relative_complexity,
    total_variation,
)

FLAT = np.full((64, 64, 3), 90, np.uint8)
NOISE = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)


def stripes(period: int, size: int = 64) -> np.ndarray:
    """Unit image: columns of 0 and 1, `period` pixels for both."""
    row = (np.arange(size) // (period // 2)) % 2
    return np.repeat(np.tile(row, (size, 1))[..., None], 3, axis=2).astype(np.float32)


def test_a_flat_image_has_nothing_to_learn() -> None:
    assert total_variation(FLAT / np.float32(255)) == 0
    assert gradient_entropy(FLAT / np.float32(255)) == 0
    assert compressed_bits(FLAT) < 0.5


@pytest.mark.parametrize("period, edges", [(2, 63), (4, 31), (16, 7)])
def test_total_variation_of_stripes_is_their_edges_over_the_steps(period: int, edges: int) -> None:
    assert total_variation(stripes(period)) == pytest.approx(edges / 63)
    assert total_variation(stripes(period).transpose(1, 0, 2)) == pytest.approx(edges / 63)


def test_total_variation_scales_with_contrast_and_takes_the_mean_of_channels() -> None:
    red = stripes(2) * np.array([1, 0, 0], np.float32)
    assert total_variation(0.25 * stripes(2)) == pytest.approx(0.25)
    assert total_variation(red) == pytest.approx(1 / 3)


def test_gradient_entropy_is_half_the_entropy_of_the_gradients() -> None:
    slope = np.tile(np.linspace(0, 1, 64)[None, :, None], (64, 1, 3))
    assert gradient_entropy(slope) == 0  # one gradient everywhere
    share = np.array([32, 16, 15]) / 63  # of no step, up and down, among the 63 steps of a row with period 4
    assert gradient_entropy(stripes(4)) == pytest.approx(-0.5 * (share * np.log2(share)).sum(), abs=0.05)
    assert gradient_entropy(stripes(2)) == pytest.approx(0.5, abs=1e-3)  # up or down, an even chance: one bit


def test_noise_cannot_be_compressed_and_a_layer_holds_what_the_clean_image_does_not() -> None:
    assert compressed_bits(NOISE) >= 24
    assert np.array_equal(layer_as_u8(NOISE, NOISE), np.full_like(NOISE, 128))
    restored = (NOISE.astype(int) + layer_as_u8(NOISE, FLAT) - 128) % 256
    assert np.array_equal(restored, FLAT)


def test_a_layer_is_measured_as_a_background_is(unchecked: None) -> None:
    assert layer_complexity(NOISE, NOISE)[:2] == (0, 0)
    black = np.zeros_like(NOISE)
    assert layer_complexity(black, NOISE) == pytest.approx(background_complexity(NOISE), rel=0.01)
    with pytest.raises(ValueError, match="one size"):
        layer_of(NOISE, NOISE[:32])


def test_mean_ranks_have_no_unit_and_share_ties() -> None:
    values = np.array([[1, 100], [2, 400], [3, 200], [4, 300]], float)
    assert mean_ranks(values).tolist() == pytest.approx([0, (1 + 3) / 6, (2 + 1) / 6, (3 + 2) / 6])
    assert np.allclose(mean_ranks(values), mean_ranks(np.log(values) * 7))
    assert mean_ranks(np.ones((3, 2))).tolist() == pytest.approx([0.5] * 3)
    assert mean_ranks(np.ones((1, 2))).tolist() == [0.5]


def test_relative_complexity_is_the_geometric_mean_of_ratios() -> None:
    backgrounds, layers = np.array([[1.0, 2.0], [3.0, 2.0]]), np.array([[8.0, 1.0]])
    assert relative_complexity(layers, backgrounds) == pytest.approx((8 / 2 * 1 / 2) ** 0.5)
    assert relative_complexity(backgrounds, backgrounds) == pytest.approx(1)
