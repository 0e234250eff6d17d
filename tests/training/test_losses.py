"""Losses: identities of the diffusion targets and numbers worked out by hand."""

import pytest
import torch

from gendeg.training.losses import (
    generated_of,
    gradient_l1,
    noised,
    psnr,
    reconstruction_loss,
    snr_plus_one_weight,
    target_of,
)


def pair(*levels: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    latent, noise = torch.randn(2, len(levels), 4, 5, 6, generator=generator)
    return latent, noise, torch.tensor(levels)


def test_velocity_gives_back_latent_and_noise():
    latent, noise, kept = pair(0.0, 0.3, 0.9, 1.0)
    x, v = noised(latent, noise, kept), target_of("v_prediction", latent, noise, kept)
    a, b = kept.sqrt().view(-1, 1, 1, 1), (1 - kept).sqrt().view(-1, 1, 1, 1)
    torch.testing.assert_close(a * x - b * v, latent, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(b * x + a * v, noise, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["epsilon", "sample", "v_prediction"])
def test_what_is_generated_comes_back_from_what_is_said(kind):
    latent, noise, kept = pair(0.1, 0.5, 0.99)
    said = target_of(kind, latent, noise, kept)
    torch.testing.assert_close(
        generated_of(kind, said, noised(latent, noise, kept), kept), latent, rtol=1e-4, atol=1e-5
    )


def test_the_ends_of_the_schedule():
    latent, noise, kept = pair(1.0, 0.0)
    x, v = noised(latent, noise, kept), target_of("v_prediction", latent, noise, kept)
    assert torch.equal(x[0], latent[0]) and torch.equal(x[1], noise[1])
    assert torch.equal(v[0], noise[0]) and torch.equal(v[1], -latent[1])


def test_noising_by_hand():
    x = noised(torch.full((1, 1, 1, 1), 2.0), torch.full((1, 1, 1, 1), -1.0), torch.tensor([0.64]))
    assert x.item() == pytest.approx(0.8 * 2 - 0.6)


def test_the_other_targets():
    latent, noise, kept = pair(0.2)
    assert target_of("epsilon", latent, noise, kept) is noise
    assert target_of("sample", latent, noise, kept) is latent
    with pytest.raises(ValueError, match="flow"):
        target_of("flow", latent, noise, kept)


def test_noising_agrees_with_diffusers():
    from tests.tiny import make_scheduler

    latent, noise, _ = pair(0, 0, 0)
    scheduler, t = make_scheduler(), torch.tensor([0, 400, 999])
    kept = scheduler.alphas_cumprod[t]
    torch.testing.assert_close(noised(latent, noise, kept), scheduler.add_noise(latent, noise, t))
    v = scheduler.get_velocity(latent, noise, t)
    torch.testing.assert_close(target_of("v_prediction", latent, noise, kept), v)


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
