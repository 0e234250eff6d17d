"""Low light: exposure and noise statistics with known answers, and the promises every simulator makes."""

import numpy as np
import pytest

from gendeg.physics.low_light import (
    FULL_DARKNESS,
    TOE_SLOPE,
    beyond_white,
    correlate,
    desaturate,
    encoding_slope,
    expose,
    low_light,
    quantise,
    sensor_noise,
)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def texture(height: int = 48, width: int = 64) -> np.ndarray:
    return rng(1).random((height, width, 3), dtype=np.float32)


def test_gain_one_and_gamma_one_change_nothing():
    clean = texture()
    np.testing.assert_array_equal(expose(clean, gain=1.0, gamma=1.0), clean)


def test_exposure_is_a_gain_in_linear_light():
    clean = texture()
    np.testing.assert_allclose(expose(clean, gain=0.25) ** 2.2, 0.25 * clean**2.2, atol=1e-6)


def test_gamma_curve_and_white_balance():
    clean = texture()
    np.testing.assert_allclose(expose(clean, gain=1.0, gamma=2.0), clean**2, atol=1e-6)
    cast = expose(clean, gain=0.5, white_balance=(1.0, 0.5, 0.0))
    np.testing.assert_allclose(cast[..., 1] ** 2.2, 0.25 * clean[..., 1] ** 2.2, atol=1e-6)
    assert (cast[..., 2] == 0).all()


def test_lighting_darkens_where_it_says():
    lighting = np.ones((48, 64), dtype=np.float32)
    lighting[:, 32:] = 0.0
    clean = texture()
    lit = expose(clean, gain=1.0, lighting=lighting)
    np.testing.assert_array_equal(lit[:, :32], clean[:, :32])
    assert (lit[:, 32:] == 0).all()


def test_mean_of_the_noise_is_the_noise_free_exposure():
    light = expose(texture(8, 8), gain=0.1) ** 2.2
    generator = rng(2)
    mean = np.mean([sensor_noise(light, 1e-3, 2e-3, generator) for _ in range(2000)], axis=0)
    np.testing.assert_allclose(mean, light, atol=5 * np.sqrt((1e-3 * 0.1 + 4e-6) / 2000))


@pytest.mark.parametrize("signal", [0.0, 0.01, 0.1, 0.5])
def test_variance_is_shot_times_signal_plus_read_squared(signal):
    noisy = sensor_noise(np.full((200, 200, 3), signal, dtype=np.float32), 2e-3, 4e-3, rng(3))
    assert noisy.var() == pytest.approx(2e-3 * signal + 4e-3**2, rel=0.03)


def test_no_noise_is_the_identity():
    np.testing.assert_array_equal(sensor_noise(texture(), 0.0, 0.0, rng()), texture())


def test_correlated_noise_keeps_its_variance_and_gains_neighbours():
    white = rng(4).standard_normal((200, 200, 3)).astype(np.float32)
    spread = correlate(white, 0.8)
    assert spread.var() == pytest.approx(1.0, rel=0.05)
    assert (spread[:, 1:] * spread[:, :-1]).mean() == pytest.approx(0.8 / (1 + 2 * 0.4**2), abs=0.03)
    np.testing.assert_allclose(correlate(white, 0.0), white, atol=1e-5)


def test_a_lamp_is_far_brighter_than_white_a_pale_wall_a_little_and_grey_not_at_all():
    wall, lamp = np.full((64, 64, 3), 1.0, np.float32), np.full((64, 64, 3), 0.2, np.float32)
    lamp[30:34, 30:34] = 1.0
    np.testing.assert_allclose(beyond_white(wall, 2.0, 30.0), 2.0, atol=1e-5)
    assert beyond_white(lamp, 2.0, 30.0)[32, 32] == pytest.approx(30.0)
    assert (beyond_white(np.full((9, 9, 3), 0.89, np.float32), 2.0, 30.0) == 0).all()


def test_the_grain_of_a_bright_sky_does_not_glow():
    sky = np.clip(0.95 + 0.02 * rng(1).standard_normal((128, 128, 1)), 0, 1).astype(np.float32).repeat(3, axis=2)
    glow = beyond_white(sky, 4.0, 0.0)
    assert glow.mean() == pytest.approx(4 * 0.25, rel=0.1) and glow.std() < 0.1 * glow.mean()


def test_skin_in_the_sun_is_no_lamp():
    skin = np.full((64, 64, 3), 0.2, np.float32)
    skin[30:34, 30:34] = (1.0, 0.85, 0.74)
    assert (beyond_white(skin, 2.0, 30.0) == 0).all()


def test_lamps_stay_bright_in_the_dark_and_the_room_does_not():
    room = np.full((64, 64, 3), 0.4, np.float32)
    room[28:36, 28:36] = 1.0
    dark = [low_light(room, 1.0, rng(seed)) for seed in range(24)]
    lamp, wall = (np.array([one[part].mean() for one in dark]) for part in (np.s_[30:34, 30:34], np.s_[:16]))
    assert wall.max() < 0.12 and (lamp > 2 * wall).all()
    assert 0.2 < (lamp > 0.25).mean() < 0.6, "in some photos it is a lamp, in others a white thing"


def test_the_encoding_stretches_shadows_as_its_derivative_does_and_no_more_than_srgb():
    light = np.array([0.0, 0.02, 0.3, 1.0], np.float32).reshape(2, 2, 1).repeat(3, axis=2)
    expected = [TOE_SLOPE, *((x + 1e-4) ** (1 / 2.2) / 1e-4 - x ** (1 / 2.2) / 1e-4 for x in (0.02, 0.3, 1.0))]
    np.testing.assert_allclose(encoding_slope(light)[..., 0].ravel(), expected, rtol=5e-3)


def test_quantise_rounds_to_the_nearest_level():
    levels = np.array([0.0, 0.24, 0.26, 1.0]).reshape(2, 2, 1).repeat(3, axis=2)
    np.testing.assert_allclose(quantise(levels, levels=2)[..., 0].ravel(), [0.0, 0.0, 0.5, 1.0])


def test_desaturation_keeps_luminance_and_ends_in_grey():
    clean, weights = texture(), np.array([0.2126, 0.7152, 0.0722])
    grey = desaturate(clean, 1.0)
    np.testing.assert_allclose(grey[..., 0], grey[..., 2], atol=1e-6)
    np.testing.assert_allclose(desaturate(clean, 0.4) @ weights, clean @ weights, atol=1e-6)


def test_the_share_of_brightness_lost_is_the_one_asked_for():
    clean = texture()
    for seed in range(6):
        assert low_light(clean, 0.5, rng(seed)).mean() == pytest.approx((1 - FULL_DARKNESS * 0.5**1.1) * 0.5, abs=0.03)


@pytest.mark.parametrize("seed", range(4))
def test_mu_rises_with_strength(seed):
    clean = texture()
    mus = [np.abs(low_light(clean, s, rng(seed)) - clean).mean() for s in (0.0, 0.1, 0.3, 0.6, 1.0)]
    assert mus[0] < 0.005 and (np.diff(mus) > 0).all() and mus[-1] > 0.35


def test_equal_generators_give_equal_pictures_and_others_differ():
    clean = texture()
    before = clean.copy()
    np.testing.assert_array_equal(low_light(clean, 0.7, rng(5)), low_light(clean, 0.7, rng(5)))
    assert np.abs(low_light(clean, 0.7, rng(5)) - low_light(clean, 0.7, rng(6))).mean() > 0.005
    np.testing.assert_array_equal(clean, before)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 5), (33, 2)])
@pytest.mark.parametrize("strength", [0.0, 1.0])
def test_any_size_keeps_shape_range_and_type(size, strength):
    for seed in range(6):
        dark = low_light(texture(*size), strength, rng(seed))
        assert dark.shape == (*size, 3) and dark.dtype == np.float32
        assert dark.min() >= 0 and dark.max() <= 1


def test_a_black_photo_stays_dark():
    assert low_light(np.zeros((20, 20, 3), dtype=np.float32), 0.8, rng()).mean() < 0.1


@pytest.mark.parametrize("strength", [-0.01, 1.31, float("nan")])
def test_strength_outside_its_range_is_refused(strength):
    with pytest.raises(ValueError, match="strength"):
        low_light(texture(), strength, rng())


def test_the_darkest_is_not_black():
    bright = np.clip(texture(64, 64) * 0.6 + 0.2, 0, 1)
    left = [low_light(bright, 1.3, rng(seed)).mean() / bright.mean() for seed in range(6)]
    assert 0.02 < min(left) and max(left) < 0.05
