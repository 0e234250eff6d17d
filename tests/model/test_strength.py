"""Bringing the change to the asked mu and sigma: exact within limits, bounded, silent where nothing was asked."""

import pytest
import torch

from gendeg.intensity.measure import Intensity
from gendeg.model.strength import WEAKEST, checked_evenness, evenness_of, meet_mu, spread
from gendeg.primitives.kinds import Degradation

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


SLOPE = torch.linspace(0.05, 0.75, 64).expand(1, 3, 64, 64)  # a change that grows over the picture
PHOTO = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 0.2 - 0.6  # all of it is seen through
SLOPED = Intensity(float(SLOPE.mean()) / 2, float(SLOPE.std(correction=0)) / 2)


def statistics(image: torch.Tensor) -> Intensity:
    change = (image - PHOTO).abs() / 2
    return Intensity(float(change.mean()), float(change.std(correction=0)))


@pytest.mark.parametrize("factor", [0.8, 1.0, 1.2])
@pytest.mark.parametrize("most", [1.0, 1.5])
def test_sigma_is_met_and_there_is_as_much_change(factor, most):
    asked = Intensity(SLOPED.mu, SLOPED.sigma * factor)
    laid = spread(PHOTO, PHOTO + SLOPE, [asked], [0.5], most)
    assert statistics(laid) == pytest.approx(asked, rel=0.03)


def test_a_large_image_is_laid_as_its_small_one_is():
    """Where a change is and is not, at eight times the side."""
    slope = torch.linspace(0.05, 0.75, 64) * (torch.arange(64) % 16 < 12)
    small = slope.expand(1, 3, 64, 64)
    large = small.repeat_interleave(8, 2).repeat_interleave(8, 3)[..., 3:, :-5]
    asked = Intensity(float(small.mean()) / 2, float(small.std(correction=0)) / 2 * 1.1)
    few = spread(torch.zeros_like(small), small, [asked], [0.6], 1.0)
    many = spread(torch.zeros_like(large), large, [asked], [0.6], 1.0)[..., 1::8, 4::8]
    few, small = (one[..., : many.shape[2], : many.shape[3]] for one in (few, small))
    assert float((many - few).abs().max()) < 0.005 and float((few - small).abs().max()) > 0.01


def test_sigma_is_that_of_what_is_brought_to_mu():
    """Half as strong a change has half the sigma."""
    asked = Intensity(SLOPED.mu / 2, SLOPED.sigma / 2)
    brought = meet_mu(PHOTO, spread(PHOTO, PHOTO + SLOPE, [asked], [0.5], 1.1), [asked.mu], 1.1)
    assert statistics(brought) == pytest.approx(asked, rel=0.03)
    assert torch.allclose(brought, PHOTO + SLOPE / 2, atol=0.02)


def test_the_power_is_bounded_both_ways():
    narrow, wide = (
        statistics(spread(PHOTO, PHOTO + SLOPE, [Intensity(SLOPED.mu, sigma)], [0.2], 1.0)).sigma
        for sigma in (0.001, 0.4)
    )
    assert 0.7 * SLOPED.sigma < narrow < 0.95 * SLOPED.sigma and 1.05 * SLOPED.sigma < wide < 1.3 * SLOPED.sigma


@pytest.mark.parametrize(("asked", "power"), [((float("nan"), 0.1), 0.5), ((0.1, float("nan")), 0.5), ((0.1, 0.1), 0)])
def test_nothing_is_spread_of_which_no_sigma_is_asked_or_that_may_not_be(asked, power):
    degraded = PHOTO + SLOPE
    assert spread(PHOTO, degraded, [Intensity(*asked)], [power], 1.1) is degraded
    both = spread(PHOTO, degraded.repeat(2, 1, 1, 1), [Intensity(*asked), Intensity(0.2, 0.02)], [power, 0.5], 1.1)
    assert torch.equal(both[:1], degraded) and not torch.equal(both[1:], degraded)
    assert torch.equal(both[1:], spread(PHOTO, degraded, [Intensity(0.2, 0.02)], [0.5], 1.1)), "alone as in a batch"


def test_a_photo_without_a_change_stays_and_nan_is_no_image():
    assert torch.equal(spread(PHOTO, PHOTO, [Intensity(0.1, 0.1)], [0.5], 1.1), PHOTO)
    lost = PHOTO + SLOPE
    lost[0, 0, 3, 3] = float("nan")
    assert spread(PHOTO, lost, [Intensity(0.1, 0.1)], [0.5], 1.1).isnan().any()


def test_a_mix_goes_no_further_than_its_members():
    most = {"haze": 0.6, "rain": 0.3}
    rain, haze, blur = Degradation.RAIN, Degradation.HAZE, Degradation.MOTION_BLUR
    assert [evenness_of(most, mix) for mix in ((haze,), (rain, haze), (blur, haze), ())] == [0.6, 0.3, 0.0, 0.0]
    for wrong in ({"hail": 0.1}, {"haze": -0.1}, {"haze": 1.1}):
        with pytest.raises(ValueError, match="evenness"):
            checked_evenness(wrong)


def test_what_is_opaque_is_gathered_no_further():
    """A patch that hides the photo, and a faint veil elsewhere: the patch stays in its colour for any sigma."""
    patch = torch.zeros(1, 1, 64, 64)
    patch[..., 16:40, 16:40] = 1
    change = patch * (0.4 - PHOTO) + (1 - patch) * 0.3 * (0.4 - PHOTO)
    asked = statistics(PHOTO + change)
    most = spread(PHOTO, PHOTO + change, [Intensity(asked.mu, 2 * asked.sigma)], [1.0], 1.1)
    inside = most[..., 24:32, 24:32]  # where a neighbourhood is all patch
    assert float(inside.max()) < 0.4 + 0.15 * (0.4 - float(PHOTO.min()))
    assert statistics(most).sigma > 1.02 * asked.sigma


def test_what_is_opaque_is_not_scaled_beyond_its_colour():
    """Half of a picture hidden, and a veil that gathering takes from the rest: a higher power would need 1.12."""
    half = torch.zeros(1, 1, 64, 64)
    half[..., :32] = 1
    change = half * (0.4 - PHOTO) + (1 - half) * 0.3 * (0.4 - PHOTO)
    asked = statistics(PHOTO + change)
    most = spread(PHOTO, PHOTO + change, [Intensity(asked.mu, 2 * asked.sigma)], [1.0], 1.1)
    assert float(most[..., 8:24].max()) < 0.4 + 0.106 * (0.4 - float(PHOTO.min()))


def test_a_power_that_loses_mu_by_clamping_is_not_taken():
    bright = PHOTO + 0.6
    change = 0.8 * SLOPE
    asked = Intensity(float(change.mean()) / 2, float(change.std(correction=0)) / 2)
    laid = meet_mu(bright, spread(bright, bright + change, [asked], [1.0], 1.1), [asked.mu], 1.1, bright + change)
    plain = meet_mu(bright, bright + change, [asked.mu], 1.1)
    found = [float((one - bright).abs().mean()) for one in (laid, plain)]
    assert found[0] > 0.985 * found[1]
    more = spread(bright, bright + change, [Intensity(asked.mu, 1.6 * asked.sigma)], [1.0], 1.0)  # most of it at white
    white = bright + 0.2
    laid = spread(white, white + 1.1 * change, [Intensity(1.1 * asked.mu, 2 * asked.sigma)], [1.0], 1.0)
    for one, photo, much in ((more, bright, change), (laid, white, 1.1 * change)):
        kept = ((photo + much).clamp(-1, 1) - photo).abs().mean()
        assert float((one - photo).abs().mean()) > 0.985 * float(kept)


def test_the_limits_are_those_of_what_was_made():
    """Not of what was spread and strengthened, of which a second gain would be one too many."""
    made, asked = PHOTO + SLOPE, Intensity(3 * SLOPED.mu, SLOPED.sigma)
    laid = meet_mu(PHOTO, spread(PHOTO, made, [asked], [0.3], 1.1), [asked.mu], 1.1, made)
    assert statistics(laid).mu == pytest.approx(1.1 * SLOPED.mu, rel=0.02)
    weak = Intensity(0.01 * SLOPED.mu, SLOPED.sigma)
    laid = meet_mu(PHOTO, spread(PHOTO, made, [weak], [0.3], 1.1), [weak.mu], 1.1, made)
    assert statistics(laid).mu == pytest.approx(WEAKEST * SLOPED.mu, rel=0.02)
