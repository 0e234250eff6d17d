"""Bringing the change to the asked mu: exact within limits, bounded, silent where nothing was asked."""

import pytest
import torch

from gendeg.model.strength import WEAKEST, meet_mu

CLEAN = torch.linspace(-0.5, 0.5, 3 * 8 * 8).reshape(1, 3, 8, 8)


def mu_of(image: torch.Tensor) -> float:
    return float((image - CLEAN).abs().mean()) / 2


@pytest.mark.parametrize(("made", "asked"), [(0.1, 0.12), (0.1, 0.06), (0.1, 0.1), (0.2, 0.05)])
def test_mu_is_met_and_the_kind_of_change_kept(made, asked):
    pattern = torch.randn(CLEAN.shape, generator=torch.Generator().manual_seed(0)).clamp(-1, 1)
    degraded = CLEAN + pattern * (2 * made / float(pattern.abs().mean())) * 0.5
    made = mu_of(degraded)
    result = meet_mu(CLEAN, degraded, [asked], most=4.0)
    factor = ((result - CLEAN) / (degraded - CLEAN))[(result.abs() < 1) & (degraded != CLEAN)]
    assert factor.std() < 1e-4 and float(factor.mean()) == pytest.approx(asked / made, rel=1e-3)


def test_the_factor_is_bounded_both_ways():
    degraded = CLEAN + 0.1
    assert mu_of(meet_mu(CLEAN, degraded, [0.4], most=1.5)) == pytest.approx(0.075)
    assert mu_of(meet_mu(CLEAN, degraded, [0.0], most=1.5)) == pytest.approx(0.05 * WEAKEST)


@pytest.mark.parametrize(("mu", "most"), [(float("nan"), 2.0), (0.3, 1.0)])
def test_nothing_asked_or_switched_off(mu, most):
    degraded = CLEAN * 0.5
    assert meet_mu(CLEAN, degraded, [mu], most) is degraded


def test_no_change_at_all_stays_one():
    assert torch.equal(meet_mu(CLEAN, CLEAN, [0.2], 2.0), CLEAN)


def test_the_result_is_an_image():
    assert meet_mu(CLEAN, -CLEAN * 2, [0.9], 3.0).abs().max() <= 1


@pytest.mark.parametrize("mu", [float("nan"), 0.3])
def test_each_of_a_batch_is_brought_to_its_own(mu):
    degraded = torch.cat([CLEAN + 0.1, CLEAN + 0.2])
    made = meet_mu(CLEAN, degraded, [mu, 0.06], most=1.5)
    assert torch.equal(made[:1], meet_mu(CLEAN, degraded[:1], [mu], most=1.5))
    assert mu_of(made[1:]) == pytest.approx(0.06)
