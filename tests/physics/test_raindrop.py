"""Raindrops: refraction and masks with known answers, then what every simulator promises."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from gendeg.physics.raindrop import (
    DropOptics,
    Drops,
    disc,
    draw_drops,
    draw_optics,
    drop_shapes,
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


def round_drops(height: int, width: int, *drops: tuple[float, float, float]) -> Drops:
    """Single lobes at (row, column) of these radii, in pixels."""
    rows, columns, radius = np.array(drops, float).T
    lobes = np.tile([[[0.0, 0.0, 1.0]]], (len(drops), 1, 1))
    return Drops(radius, np.stack([(rows + 0.5) / height, (columns + 0.5) / width], axis=1), lobes)


def one_drop(height: int, width: int, row: int, column: int, radius: float) -> np.ndarray:
    return lay_drops(height, width, round_drops(height, width, (row, column, radius)), 1e9)


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


def test_drops_do_not_pile_up():
    pane = lay_drops(60, 60, round_drops(60, 60, (15, 15, 8), (16, 17, 8), (40, 40, 8)), 1e9)
    assert pane.max() == pytest.approx(4)
    alone = (one_drop(60, 60, 15, 15, 8) > 0).sum()
    assert (pane > 0).sum() == 2 * alone


def test_the_last_drop_is_as_small_as_the_missing_water_asks():
    drops = round_drops(80, 80, (20, 20, 10), (55, 55, 10))
    full = (one_drop(80, 80, 20, 20, 10) > 0).sum()
    pane = lay_drops(80, 80, drops, full + 80.0) > 0
    assert pane[:40, :40].sum() == full
    assert pane[40:, 40:].sum() == pytest.approx(80, abs=8)


def test_drops_reach_over_the_border_of_the_picture():
    assert (one_drop(30, 40, 0, 0, 9) > 0).sum() == pytest.approx(np.pi * 81 / 4, rel=0.25)


@pytest.mark.parametrize("coverage", [0.05, 0.2, 0.4])
def test_water_covers_the_asked_share(coverage):
    area = coverage * 160 * 160
    wet = [(lay_drops(160, 160, draw_drops(6.0, np.random.default_rng(i)), area) > 0).mean() for i in range(6)]
    np.testing.assert_allclose(wet, coverage, rtol=0.15)


def test_drops_differ_in_size_and_a_stronger_pane_keeps_those_of_a_weaker_one():
    drops = draw_drops(5.0, np.random.default_rng(1))
    assert np.quantile(drops.radius, 0.9) > 2.5 * np.quantile(drops.radius, 0.1)
    little, much = (lay_drops(120, 120, drops, share * 120 * 120) > 0 for share in (0.1, 0.3))
    assert (much & little).sum() > 0.97 * little.sum()


def test_most_panes_are_out_of_focus_by_about_their_drops():
    blur = [draw_optics(6.0, 128, np.random.default_rng(seed)).defocus / 6.0 for seed in range(200)]
    assert 0.6 < np.mean(np.array(blur) > 0.3) < 0.9
    assert max(blur) <= 1.0


def test_water_without_milk_shows_black_where_all_is_black_and_milk_the_light_of_the_scene():
    clean = np.zeros((80, 80, 3), np.float32)
    clean[:, 40:] = 0.8
    pane = one_drop(80, 80, 40, 20, 9)
    clear, milky = (look_through(clean, pane, optics(distance=30.0, milk=milk))[40, 20] for milk in (0.0, 0.5))
    np.testing.assert_allclose(clear, 0, atol=1e-5)
    np.testing.assert_allclose(milky, 0.4, atol=0.02)


def test_mu_rises_with_strength_from_nearly_nothing():
    clean = photo()
    mus = [
        np.mean([np.abs(raindrop(clean, s, np.random.default_rng(seed)) - clean).mean() for seed in range(10)])
        for s in (0, 0.2, 0.4, 0.6, 0.8, 1)
    ]
    assert mus[0] < 1e-6
    assert all(later > 1.1 * earlier for earlier, later in pairwise(mus))
    assert 0.02 < mus[4] < 0.15
    assert 0.03 < mus[5] < 0.2


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


@pytest.mark.parametrize("strength", [-0.01, 1.31, float("nan")])
def test_strength_outside_the_range_is_refused(strength):
    with pytest.raises(ValueError, match="strength"):
        raindrop(photo(), strength, np.random.default_rng(0))
