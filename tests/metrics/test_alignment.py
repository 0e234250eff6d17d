"""Structure measures on changes whose effect is known: none, affine, covered, noise, blur, moved."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, shift

from gendeg.metrics.alignment import LARGEST_PSNR, detail_kept, edge_shift, psnr, ssim, ssim_without_low_frequencies
from tests.tiny import photo

SCENE = photo(96, 128, seed=1)


def u8(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def test_psnr_of_ten_levels_everywhere():
    flat = np.full((8, 8, 3), 100, np.uint8)
    assert psnr(flat, flat + np.uint8(10)) == pytest.approx(20 * np.log10(25.5))
    assert psnr(flat, flat) == LARGEST_PSNR


def test_haze_and_darkness_scale_detail_and_leave_it():
    assert detail_kept(SCENE, SCENE) == pytest.approx(1)
    assert detail_kept(SCENE, u8(SCENE * 0.5 + 100)) > 0.98  # rounding to levels is all that is left
    assert detail_kept(SCENE, 255 - SCENE) == pytest.approx(-1)


def test_what_covers_a_third_leaves_the_median_and_what_covers_all_does_not():
    covered = SCENE.copy()
    covered[:, :40] = 255
    assert detail_kept(SCENE, covered) > 0.95
    noise = u8(np.random.default_rng(0).normal(128, 40, SCENE.shape))
    assert abs(detail_kept(SCENE, noise)) < 0.2


def test_blur_takes_detail_away():
    kept = [detail_kept(SCENE, u8(gaussian_filter(SCENE.astype(float), (s, s, 0)))) for s in (0.5, 1.0, 2.0)]
    assert 1 > kept[0] > kept[1] > kept[2]


def test_a_photo_without_detail_cannot_lose_any():
    flat = np.full((32, 32, 3), 90, np.uint8)
    assert detail_kept(flat, SCENE[:32, :32]) == 1.0


def test_ssim_of_a_brighter_flat_image_is_the_luminance_term():
    first, second = np.full((32, 32), 0.4), np.full((32, 32), 0.6)
    assert ssim(first, second) == pytest.approx((2 * 0.24 + 1e-4) / (0.16 + 0.36 + 1e-4))
    assert ssim(first, first) == pytest.approx(1)


def test_a_smooth_veil_is_forgiven_and_noise_is_not():
    y = np.linspace(0, 60, 96)[:, None, None]
    veiled = u8(SCENE * 0.7 + 10 + y * 0.7)
    dim = u8(SCENE * 0.7)
    grey = [image.mean(axis=2) / 255 for image in (SCENE, veiled)]
    assert ssim_without_low_frequencies(SCENE, veiled) > ssim(*grey) + 0.01
    assert ssim_without_low_frequencies(SCENE, veiled) == pytest.approx(
        ssim_without_low_frequencies(SCENE, dim), abs=0.02
    )
    noisy = u8(SCENE + np.random.default_rng(0).normal(0, 25, SCENE.shape))
    assert ssim_without_low_frequencies(SCENE, noisy) < 0.8


@pytest.mark.parametrize(("down", "right"), [(0, 0), (0.5, 0), (-1.25, 0.75), (2, -2)])
def test_a_shift_is_found_to_a_fraction_of_a_pixel(down, right):
    smooth = gaussian_filter(np.random.default_rng(3).normal(size=(96, 128)), 2)
    smooth = (smooth - smooth.min()) / np.ptp(smooth) * 255
    first = np.repeat(smooth[..., None], 3, axis=2)
    moved = np.repeat(shift(smooth, (down, right), order=3, mode="nearest")[..., None], 3, axis=2)
    found = edge_shift(u8(first), u8(moved))
    assert found == pytest.approx((-down, -right), abs=0.25)


def test_darkness_moves_nothing():
    assert edge_shift(SCENE, u8(SCENE * 0.4)) == (0, 0)
