"""Raindrops: refraction and masks with known answers, then what every simulator promises."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from gendeg.physics.raindrop import (
    DropOptics,
    disc,
    drop_shapes,
    drop_thickness,
    lay_drops,
    look_through,
    raindrop,
    refraction_map,
    sample,
    shrink,
)


def photo(height: int = 96, width: int = 128) -> np.ndarray:
    rows, columns = np.mgrid[0:height, 0:width]
    wave = 0.4 + 0.15 * np.sin(columns / 5) + 0.15 * np.cos(rows / 9)
    return np.stack([wave, 0.9 * wave, 0.7 * wave], axis=-1).astype(np.float32)


def optics(**changes) -> DropOptics:
    plain = DropOptics(distance=120.0, defocus=1.5, opacity=1.0, gain=1.0, rim=0.0, glint=0.0, glint_slope=(0.5, 0.0))
    return replace(plain, **changes)


def one_drop(height: int, width: int, row: int, column: int, radius: float) -> np.ndarray:
    half = int(radius) + 2
    thickness = np.zeros((height, width), np.float32)
    shape = drop_shapes(np.array([[[0.0, 0.0, radius]]]), half)
    return lay_drops(thickness, shape, np.array([[row - half, column - half]]), 1e9)


def test_a_dry_pane_gives_the_clean_photo():
    np.testing.assert_array_equal(look_through(photo(), np.zeros((96, 128), np.float32), optics()), photo())


def test_only_pixels_under_the_defocused_mask_change():
    thickness = one_drop(96, 128, 40, 60, 12)
    changed = np.abs(look_through(photo(), thickness, optics(glint=0.5)) - photo()).max(axis=-1) > 1e-4
    rows, columns = np.mgrid[0:96, 0:128]
    away = np.hypot(rows - 40, columns - 60)
    assert not changed[away > 12 + 3].any()
    assert changed[away < 9].mean() > 0.5


def test_a_single_lobe_is_the_paraboloid():
    drop = drop_shapes(np.array([[[0.0, 0.0, 10.0]]]), 12)[0]
    assert drop[12, 12] == pytest.approx(5, abs=1e-4)
    assert drop[12, 18] == pytest.approx(5 * (1 - 0.36), abs=1e-4)
    assert drop[12, 22] == pytest.approx(0, abs=1e-4)
    assert drop[0, 0] == 0


def test_the_view_in_a_drop_is_upside_down_and_small_as_the_prism_equation_says():
    places = refraction_map(one_drop(96, 128, 40, 60, 10), distance=100, index=1.33)
    np.testing.assert_allclose(places[:, 40, 60], [40, 60], atol=1e-3)
    # grad h = -(p - c) / r, so p = c + 4 sees c + 4 - 100 * .33 * 4 / 10
    assert places[0, 44, 60] == pytest.approx(40 + 4 - 13.2, abs=1e-2)
    assert places[1, 40, 55] == pytest.approx(60 - 5 + 16.5, abs=1e-2)


def test_flat_water_and_an_index_of_one_bend_nothing():
    here = np.stack(np.meshgrid(np.arange(20), np.arange(30), indexing="ij"))
    np.testing.assert_allclose(refraction_map(np.full((20, 30), 3.0, np.float32), 100), here)
    np.testing.assert_allclose(refraction_map(one_drop(20, 30, 9, 9, 6), 100, index=1.0), here)


def test_drop_shows_the_scene_flipped():
    clean = np.zeros((100, 100, 3), np.float32)
    clean[:50] = 1
    seen = look_through(clean, one_drop(100, 100, 50, 50, 14), optics(distance=60.0, defocus=0.5))
    assert seen[57, 50].mean() > 0.8, "the bright sky appears below"
    assert seen[43, 50].mean() < 0.2


def test_sampling_is_bilinear_and_mirrors_beyond_the_border():
    ramp = np.repeat(np.arange(5, dtype=np.float32)[None, :, None], 3, axis=2)
    places = np.array([[0, 0, 0, 0], [1.25, 4.0, 5.0, -2.0]])
    np.testing.assert_allclose(sample(ramp, places)[:, 0], [1.25, 4, 3, 2], atol=1e-6)


def test_shrinking_averages_blocks():
    image = np.arange(48, dtype=np.float32).reshape(4, 4, 3)
    np.testing.assert_allclose(shrink(image, 2)[0, 0], image[:2, :2].mean(axis=(0, 1)))
    assert shrink(image, 3).shape == (2, 2, 3)


def test_defocus_keeps_energy_and_has_the_aperture_radius():
    kernel = disc(4.0)
    assert kernel.sum() == pytest.approx(1, abs=1e-5)
    assert (kernel > 0).any(axis=0).sum() == 9


def test_drops_do_not_pile_up_and_stop_at_the_area():
    shape = drop_shapes(np.array([[[0, 0, 5.0]]]), 6)
    twice = lay_drops(np.zeros((30, 30), np.float32), shape, np.array([[5, 5], [6, 6], [15, 15]]), 1e9)
    assert twice.max() == pytest.approx(2.5)
    assert (twice > 0).sum() == 2 * (shape > 0).sum()
    once = lay_drops(np.zeros((30, 30), np.float32), shape, np.array([[0, 0], [15, 15]]), float((shape > 0).sum()))
    assert (once > 0).sum() == (shape > 0).sum()


@pytest.mark.parametrize("coverage", [0.05, 0.2, 0.4])
def test_water_covers_about_the_asked_share(coverage):
    generator = np.random.default_rng(0)
    wet = [(drop_thickness(160, 160, coverage, 0.6, 0.7, generator) > 0).mean() for _ in range(12)]
    assert np.mean(wet) == pytest.approx(coverage, rel=0.2)


def test_mu_rises_with_strength_from_nearly_nothing():
    clean = photo()
    mus = [
        np.mean([np.abs(raindrop(clean, s, np.random.default_rng(seed)) - clean).mean() for seed in range(10)])
        for s in (0, 0.2, 0.4, 0.6, 0.8, 1)
    ]
    assert mus[0] < 1e-6
    assert all(later > 1.1 * earlier for earlier, later in pairwise(mus))
    assert 0.02 < mus[4] < 0.15


def test_equal_generators_give_equal_photos_and_others_do_not():
    one, two, other = (raindrop(photo(), 0.7, np.random.default_rng(seed)) for seed in (5, 5, 6))
    np.testing.assert_array_equal(one, two)
    assert np.abs(one - other).max() > 0.05


@pytest.mark.parametrize("shape", [(1, 1), (7, 5), (1, 40), (33, 2)])
@pytest.mark.parametrize("strength", [0, 0.5, 1])
def test_shape_and_range_hold_for_tiny_photos(shape, strength):
    result = raindrop(photo(*shape), strength, np.random.default_rng(0))
    assert result.shape == (*shape, 3)
    assert result.dtype == np.float32
    assert result.min() >= 0
    assert result.max() <= 1


@pytest.mark.parametrize("strength", [-0.01, 1.01, float("nan")])
def test_strength_outside_the_range_is_refused(strength):
    with pytest.raises(ValueError, match="strength"):
        raindrop(photo(), strength, np.random.default_rng(0))
