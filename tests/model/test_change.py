"""The change divided by its size: unit variance at every intensity, and back to the same latent."""

import math

import pytest
import torch

from gendeg.intensity.ask import Ask
from gendeg.intensity.direction import UNKNOWN, Direction
from gendeg.model.bundled import make_change_scheduler
from gendeg.model.change import LEAST_SIZE, change_sizes, fit_scale
from gendeg.model.generate import Generator, settle_direction
from gendeg.model.latents import as_veil, keep_detail, put_back
from gendeg.model.pipeline import GenDegPipeline
from gendeg.model.settings import settings_of
from gendeg.primitives.kinds import Degradation
from tests.tiny import clean_image, generators, tiny_pipeline

SCALES = {"rain": 5.0, "haze": 4.0}
PRIOR = {"rain": [[0.5, 0.1], [0.2, -0.4], [0.9, 0.0]]}


def change_pipeline() -> GenDegPipeline:
    pipeline = tiny_pipeline(structure=False)
    return pipeline.with_parts(scheduler=make_change_scheduler(), change_scale=SCALES, directions=PRIOR, steps=4)


def test_sizes_are_r_times_what_is_asked():
    sizes = change_sizes(SCALES, ["rain", "haze", "rain"], [0.03, 0.3, 0.0], [0.04, 0.4, 0.0])
    assert sizes.tolist() == pytest.approx([5 * 0.05, 4 * 0.5, 5 * LEAST_SIZE])


@pytest.mark.parametrize(
    ("names", "mu"), [(["fog"], [0.1]), ([], [0.1]), (["rain", "rain"], [0.1]), (["rain"], [math.nan])]
)
def test_what_has_no_size_is_refused(names, mu):
    with pytest.raises(ValueError, match="this model needs"):
        change_sizes(SCALES, names, mu, [0.1] * len(mu))


def test_the_fitted_scale_gives_unit_variance():
    torch.manual_seed(0)
    mu, sigma = [0.01, 0.05, 0.2], [0.02, 0.03, 0.1]
    changes = [7.0 * math.hypot(m, s) * torch.randn(8, 64, 64) for m, s in zip(mu, sigma, strict=True)]
    assert fit_scale(changes, mu, sigma) == pytest.approx(7.0, rel=0.02)
    with pytest.raises(ValueError, match="no pair"):
        fit_scale(changes, [0.0] * 3, [0.0] * 3)


def test_twice_the_statistics_are_twice_the_change():
    """A network that says the same makes a change in proportion to what is asked."""
    pipeline, photo = change_pipeline(), clean_image(16, 24)
    clean = pipeline.encode_clean(photo)
    generator = Generator(pipeline, settings_of(pipeline))
    ask = Ask((Degradation.RAIN,), "", "rain", 0.5, 0.1, 0.1, "", Direction(0.5, 0.0))
    settled = generator.settle([ask])
    pipeline.config.change_scale.update({"rain": 1.0})
    one = generator.generate(clean, settled, generators(3)).latents
    pipeline.config.change_scale.update({"rain": 2.0})
    two = generator.generate(clean, settled, generators(3)).latents
    assert torch.allclose(two, 2 * one)
    back = pipeline.from_generated(one, clean.latent)
    assert torch.allclose(pipeline.to_generated(back, clean.latent), one, atol=1e-5)


def test_a_pair_comes_back_from_its_normalised_change():
    pipeline = change_pipeline()
    degraded, clean = torch.randn(2, 2, 4, 6, 6)
    sizes = change_sizes(SCALES, ["rain", "haze"], [0.1, 0.2], [0.1, 0.1])[:, None, None, None]
    normalised = pipeline.to_generated(degraded, clean) / sizes
    assert torch.allclose(pipeline.from_generated(normalised * sizes, clean), degraded, atol=1e-5)


def test_the_last_call_is_at_little_noise_and_the_first_hides_the_mean():
    scheduler = make_change_scheduler()
    for steps in (8, 12, 16):
        scheduler.set_timesteps(steps)
        assert float(scheduler.sigmas[-2]) <= 0.031 and float(scheduler.sigmas[-1]) == 0
        assert float(scheduler.sigmas[0]) > 70 and len(scheduler.timesteps) == steps


def test_directions_are_asked_for_drawn_or_unknown(tmp_path):
    asked = Direction(0.3, 0.3)
    (generator,), rain = generators(0), PRIOR["rain"]
    assert settle_direction(rain, asked, generator) == asked
    assert math.isnan(settle_direction([], UNKNOWN, generator).cos)
    assert torch.equal(torch.rand(1, generator=generator), torch.rand(1, generator=generators(0)[0])), "not drawn from"
    told = settle_direction(rain, Direction.of(30.0), generator)
    assert told.degrees == pytest.approx(30) and 0.45 < told.coherence < 0.91, "as strong as a pair may have it"
    drawn = [settle_direction(rain, UNKNOWN, *generators(seed)) for seed in range(40)]
    assert set(drawn) == {Direction(*one) for one in rain}, "seeds have different directions"
    assert drawn[5] == settle_direction(rain, UNKNOWN, *generators(5))


def test_the_direction_reaches_the_image_and_is_saved(tmp_path):
    pipeline, photo = change_pipeline(), clean_image(16, 24)

    def image(model, **directions):
        return model(photo, ["rain"], [0.1], [0.1], generators(1), degradations=["rain"], **directions)

    left, right = (image(pipeline, directions=[Direction(0.0, s)]) for s in (-1.0, 1.0))
    assert not torch.allclose(left, right, atol=1e-3)
    pipeline.save_pretrained(tmp_path)
    loaded = GenDegPipeline.from_pretrained(tmp_path)
    loaded.set_progress_bar_config(disable=True)
    assert loaded.config.change_scale == SCALES and loaded.config.directions == PRIOR
    assert torch.allclose(image(loaded), image(pipeline), atol=1e-5)


def test_detail_is_kept_as_far_as_the_image_keeps_it():
    """The autoencoder here is a blur; of the photo's lost detail comes back what is left of it in each case."""
    torch.manual_seed(0)
    photo = torch.rand(1, 3, 48, 48) * 0.6 - 0.3
    blurred = torch.nn.functional.avg_pool2d(photo, 3, 1, 1, count_include_pad=False)
    lost = photo - blurred
    for gain in (1.0, 0.4, 0.1):
        kept = keep_detail(photo, gain * blurred, blurred) - gain * blurred
        assert float((kept * lost).sum() / (lost * lost).sum()) == pytest.approx(gain, abs=0.08 * gain)
    flat = torch.full_like(photo, 0.2)
    assert float((keep_detail(photo, flat, blurred) - flat).abs().max()) < 1e-6, "a veil or a flake hides it"
    assert torch.allclose(keep_detail(photo, blurred, blurred), photo, atol=0.05)


def test_a_veil_has_no_texture_of_its_own():
    """Of t · photo + (1 − t) · A comes back all, the photo's lost detail too; of a mottle upon it little."""
    torch.manual_seed(0)
    photo = torch.rand(1, 3, 64, 64) * 0.6 - 0.3
    blurred = torch.nn.functional.avg_pool2d(photo, 3, 1, 1, count_include_pad=False)
    thick = 0.4 + 0.3 * torch.linspace(-1, 1, 64).reshape(1, 1, 1, 64)
    air = torch.tensor([0.8, 0.7, 0.6]).reshape(1, 3, 1, 1)

    def hazed(one: torch.Tensor) -> torch.Tensor:
        return (1 - thick) * one + thick * air

    mottle = 0.05 * torch.nn.functional.avg_pool2d(torch.randn(1, 3, 64, 64), 5, 1, 2)
    veil = as_veil(photo, hazed(blurred), blurred, 17)
    assert float((veil - hazed(photo)).abs().mean()) < 0.01
    left = as_veil(photo, hazed(blurred) + mottle, blurred, 17) - veil
    assert float(left.std()) < 0.5 * float(mottle.std())
    flat = torch.full_like(photo, 0.1)
    assert torch.allclose(as_veil(flat, flat + 0.2, flat, 17), flat + 0.2, atol=1e-4)


@pytest.mark.parametrize("together", [False, True])  # as on a CPU, as on a GPU
def test_those_that_are_veils_are_made_so_and_no_others(together, monkeypatch):
    monkeypatch.setattr(GenDegPipeline, "together", together)
    pipeline = change_pipeline().with_parts(residual_decoding=True)
    clean = pipeline.encode_clean(clean_image(32, 48))
    latents = torch.randn((2, *clean.latent.shape[1:]), generator=torch.Generator().manual_seed(0))
    before = pipeline.decode_latents(latents, clean, degradations=["rain", "haze"])
    veiled = pipeline.with_parts(veils={"haze": 9}).decode_latents(latents, clean, degradations=["rain", "haze"])
    assert torch.allclose(veiled[0], before[0], atol=1e-5) and not torch.allclose(veiled[1], before[1], atol=1e-3)
    decoded = torch.randn(1, *clean.image.shape[1:])
    assert clean.decoded is not None
    assert torch.equal(put_back(clean, decoded, [9]), as_veil(clean.image, decoded, clean.decoded.float(), 9))


@pytest.mark.parametrize("veils", [{"haze": 8}, {"haze": 1}, {"hail": 9}, {"haze+rain": 9}])
def test_a_veil_is_a_known_mix_of_squares_around_a_pixel(veils):
    with pytest.raises(ValueError, match="veils"):
        change_pipeline().with_parts(veils=veils)
