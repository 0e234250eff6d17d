"""Scattered light: kernels with known widths, and what they leave alone."""

import numpy as np
import pytest
import torch

from gendeg.restore.transfer.scatter import Scattering, draw_scattering, scatter, scattering_kernels


@pytest.mark.parametrize("power", [0.8, 1.0, 2.0])
def test_no_light_is_lost_and_none_is_turned(power: float) -> None:
    (kernel,) = scattering_kernels([Scattering(2.0, power)], 3.0)
    assert kernel.sum() == pytest.approx(1, abs=1e-6)
    assert torch.equal(kernel, kernel.T) and torch.equal(kernel, kernel.flip(0))


def test_a_gaussian_has_the_width_that_was_asked_for() -> None:
    """p = 2 is a Gaussian of standard deviation σ along each axis."""
    (kernel,) = scattering_kernels([Scattering(1.5, 2.0)], 4.0)
    x = np.arange(len(kernel)) - len(kernel) // 2
    assert float((kernel.sum(0).numpy() * x**2).sum()) == pytest.approx(1.5**2, rel=0.01)


def test_a_point_becomes_its_kernel() -> None:
    kernels = scattering_kernels([Scattering(1.0, 1.0), Scattering(0.0, 1.0)], 1.0)
    point = torch.zeros(2, 3, 9, 9)
    point[:, :, 4, 4] = 1
    spread, same = scatter(point, kernels)
    assert torch.allclose(spread[0, 1:8, 1:8], kernels[0], atol=1e-7)
    assert torch.equal(same, point[1])


def test_flat_images_and_no_scattering_change_nothing() -> None:
    flat, noise = torch.full((1, 3, 8, 10), 0.25), torch.rand(1, 3, 8, 10)
    assert torch.allclose(scatter(flat, scattering_kernels([Scattering(2.0, 0.7)], 2.0)), flat, atol=1e-6)
    drawn = draw_scattering(0.0, np.random.default_rng(0))
    assert torch.equal(scatter(noise, scattering_kernels([drawn], 0.0)), noise)


def test_draws_stay_in_their_range() -> None:
    drawn = [draw_scattering(3.0, np.random.default_rng(seed)) for seed in range(50)]
    assert all(0.6 <= one.sigma <= 3.0 and 0.5 <= one.power <= 2.0 for one in drawn)


def test_a_width_below_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="0 or more"):
        scattering_kernels([Scattering(-1.0, 1.0)], 3.0)
