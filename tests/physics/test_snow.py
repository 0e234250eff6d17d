"""Snow: masks and flakes with known answers, then what every simulator promises."""

from itertools import pairwise

import numpy as np
import pytest

from gendeg.physics.layers import cover
from gendeg.physics.snow import FlakeLayer, colour_fringe, flake_layers, flake_patches, render_flakes, snow

WHITE = np.array([0.95, 0.97, 1.0], dtype=np.float32)


def photo(height: int = 96, width: int = 128) -> np.ndarray:
    rows, columns = np.mgrid[0:height, 0:width]
    wave = 0.4 + 0.15 * np.sin(columns / 5) + 0.15 * np.cos(rows / 9)
    return np.stack([wave, 0.9 * wave, 0.7 * wave], axis=-1).astype(np.float32)


def test_empty_mask_gives_the_clean_photo_and_a_full_one_the_flake_colour():
    np.testing.assert_array_equal(cover(photo(), np.zeros((96, 128, 3), np.float32), WHITE), photo())
    full = cover(photo(), np.ones((96, 128, 3), np.float32), WHITE)
    np.testing.assert_allclose(full, np.broadcast_to(WHITE, full.shape), atol=1e-6)


def test_a_flake_is_opaque_inside_clear_outside_and_about_its_size():
    flakes = flake_patches(np.full(40, 8.0), 0.5, 0.0, 0.0, 20, np.random.default_rng(0))
    assert flakes[:, 20, 20].min() > 0.99
    assert flakes[:, 0, :].max() < 1e-3
    assert flakes.sum(axis=(1, 2)).mean() == pytest.approx(np.pi * 64, rel=0.1)
    assert flakes.sum(axis=(1, 2)).std() > 3, "outlines must differ"


def test_wind_spreads_a_flake_along_its_direction_and_adds_no_light():
    still, moved = (
        flake_patches(np.full(30, 3.0), 0.8, path, np.radians(60), 18, np.random.default_rng(2)) for path in (0.0, 14.0)
    )
    np.testing.assert_allclose(moved.sum(axis=(1, 2)), still.sum(axis=(1, 2)), rtol=0.02)
    assert moved.max() < 0.8 * still.max()
    rows, columns = np.mgrid[-18:19, -18:19]
    total = moved.sum(axis=0)
    leaning = 0.5 * np.arctan2(2 * (total * rows * columns).sum(), (total * (rows**2 - columns**2)).sum())
    assert np.degrees(leaning) == pytest.approx(60, abs=6)


def test_flakes_are_round_where_rain_is_not():
    flakes = flake_patches(np.full(60, 5.0), 0.5, 0.0, 0.0, 15, np.random.default_rng(1)).sum(axis=0)
    rows, columns = np.mgrid[-15:16, -15:16]
    assert (flakes * rows**2).sum() == pytest.approx((flakes * columns**2).sum(), rel=0.15)


@pytest.mark.parametrize("coverage", [0.02, 0.1])
def test_coverage_is_the_mean_of_the_mask(coverage):
    generator = np.random.default_rng(3)
    masks = [render_flakes(200, 200, FlakeLayer(1.8, 0.5, 3.0, 0.8, coverage), 0.4, generator) for _ in range(4)]
    assert np.mean(masks) == pytest.approx(coverage, rel=0.2)
    assert np.max(masks) <= 1


def test_flakes_have_edges_and_weak_snow_may_be_white():
    layers = [flake_layers(0.05, 0.2, 1.0, np.random.default_rng(seed)) for seed in range(200)]
    edges = np.array([[layer.softness / layer.radius for layer in three] for three in layers])
    assert np.median(edges, axis=0).max() < 0.4, "an edge is a fraction of the flake"
    opacity = [three[1].opacity for three in layers]
    assert min(opacity) < 0.55 and max(opacity) > 0.95


def test_fringe_moves_red_and_blue_apart_and_leaves_green():
    mask = np.zeros((1, 5), np.float32)
    mask[0, 2] = 1
    fringed = colour_fringe(mask, 0.25)[0]
    np.testing.assert_allclose(fringed[:, 0], [0, 0, 0.75, 0.25, 0])
    np.testing.assert_allclose(fringed[:, 1], mask[0])
    np.testing.assert_allclose(fringed[:, 2], [0, 0.25, 0.75, 0, 0])


def test_flakes_whiten_a_dark_scene_evenly_in_colour():
    dark = np.full((96, 96, 3), 0.1, np.float32)
    change = (snow(dark, 0.8, np.random.default_rng(0)) - dark).mean(axis=(0, 1))
    assert change.min() > 0.05
    assert change.max() < 1.15 * change.min()


def test_mu_rises_with_strength_from_nearly_nothing():
    clean = photo()
    mus = [
        np.mean([np.abs(snow(clean, s, np.random.default_rng(seed)) - clean).mean() for seed in range(5)])
        for s in (0, 0.2, 0.4, 0.6, 0.8, 1)
    ]
    assert mus[0] < 1e-6
    assert all(later > 1.3 * earlier for earlier, later in pairwise(mus))
    assert 0.08 < mus[4] < 0.2


def test_equal_generators_give_equal_photos_and_others_do_not():
    one, two, other = (snow(photo(), 0.7, np.random.default_rng(seed)) for seed in (5, 5, 6))
    np.testing.assert_array_equal(one, two)
    assert np.abs(one - other).max() > 0.05


@pytest.mark.parametrize("shape", [(1, 1), (7, 5), (1, 40), (33, 2)])
@pytest.mark.parametrize("strength", [0, 0.5, 1])
def test_shape_and_range_hold_for_tiny_photos(shape, strength):
    result = snow(photo(*shape), strength, np.random.default_rng(0))
    assert result.shape == (*shape, 3)
    assert result.dtype == np.float32
    assert result.min() >= 0
    assert result.max() <= 1


@pytest.mark.parametrize("strength", [-0.01, 1.31, float("nan")])
def test_strength_outside_the_range_is_refused(strength):
    with pytest.raises(ValueError, match="strength"):
        snow(photo(), strength, np.random.default_rng(0))
