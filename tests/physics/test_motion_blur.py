"""Motion blur: what a PSF must be, what it must leave alone, and the promises every simulator makes."""

import numpy as np
import pytest

from gendeg.physics.fields import convolve
from gendeg.physics.motion_blur import (
    PLAIN,
    RESPONSES,
    blur_turning,
    expose_frames,
    motion_blur,
    response_at,
    scale_path,
    shake_path,
    trajectory_psf,
)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def texture(height: int = 48, width: int = 64) -> np.ndarray:
    return rng(1).random((height, width, 3), dtype=np.float32)


def centre_of_mass(psf: np.ndarray) -> np.ndarray:
    offsets = np.arange(psf.shape[0]) - psf.shape[0] // 2
    return np.array([(psf.sum(axis=1) * offsets).sum(), (psf.sum(axis=0) * offsets).sum()])


def test_a_camera_at_rest_gives_the_identity():
    psf = trajectory_psf(np.full((10, 2), 3.3))
    np.testing.assert_array_equal(psf, [[1.0]])
    clean = texture()
    np.testing.assert_allclose(expose_frames(clean, lambda light: convolve(light, psf), 5.0), clean, atol=2e-3)


@pytest.mark.parametrize("seed", range(12))
def test_psf_sums_to_one_about_its_centre(seed):
    psf = trajectory_psf(scale_path(shake_path(100, rng(seed)), extent=17.3))
    assert psf.shape[0] % 2 == 1 and psf.min() >= 0
    assert psf.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(centre_of_mass(psf), 0.0, atol=1e-9)


def test_most_paths_have_one_dominating_direction_and_some_do_not():
    spreads = np.array([np.linalg.svd(scale_path(shake_path(192, rng(seed)), 10.0))[1] for seed in range(100)])
    narrow = spreads[:, 1] / spreads[:, 0]
    assert np.quantile(narrow, 0.7) < 0.25 and narrow.max() > 0.4


def test_two_instants_two_pixels_apart_are_two_half_points():
    psf = trajectory_psf(np.array([[0.0, 0.0], [0.0, 2.0]]))
    np.testing.assert_allclose(psf, [[0, 0, 0], [0.5, 0, 0.5], [0, 0, 0]])


def test_half_a_pixel_is_shared_bilinearly():
    psf = trajectory_psf(np.array([[-0.5, 0.0], [0.5, 0.0]]))
    np.testing.assert_allclose(psf, [[0, 0.25, 0], [0, 0.5, 0], [0, 0.25, 0]])


def test_extent_is_the_length_of_an_even_straight_sweep():
    sweep = np.stack([np.zeros(1001), np.linspace(0, 3, 1001)], axis=1)
    scaled = scale_path(sweep, extent=20.0)
    assert np.ptp(scaled[:, 1]) == pytest.approx(20.0, rel=2e-3)
    np.testing.assert_allclose(scaled.mean(axis=0), 0.0, atol=1e-9)


def test_a_horizontal_sweep_keeps_what_does_not_change_horizontally():
    sweep = np.stack([np.zeros(50), np.linspace(-6, 6, 50)], axis=1)
    rows = np.broadcast_to(rng().random((32, 1, 3)), (32, 40, 3)).astype(np.float32)
    blurred = expose_frames(rows, lambda light: convolve(light, trajectory_psf(sweep)), 5.0)
    np.testing.assert_allclose(blurred, rows, atol=2e-3)
    columns = rows.swapaxes(0, 1)
    changed = expose_frames(columns, lambda light: convolve(light, trajectory_psf(sweep)), 5.0)
    assert np.abs(changed - columns).mean() > 0.05


@pytest.mark.parametrize("level", [0.0, 0.3, 1.0])
def test_a_constant_photo_stays(level):
    flat = np.full((40, 30, 3), level, dtype=np.float32)
    for seed in range(8):
        np.testing.assert_allclose(motion_blur(flat, 1.0, rng(seed)), level, atol=2e-3)


@pytest.mark.parametrize(("response", "middle"), [(0.0, 0.5), (2.2, 0.733), (8.0, 0.913)])
def test_frames_are_averaged_in_light(response, middle):
    """Of black and white: ln((1 + e^r) / 2) / r; gamma 2.2 makes 0.730 of it, no response the mean."""
    halves = np.zeros((9, 9, 3), dtype=np.float32)
    halves[:, ::2] = 1.0
    psf = trajectory_psf(np.array([[0.0, -0.5], [0.0, 0.5]]))
    blurred = expose_frames(halves, lambda light: convolve(light, psf), response)
    np.testing.assert_allclose(blurred[4, 4], middle, atol=1e-3)


def test_a_steep_response_leaves_no_noise_in_the_dark():
    """The FFT errs by 1e-7 of the brightest light, which a gamma of 5 would make ten grey levels of a black."""
    clean = np.zeros((64, 64, 3), dtype=np.float32)
    clean[:, :16] = 1.0
    psf = trajectory_psf(np.stack([np.linspace(-9, 9, 99), np.linspace(-2, 2, 99)], axis=1))
    blurred = expose_frames(clean, lambda light: convolve(light, psf), 9.0)
    assert blurred[:, 32:-12].max() < 0.5 / 255


def test_draws_brighten_as_the_cameras_of_real_pairs_do():
    """On its mean nothing (GoPro) to a tenth of the contrast and more (REDS), all of it seen in forty draws."""
    rows = np.repeat(np.tile(np.array([0.2, 0.8], dtype=np.float32), 32), 3).reshape(1, 64, 3)
    clean = np.broadcast_to(rows, (64, 64, 3))
    brighter = np.array([motion_blur(clean, 0.8, rng(seed), 90.0).mean() - 0.5 for seed in range(40)])
    assert (np.abs(brighter) < 0.01).sum() >= 5 and (brighter > 0.15).sum() >= 5


@pytest.mark.parametrize("seed", range(4))
def test_a_steep_response_makes_more_of_lights(seed):
    """Of one path: pixels averaged as they are at +1; at -1 what is bright spreads most, and lights trail."""
    lamps = np.where(rng(9).random((64, 64, 1)) < 0.03, 1.0, 0.1)
    clean = np.broadcast_to(lamps, (64, 64, 3)).astype(np.float32)
    gathered, even = (np.abs(motion_blur(clean, 0.6, rng(seed), 30.0, by) - clean) for by in (-1.0, 1.0))
    assert gathered.mean() > 1.2 * even.mean(), "as long a path changes more"
    assert response_at(0.0) == max(RESPONSES) and response_at(1 - PLAIN) == 0 == response_at(1.0)


def test_blown_lights_leave_brighter_trails():
    lamp = np.full((21, 21, 3), 0.1, dtype=np.float32)
    lamp[10, 10] = 1.0
    sweep = trajectory_psf(np.stack([np.zeros(50), np.linspace(-4, 4, 50)], axis=1))
    plain, bright = (expose_frames(lamp, lambda light: convolve(light, sweep), 3.0, boost) for boost in (0.0, 3.0))
    assert bright[10, 12].min() > plain[10, 12].max() + 0.1
    np.testing.assert_allclose(bright[0], plain[0], atol=1e-4)


def test_turning_without_a_turn_is_the_plain_blur():
    light, path = texture(), scale_path(shake_path(60, rng(2)), 5.0)
    turned = blur_turning(light, path, np.zeros(60), (0.5, 0.5))
    np.testing.assert_allclose(turned, convolve(light, trajectory_psf(path)), atol=2e-5)


def test_a_turn_leaves_its_centre_sharper_than_the_corners():
    light = texture(65, 65)
    change = np.abs(blur_turning(light, np.zeros((60, 2)), np.linspace(-0.05, 0.05, 60), (0.5, 0.5)) - light)
    assert change[30:35, 30:35].mean() < 0.5 * change[:8, :8].mean()


@pytest.mark.parametrize("seed", range(4))
def test_mu_rises_with_strength(seed):
    smooth = convolve(texture(96, 96), np.full((5, 5), 1 / 25))
    clean = np.clip((smooth - 0.5) * 4 + 0.5, 0, 1)
    mus = [np.abs(motion_blur(clean, s, rng(seed)) - clean).mean() for s in (0.0, 0.25, 0.5, 1.0)]
    assert mus[0] < 0.015 and (np.diff(mus) > 0).all() and mus[-1] > 0.05


def test_equal_generators_give_equal_pictures_and_others_differ():
    clean = texture()
    before = clean.copy()
    np.testing.assert_array_equal(motion_blur(clean, 0.7, rng(5)), motion_blur(clean, 0.7, rng(5)))
    assert np.abs(motion_blur(clean, 0.7, rng(5)) - motion_blur(clean, 0.7, rng(6))).mean() > 0.005
    np.testing.assert_array_equal(clean, before)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 5), (33, 2)])
@pytest.mark.parametrize("strength", [0.0, 1.0])
def test_any_size_keeps_shape_range_and_type(size, strength):
    for seed in range(6):
        blurred = motion_blur(texture(*size), strength, rng(seed))
        assert blurred.shape == (*size, 3) and blurred.dtype == np.float32
        assert blurred.min() >= 0 and blurred.max() <= 1


@pytest.mark.parametrize("strength", [-0.01, 1.31, float("nan")])
def test_strength_outside_its_range_is_refused(strength):
    with pytest.raises(ValueError, match="strength"):
        motion_blur(texture(), strength, rng())
