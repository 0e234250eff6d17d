"""Rain: streaks and veil with known answers, then what every simulator promises."""

from itertools import pairwise

import numpy as np
import pytest

from gendeg.physics.layers import WIDEST_AT_ONCE, cover, stamp, veil_transmission
from gendeg.physics.rain import (
    StreakLayer,
    compose,
    rain,
    render_far_streaks,
    render_near_streaks,
    streak_kernel,
    streak_layers,
)

LIGHT = np.array([0.9, 0.95, 1.0], dtype=np.float32)


def photo(height: int = 96, width: int = 128) -> np.ndarray:
    rows, columns = np.mgrid[0:height, 0:width]
    wave = 0.4 + 0.15 * np.sin(columns / 5) + 0.15 * np.cos(rows / 9)
    return np.stack([wave, 0.9 * wave, 0.7 * wave], axis=-1).astype(np.float32)


def test_no_streaks_and_a_clear_veil_give_the_clean_photo():
    nothing, clear = np.zeros((96, 128), np.float32), np.ones((96, 128, 1), np.float32)
    np.testing.assert_array_equal(compose(photo(), nothing, nothing, clear, LIGHT, LIGHT), photo())


def test_compose_follows_the_streak_and_veil_equation():
    clean = np.full((1, 1, 3), 0.2, np.float32)
    far, near, through = np.full((1, 1), 0.5, np.float32), np.full((1, 1), 0.25, np.float32), np.full((1, 1, 1), 0.5)
    white, grey = np.ones(3, np.float32), np.full(3, 0.4, np.float32)
    # scene .2 -> far streaks .6 -> veil .5 * .6 + .5 * .4 = .5 -> near streaks .5 + .25 * .5
    np.testing.assert_allclose(compose(clean, far, near, through, white, grey), 0.625, atol=1e-6)


@pytest.mark.parametrize(("length", "width", "degrees"), [(8, 0.5, 0), (20, 0.8, 30), (45, 1.5, -40)])
def test_kernel_keeps_energy_and_has_the_asked_orientation(length, width, degrees):
    kernel = streak_kernel(length, width, np.radians(degrees))
    assert kernel.sum() == pytest.approx(1, abs=1e-5)
    middle = kernel.shape[0] // 2
    rows, columns = np.mgrid[-middle : middle + 1, -middle : middle + 1]
    moments = [(kernel * a * b).sum() for a, b in ((rows, rows), (rows, columns), (columns, columns))]
    leaning = 0.5 * np.arctan2(2 * moments[1], moments[0] - moments[2])
    assert np.degrees(leaning) == pytest.approx(degrees, abs=1)


def test_longer_streak_is_fainter_for_the_same_drop():
    assert streak_kernel(40, 1, 0.2).max() < 0.6 * streak_kernel(15, 1, 0.2).max()


@pytest.mark.parametrize("coverage", [0.02, 0.08])
def test_coverage_is_the_mean_opacity(coverage):
    generator = np.random.default_rng(3)
    far = render_far_streaks(256, 256, [StreakLayer(12, 0.6, 0.4, coverage)], 0.3, generator)
    near = np.mean(
        [render_near_streaks(256, 256, StreakLayer(30, 1.2, 0.4, coverage), 0.3, generator).mean() for _ in range(6)]
    )
    assert far.mean() == pytest.approx(coverage, rel=0.2)
    assert near == pytest.approx(coverage, rel=0.35)


def test_streaks_of_a_whole_layer_lean_the_asked_way():
    layer = StreakLayer(20, 0.6, 0.5, 0.05)
    opacity = render_far_streaks(128, 128, [layer], np.radians(30), np.random.default_rng(1))
    falling = (opacity[:-8, :-5] * opacity[8:, 5:]).mean()
    rising = (opacity[8:, :-5] * opacity[:-8, 5:]).mean()
    assert falling > 1.5 * rising


def test_one_depth_makes_most_of_the_streaks_and_weak_rain_may_be_bright():
    most, peaks = [], []
    for seed in range(200):
        far, near = streak_layers(0.05, 0.2, 1.0, np.random.default_rng(seed))
        most.append(max(layer.coverage for layer in (*far, near)) / 0.05)
        peaks.append(far[2].peak)
    assert np.median(most) > 0.45
    assert min(peaks) < 0.35 and max(peaks) > 0.9


def test_stamped_patches_block_light_independently_and_enter_from_outside():
    patch = np.full((1, 3, 3), 0.5, np.float32)
    mask = stamp(patch, np.ones(3), np.array([[1, 1], [1, 1], [-1, 4]]), 5, 5)
    assert mask[1, 1] == pytest.approx(0.75)
    np.testing.assert_allclose(mask[0], [0.75, 0.75, 0.75, 0.5, 0.5])
    np.testing.assert_array_equal(mask[3:], 0)


@pytest.mark.parametrize("radius", [0, 3, WIDEST_AT_ONCE, WIDEST_AT_ONCE + 1])
def test_stamping_many_at_once_is_stamping_one_after_the_other(radius):
    generator = np.random.default_rng(radius)
    patches = generator.random((7, 2 * radius + 1, 2 * radius + 1)).astype(np.float32)
    centres, opacity = generator.integers(-radius, 20 + radius, (600, 2)), generator.random(600) / 40
    clear = np.ones((60 + 4 * radius, 60 + 4 * radius), np.float64)
    for number, (row, column) in enumerate(centres + radius):
        window = clear[row : row + 2 * radius + 1, column : column + 2 * radius + 1]
        window *= 1 - opacity[number] * patches[number % 7]
    inside = slice(2 * radius, 2 * radius + 20)
    np.testing.assert_allclose(stamp(patches, opacity, centres, 20, 20), 1 - clear[inside, inside], atol=2e-5)


def test_cover_is_the_mask_equation():
    half = cover(photo(), np.full((96, 128, 1), 0.5, np.float32), LIGHT)
    np.testing.assert_allclose(half, 0.5 * photo() + 0.5 * LIGHT, atol=1e-6)


@pytest.mark.parametrize("loss", [0.0, 0.1, 0.4])
def test_veil_takes_the_asked_share(loss):
    assert 1 - veil_transmission(64, 64, loss, np.random.default_rng(0)).mean() == pytest.approx(loss, abs=0.04)


def test_mu_rises_with_strength_from_nearly_nothing():
    clean = photo()
    mus = [
        np.mean([np.abs(rain(clean, s, np.random.default_rng(seed)) - clean).mean() for seed in range(5)])
        for s in (0, 0.2, 0.4, 0.6, 0.8, 1)
    ]
    assert mus[0] < 1e-6
    assert all(later > 1.3 * earlier for earlier, later in pairwise(mus))
    assert 0.08 < mus[4] < 0.2


def test_equal_generators_give_equal_photos_and_others_do_not():
    one, two, other = (rain(photo(), 0.7, np.random.default_rng(seed)) for seed in (5, 5, 6))
    np.testing.assert_array_equal(one, two)
    assert np.abs(one - other).max() > 0.05


@pytest.mark.parametrize("shape", [(1, 1), (7, 5), (1, 40), (33, 2)])
@pytest.mark.parametrize("strength", [0, 0.5, 1])
def test_shape_and_range_hold_for_tiny_photos(shape, strength):
    result = rain(photo(*shape), strength, np.random.default_rng(0))
    assert result.shape == (*shape, 3)
    assert result.dtype == np.float32
    assert result.min() >= 0
    assert result.max() <= 1


@pytest.mark.parametrize("strength", [-0.01, 1.31, float("nan")])
def test_strength_outside_the_range_is_refused(strength):
    with pytest.raises(ValueError, match="strength"):
        rain(photo(), strength, np.random.default_rng(0))
