"""The published sampler: levels between timesteps, steps with known ends, noise that is given or drawn."""

import numpy as np
import pytest
import torch

from gendeg.model.samplers import LDM_SCHEDULE, ContinuousEulerAncestralScheduler


def scheduler(**changes) -> ContinuousEulerAncestralScheduler:
    return ContinuousEulerAncestralScheduler(**(LDM_SCHEDULE | changes))


def test_levels_between_two_timesteps_are_interpolated_in_their_logarithm():
    ours = scheduler()
    ours.set_timesteps(7)
    known = ((1 - ours.alphas_cumprod) / ours.alphas_cumprod).sqrt().double().numpy()
    assert ours.timesteps.tolist() == pytest.approx([999.0, 832.5, 666.0, 499.5, 333.0, 166.5, 0.0], abs=2e-4)
    assert ours.sigmas[0] == pytest.approx(known[999]) and ours.sigmas[2] == pytest.approx(known[666])
    assert ours.sigmas[1] == pytest.approx(np.sqrt(known[832] * known[833]), rel=1e-6)
    assert ours.sigmas[-1] == 0 and ours.init_noise_sigma == ours.sigmas[0]


def test_the_lowest_level_is_that_of_the_exact_schedule():
    """Of one step from float64 betas: float32 products miss it by 1e-5. One step starts at the top, not at the end."""
    ours = scheduler()
    ours.set_timesteps(100)
    assert float(ours.sigmas[-2]) == pytest.approx((0.00085 / 0.99915) ** 0.5, rel=2e-7)
    ours.set_timesteps(1)
    assert ours.timesteps.tolist() == [999.0] and len(ours.sigmas) == 2


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction", "sample"])
def test_a_model_that_knows_the_answer_gets_it(kind):
    ours, answer = scheduler(prediction_type=kind), torch.linspace(-1, 1, 32).reshape(1, 2, 4, 4)
    ours.set_timesteps(5)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(answer.shape, generator=generator) * ours.init_noise_sigma
    for sigma, timestep in zip(ours.sigmas, ours.timesteps, strict=False):
        noise, root = (x - answer) / sigma, (sigma**2 + 1).sqrt()
        said = {"epsilon": noise, "sample": answer, "v_prediction": (noise - sigma * answer) / root}[kind]
        x = ours.step(said, timestep, x, generator=generator).prev_sample
    torch.testing.assert_close(x, answer, atol=1e-5, rtol=1e-5)


def test_each_step_leaves_the_next_level_of_noise():
    """From x_0 = 0 the samples after a step have the next sigma as their deviation, however the noise is split."""
    ours = scheduler()
    ours.set_timesteps(4)
    x = torch.randn(1, 4, 128, 128, generator=torch.Generator().manual_seed(1)) * ours.sigmas[0]
    for number, timestep in enumerate(ours.timesteps):
        x = ours.step(x / ours.sigmas[number], timestep, x, torch.Generator().manual_seed(100 + number)).prev_sample
        assert float(x.std()) == pytest.approx(float(ours.sigmas[number + 1]), rel=0.02, abs=1e-6)


def test_noise_is_drawn_from_the_generator_or_given():
    x, said = torch.randn(2, 4, 8, 8), torch.randn(2, 4, 8, 8)
    results = []
    for given in ({"generator": torch.Generator().manual_seed(3)},
                  {"noise": torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(3))}):  # fmt: skip
        ours = scheduler()
        ours.set_timesteps(4)
        results.append(ours.step(said, ours.timesteps[0], x, **given).prev_sample)
    assert torch.equal(*results)
