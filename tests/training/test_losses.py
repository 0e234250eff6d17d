"""Losses: numbers worked out by hand, and what they weigh alike."""

import pytest
import torch

from gendeg.model.schedulers import noised, target_of
from gendeg.training.losses import gradient_l1, psnr, reconstruction_loss, snr_plus_one_weight
from tests.model.test_noise import pair


@pytest.mark.parametrize(("error", "decibel"), [(2.0, 0.0), (0.2, 20.0), (0.02, 40.0), (0.0, 100.0)])
def test_psnr_of_a_constant_error(error, decibel):
    target = torch.full((2, 3, 4, 4), -1.0)
    assert psnr(target + error, target).tolist() == pytest.approx([decibel] * 2, abs=1e-3)


def test_psnr_is_per_image_and_clamps_the_prediction():
    target = torch.ones(2, 3, 4, 4)
    prediction = torch.stack([target[0] * 5, target[1] * 0])
    assert psnr(prediction, target).tolist() == pytest.approx([100.0, 6.0206], abs=1e-3)


def test_gradient_l1_by_hand():
    error = torch.tensor([[[[0.0, 1.0], [3.0, 0.0]]]])
    target = torch.randn(1, 1, 2, 2)
    vertical, horizontal = (3 + 1) / 2, (1 + 3) / 2
    assert gradient_l1(target + error, target).item() == pytest.approx(vertical + horizontal, rel=1e-5)


def test_a_constant_shift_has_no_gradient_error():
    target = torch.randn(2, 3, 5, 5)
    assert gradient_l1(target + 0.5, target).item() == pytest.approx(0, abs=1e-6)
    assert reconstruction_loss(target + 0.5, target, 3.0).item() == pytest.approx(0.5, rel=1e-5)


def test_reconstruction_adds_the_two():
    a, b = torch.randn(2, 2, 3, 5, 5)
    expected = (a - b).abs().mean() + 0.7 * gradient_l1(a, b)
    torch.testing.assert_close(reconstruction_loss(a, b, 0.7), expected)


def test_snr_plus_one_makes_the_error_of_the_sample_that_of_v():
    latent, noise, kept = pair(0.0, 0.2, 0.7)
    guess = latent + torch.randn(latent.shape, generator=torch.Generator().manual_seed(2))
    root_kept, root_rest = kept.sqrt()[:, None, None, None], (1 - kept).sqrt()[:, None, None, None]
    said = (root_kept * noised(latent, noise, kept) - guess) / root_rest  # the v of that guess
    error = (said - target_of("v_prediction", latent, noise, kept)).square().mean(dim=(1, 2, 3))
    ours = (guess - latent).square().mean(dim=(1, 2, 3)) * snr_plus_one_weight(kept, 100.0)
    torch.testing.assert_close(ours, error, rtol=1e-4, atol=1e-5)


def test_snr_plus_one_is_capped_and_never_nothing():
    weights = snr_plus_one_weight(torch.tensor([0.0, 0.5, 0.75, 0.9, 1.0]), 5.0)
    assert weights.tolist() == pytest.approx([1, 2, 4, 5, 5], rel=1e-5)
