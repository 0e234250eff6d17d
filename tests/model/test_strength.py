"""Bringing the change to the asked mu and sigma: exact within limits, bounded, silent where nothing was asked."""

import pytest
import torch

from gendeg.model.strength import DARKEST, PIXELS, SHARPEST, WEAKEST, Target, meet, meet_exposure, meet_mu, meet_sigma

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


def soft_flakes(height: int = 48, width: int = 64) -> tuple[torch.Tensor, torch.Tensor]:
    """A photo, and the same under round soft flakes and a faint veil."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    clean = (torch.stack([x / width, y / height, (x + y) / (width + height)])[None] - 0.7).clamp(-1, 1)
    flakes = 0.05 + 0.5 * (torch.sin(x / 3) * torch.sin(y / 4)).clamp(min=0) ** 2
    return clean, (clean + flakes * torch.tensor([0.9, 1.0, 1.1])[:, None, None]).clamp(-1, 1)


def statistics(clean: torch.Tensor, image: torch.Tensor) -> tuple[float, float]:
    change = (image - clean).abs() / 2
    return float(change.mean()), float(change.std(correction=0))


@pytest.mark.parametrize("size", [(48, 64), (300, 400)])  # the larger one finds its power from a part of the pixels
def test_sigma_is_met_and_mu_kept(size):
    clean, degraded = soft_flakes(*size)
    mu, sigma = statistics(clean, degraded)
    assert (size[0] * size[1] > PIXELS) == (size[0] > 48)
    spread = meet_sigma(clean, degraded, [1.2 * sigma])
    assert statistics(clean, spread) == pytest.approx((mu, 1.2 * sigma), rel=0.01)


def test_strong_parts_gain_weak_ones_lose_and_colours_stay():
    clean, degraded = soft_flakes()
    before, after = degraded - clean, meet_sigma(clean, degraded, [1.2 * statistics(clean, degraded)[1]]) - clean
    weakest, strongest = before.mean(1).argmin(), before.mean(1).argmax()
    assert after.mean(1).flatten()[weakest] < before.mean(1).flatten()[weakest]
    assert after.mean(1).flatten()[strongest] > before.mean(1).flatten()[strongest]
    unclamped = (clean + after).abs().amax(1, keepdim=True) < 1
    assert torch.allclose((after / after[:, 1:2] - before / before[:, 1:2]) * unclamped, torch.zeros(()), atol=1e-4)


def test_the_power_is_bounded_and_the_result_an_image():
    clean, degraded = soft_flakes()
    most = meet_sigma(clean, degraded, [10.0])
    assert torch.equal(most, meet_sigma(clean, degraded, [20.0])) and most.abs().max() <= 1
    change, change_most = (image - clean for image in (degraded, most))
    inside = (most.abs().amax(1) < 1).expand(1, -1, -1)
    ratio = torch.log(change_most.mean(1)[inside]) - SHARPEST * torch.log(change.mean(1)[inside])
    assert float(ratio.std()) < 1e-3


def test_a_mean_that_saturation_takes_is_brought_back():
    clean, degraded = soft_flakes()
    bright = clean + 0.6  # flakes saturate
    shown = (degraded + 0.6).clamp(-1, 1)
    mu, sigma = statistics(bright, shown)
    spread = meet_sigma(bright, shown, [1.1 * sigma])
    assert (spread == 1).any() and statistics(bright, spread)[0] == pytest.approx(mu, rel=0.02)


@pytest.mark.parametrize("sigma", [float("nan"), 0.0, 0.01])
def test_a_sigma_that_is_there_or_was_not_asked_changes_nothing(sigma):
    clean, degraded = soft_flakes()
    assert meet_sigma(clean, degraded, [sigma]) is degraded


def test_an_even_change_has_nothing_to_spread():
    assert torch.allclose(meet_sigma(CLEAN, CLEAN + 0.1, [0.2]), CLEAN + 0.1, atol=1e-6)
    assert torch.equal(meet_sigma(CLEAN, CLEAN, [0.2]), CLEAN)


def test_one_changed_pixel_of_a_large_photo_breaks_nothing():
    clean = torch.zeros(1, 3, 600, 600)
    degraded = clean.clone()
    degraded[..., 301, 299] = 0.5
    assert torch.allclose(meet_sigma(clean, degraded, [0.2]), degraded, atol=1e-6)


def test_what_is_no_number_stays_none():
    assert meet_sigma(CLEAN, CLEAN * float("nan"), [0.2]).isnan().all()


@pytest.mark.parametrize("size", [(48, 64), (300, 400)])
@pytest.mark.parametrize("asked", [0.11, 0.16, 0.2])
def test_a_shorter_exposure_meets_mu_and_is_one_gain_of_light(size, asked):
    clean, _ = soft_flakes(*size)
    light = ((clean + 1) / 2) ** 2.2
    result = meet_exposure(clean, (0.5 * light) ** (1 / 2.2) * 2 - 1, [asked])
    assert statistics(clean, result)[0] == pytest.approx(asked, rel=0.02)
    gain = (((result + 1) / 2) ** 2.2 / light)[light > 1e-4]
    assert float(gain.std()) < 1e-3 and 0.05 < float(gain.mean()) < 0.5


def test_a_shorter_exposure_keeps_detail_where_a_gain_clips():
    clean, _ = soft_flakes()
    unit = (clean + 1) / 2
    dim = unit * (0.25 + 0.4 * unit) * 2 - 1
    asked = 0.95 * statistics(clean, -torch.ones_like(clean))[0]
    assert (meet_mu(clean, dim, [asked], most=4.0) > -1).float().mean() < 0.9
    exposed = meet_exposure(clean, dim, [asked])
    assert torch.equal(exposed > -1, clean > -1)
    assert statistics(clean, exposed)[0] == pytest.approx(asked, rel=0.02)


def test_the_exposure_is_bounded_and_leaves_what_is_brighter():
    clean, _ = soft_flakes()
    degraded = torch.where(clean > 0, clean * 0.8 + 0.2, (clean + 1) * 0.9 - 1)
    most = meet_exposure(clean, degraded, [0.9])
    assert torch.equal(most[clean > 0], degraded[clean > 0])
    kept = (most + 1) / (clean + 1).clamp(min=1e-6)
    assert torch.allclose(kept[(clean <= 0) & (clean > -0.99)], torch.tensor(0.9**DARKEST), atol=1e-4)


@pytest.mark.parametrize("mu", [float("nan"), 0.0, 0.01])
def test_an_exposure_that_is_short_enough_stays(mu):
    clean, degraded = soft_flakes()
    assert meet_exposure(clean, degraded, [mu]) is degraded


def test_a_target_of_nothing_or_no_gain_changes_nothing():
    clean, degraded = soft_flakes()
    assert meet(clean, degraded, [Target()], most=2.0) is degraded
    assert meet(clean, degraded, [Target(mu=0.6, exposure=True)], most=1.0) is degraded
