"""Noise on latents: identities of what a network may say, and steps that agree with diffusers."""

import pytest
import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler

from gendeg.model.schedulers import generated_of, landed, noised, target_of
from tests.tiny import make_scheduler


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
    latent, noise, _ = pair(0, 0, 0)
    scheduler, t = make_scheduler(), torch.tensor([0, 400, 999])
    kept = scheduler.alphas_cumprod[t]
    torch.testing.assert_close(noised(latent, noise, kept), scheduler.add_noise(latent, noise, t))
    v = scheduler.get_velocity(latent, noise, t)
    torch.testing.assert_close(target_of("v_prediction", latent, noise, kept), v)


@pytest.mark.parametrize("kind", ["epsilon", "sample", "v_prediction"])
def test_who_knows_all_lands_on_the_same_noise_at_the_next_level(kind):
    latent, noise, kept = pair(0.1, 0.5, 0.99)
    following = torch.tensor([0.3, 1.0, 0.995])
    said = target_of(kind, latent, noise, kept)
    there = landed(kind, said, noised(latent, noise, kept), kept, following)
    torch.testing.assert_close(there, noised(latent, noise, following), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["epsilon", "sample", "v_prediction"])
def test_a_step_is_that_of_diffusers(kind):
    theirs: DDIMScheduler = make_scheduler(kind)
    theirs.set_timesteps(4)
    for now, following in ((749, 499), (249, -1)):
        signals = torch.tensor([theirs.alphas_cumprod[t] if t >= 0 else 1.0 for t in (now, following)])
        said, noisy = torch.randn(2, 3, 4, 5, 6, generator=torch.Generator().manual_seed(1))
        expected = theirs.step(said, now, noisy).prev_sample
        torch.testing.assert_close(landed(kind, said, noisy, *(s.expand(3) for s in signals)), expected)
