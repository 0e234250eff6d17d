"""Haze: the scattering equation's known answers, the depth pieces, and the promises every simulator makes."""

import numpy as np
import pytest

from gendeg.physics.fields import box_mean
from gendeg.physics.haze import (
    colour_attenuation,
    draw_airlight,
    far_blur,
    ground_depth,
    guess_depth,
    guided_filter,
    haze,
    scatter,
    scattering_for,
    transmit,
)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def texture(height: int = 48, width: int = 64) -> np.ndarray:
    return rng(1).random((height, width, 3), dtype=np.float32)


def test_full_transmission_changes_nothing():
    clean = texture()
    np.testing.assert_allclose(scatter(clean, np.ones((48, 64)), np.array([0.9, 0.8, 0.7])), clean, atol=1e-7)


def test_no_transmission_gives_the_airlight():
    airlight = np.array([0.9, 0.8, 0.7], dtype=np.float32)
    hazy = scatter(texture(), np.zeros((48, 64)), airlight)
    np.testing.assert_allclose(hazy, np.broadcast_to(airlight, hazy.shape), atol=1e-7)


def test_constant_depth_gives_the_closed_form():
    clean, airlight = texture(), np.array([0.8, 0.8, 0.9])
    t = np.exp(-1.5 * 0.6)
    hazy = scatter(clean, transmit(np.full((48, 64), 0.6), 1.5), airlight)
    np.testing.assert_allclose(hazy, clean * t + airlight * (1 - t), atol=1e-6)


def test_scattering_is_solved_for_the_mean_veil():
    assert scattering_for(np.full((8, 8), 0.5), 0.4) == pytest.approx(-np.log(0.6) / 0.5, rel=1e-4)
    depth = rng().uniform(0.1, 1.0, (20, 30))
    assert 1 - transmit(depth, scattering_for(depth, 0.7)).mean() == pytest.approx(0.7, abs=1e-4)


def test_far_blur_leaves_what_is_near():
    clean, near = texture(), np.ones((48, 64))
    near[:, 32:] = 0.0
    blurred = far_blur(clean, near, sigma=2.0)
    np.testing.assert_array_equal(blurred[:, :32], clean[:, :32])
    assert blurred[:, 32:].std() < 0.5 * clean[:, 32:].std()


def test_ground_is_far_at_the_horizon_and_near_at_the_feet():
    depth = ground_depth(100, 10, horizon=0.5, tilt=0.0, recede=4.0)
    assert (depth[:50] == 1).all()
    assert (np.diff(depth[50:, 0]) < 0).all()
    assert depth[-1, 0] == pytest.approx(1 / (1 + 4 * 0.495))


def test_colour_attenuation_of_white_black_and_red():
    colours = np.array([[[1, 1, 1], [0, 0, 0], [1, 0, 0]]], dtype=np.float32)
    np.testing.assert_allclose(colour_attenuation(colours)[0], [1.0, 0.121779, 0.301244], atol=1e-6)


def test_box_mean_against_the_definition():
    field = rng().random((7, 9))
    expected = [[field[max(0, y - 2) : y + 3, max(0, x - 2) : x + 3].mean() for x in range(9)] for y in range(7)]
    np.testing.assert_allclose(box_mean(field, 2), expected, atol=1e-6)


def test_guided_filter_keeps_the_guide_s_edge_and_drops_noise():
    guide = np.zeros((40, 40), dtype=np.float32)
    guide[:, 20:] = 1.0
    refined = guided_filter(guide, guide + 0.2 * rng().standard_normal((40, 40)).astype(np.float32), 5, eps=1e-3)
    assert refined[:, 20].mean() - refined[:, 19].mean() > 0.9
    assert refined[:, :20].std() < 0.1


def test_what_stands_higher_is_farther_and_the_photo_s_texture_is_not_depth():
    rows = np.linspace(1, 0, 64)[:, None] + np.zeros((64, 96))
    guesses = [guess_depth(texture(64, 96), rng(seed)) for seed in range(20)]
    assert np.median([np.corrcoef(rows.ravel(), one.ravel())[0, 1] for one in guesses]) > 0.75
    rough = np.median([np.abs(np.diff(one, axis=1)).mean() / one.std() for one in guesses])
    assert rough < 0.035


def test_airlight_ranges_from_white_to_the_grey_blue_of_dusk():
    airlight = np.array([draw_airlight(texture(), rng(seed)).mean(axis=(0, 1)) for seed in range(300)])
    assert airlight.mean(axis=1).min() < 0.6 and airlight.mean(axis=1).max() > 0.93
    assert np.quantile(airlight[:, 2] / airlight[:, 0], 0.95) > 1.12


def test_depth_is_positive_and_at_most_one():
    depth = guess_depth(texture(), rng(3))
    assert 0 < depth.min() and depth.max() == pytest.approx(1.0)


@pytest.mark.parametrize("seed", range(4))
def test_mu_rises_with_strength(seed):
    clean = texture()
    mus = [np.abs(haze(clean, s, rng(seed)) - clean).mean() for s in (0.0, 0.1, 0.3, 0.6, 1.0)]
    assert mus[0] < 0.005 and (np.diff(mus) > 0).all() and mus[-1] > 0.15


def test_equal_generators_give_equal_pictures_and_others_differ():
    clean = texture()
    before = clean.copy()
    np.testing.assert_array_equal(haze(clean, 0.7, rng(5)), haze(clean, 0.7, rng(5)))
    assert np.abs(haze(clean, 0.7, rng(5)) - haze(clean, 0.7, rng(6))).mean() > 0.005
    np.testing.assert_array_equal(clean, before)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 5), (33, 2)])
@pytest.mark.parametrize("strength", [0.0, 1.0])
def test_any_size_keeps_shape_range_and_type(size, strength):
    for seed in range(6):
        hazy = haze(texture(*size), strength, rng(seed))
        assert hazy.shape == (*size, 3) and hazy.dtype == np.float32
        assert hazy.min() >= 0 and hazy.max() <= 1


@pytest.mark.parametrize("strength", [-0.01, 1.31, float("nan")])
def test_strength_outside_its_range_is_refused(strength):
    with pytest.raises(ValueError, match="strength"):
        haze(texture(), strength, rng())
