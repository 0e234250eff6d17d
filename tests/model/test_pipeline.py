"""The pipeline: any size, any scheduler, any batch, no wasted pass, and the same again after saving."""

import diffusers
import pytest
import torch

from gendeg.intensity.ask import Ask
from gendeg.model import samplers
from gendeg.model.latents import decode, encode
from gendeg.model.pipeline import GenDegPipeline
from gendeg.model.settings import settings_of
from gendeg.primitives.kinds import Degradation, Mix
from tests.tiny import clean_image, generators, tiny_pipeline, tiny_stable_diffusion

LEVEL = 2 / 255  # one grey level in signed range
SCHEDULERS = ["DDIM", "ContinuousEulerAncestral", "DPMSolverMultistep", "EulerDiscrete", "UniPCMultistep", "DDPM"]


def scheduler_class(name: str) -> type:
    """One of diffusers, or ours (its own Euler ancestral scheduler does not take sample prediction)."""
    return getattr(samplers if name.startswith("Continuous") else diffusers, f"{name}Scheduler")


RAIN, SNOW, HAZE, DARK = Degradation.RAIN, Degradation.SNOW, Degradation.HAZE, Degradation.LOW_LIGHT


def ask(mix: Mix, mu: float = 0.1, sigma: float = 0.1) -> Ask:
    return Ask(mix, "", "", 0.5, mu, sigma, "")


def sample(pipeline: GenDegPipeline, image: torch.Tensor, seeds: list[int], **options) -> torch.Tensor:
    """One sample per seed; what it is told depends on its seed alone."""
    return pipeline(
        image,
        [f"photo {seed}, in hazy conditions" for seed in seeds],
        [0.05 * seed for seed in seeds],
        [0.03 * seed for seed in seeds],
        generators(*seeds),
        **options,
    )


@pytest.mark.parametrize("size", [(1, 1), (7, 5), (33, 50)])
@pytest.mark.parametrize("make", [tiny_pipeline, tiny_stable_diffusion])
def test_any_size_comes_back_at_its_size(make, size):
    out = sample(make(), clean_image(*size), [1, 2], steps=2)
    assert out.shape == (2, 3, *size) and out.dtype == torch.float32
    assert out.isfinite().all() and out.abs().max() <= 1


@pytest.mark.parametrize("name", SCHEDULERS)
@pytest.mark.parametrize("make", [tiny_pipeline, tiny_stable_diffusion])
def test_every_scheduler_samples(make, name):
    pipeline = make()
    pipeline.scheduler = scheduler_class(name).from_config(pipeline.scheduler.config)
    first, again = (sample(pipeline, clean_image(8, 12), [1, 2], steps=4) for _ in range(2))
    assert first.isfinite().all() and torch.equal(first, again)
    assert (first[0] - first[1]).abs().max() > LEVEL


@pytest.mark.parametrize("name", ["DDIM", "ContinuousEulerAncestral", "DDPM"])
@pytest.mark.parametrize("make", [tiny_pipeline, tiny_stable_diffusion])
def test_a_sample_does_not_depend_on_its_batch(make, name):
    pipeline = make()
    pipeline.scheduler = scheduler_class(name).from_config(pipeline.scheduler.config)
    together = sample(pipeline, clean_image(8, 12), [1, 2, 3, 4], guidance_text=3.0, guidance_image=1.5)
    for row, seed in enumerate([1, 2, 3, 4]):
        alone = sample(pipeline, clean_image(8, 12), [seed], guidance_text=3.0, guidance_image=1.5)
        assert (alone[0] - together[row]).abs().max() <= LEVEL


@pytest.mark.parametrize(("text", "image", "passes"), [(1.0, 1.0, 1), (3.0, 3.0, 2), (3.0, 1.0, 2), (3.0, 1.5, 3)])
def test_a_vanishing_branch_is_not_computed(text, image, passes):
    """All others go through the UNet in one call."""
    pipeline, calls = tiny_pipeline(), []
    pipeline.unet.register_forward_hook(lambda _module, args, _said: calls.append(len(args[0])))
    sample(pipeline, clean_image(8, 8), [1, 2], steps=3, guidance_text=text, guidance_image=image)
    assert calls == [2 * passes] * 3
    assert settings_of(pipeline, 3, text, image).passes == 3 * passes


def test_there_is_guidance_only_within_the_interval():
    """Of noise / signal; outside is the full pass, as with scales of 1."""
    pipeline, calls, args = tiny_stable_diffusion(), [], {"guidance_text": 3.0, "guidance_image": 1.5, "steps": 6}
    pipeline.unet.register_forward_hook(lambda _module, args, _said: calls.append(len(args[0])))
    everywhere = sample(pipeline, clean_image(8, 8), [1], **args)
    process = pipeline.noise_process(6)
    levels = [process.noise_at(timestep) for timestep in process.scheduler.timesteps]
    assert levels == sorted(levels, reverse=True)
    pipeline.register_to_config(guidance_interval=[levels[3], levels[1]])
    within, counts = sample(pipeline, clean_image(8, 8), [1], **args), calls[6:]
    assert calls[:6] == [3] * 6 and counts == [1, 3, 3, 3, 1, 1]
    assert settings_of(pipeline, 6, 3.0, 1.5).passes == sum(counts) and not torch.equal(everywhere, within)
    pipeline.register_to_config(guidance_interval=[1e6, 1e7])
    nowhere = sample(pipeline, clean_image(8, 8), [1], **args)
    assert torch.equal(
        nowhere, sample(pipeline, clean_image(8, 8), [1], **args | {"guidance_text": 1.0, "guidance_image": 1.0})
    )


def test_branches_see_what_their_name_says():
    """Without image the clean half is zero; without text the context is that of the empty prompt and null bins."""
    pipeline, seen = tiny_pipeline(), []

    def look(_module, args, kwargs):
        parts = (args[0][:, 4:], kwargs["encoder_hidden_states"], kwargs["class_labels"])
        seen.extend(zip(*(part.chunk(3) for part in parts), strict=True))

    pipeline.unet.register_forward_pre_hook(look, with_kwargs=True)
    sample(pipeline, clean_image(8, 8), [1, 2], steps=1, guidance_text=3.0, guidance_image=1.5)
    null = pipeline.encode_prompt([""], [float("nan")], [float("nan")])
    (full_image, full, _), (image_image, text, vector), (no_image, text_again, _) = seen
    assert full_image.any() and image_image.any() and not no_image.any()
    torch.testing.assert_close(text, null.context.expand(2, -1, -1))
    torch.testing.assert_close(vector, null.vector.expand(2, -1))
    assert torch.equal(text, text_again) and not torch.allclose(full, text)


@pytest.mark.parametrize("make", [tiny_pipeline, tiny_stable_diffusion])
def test_saved_and_loaded_it_is_the_same(make, tmp_path):
    pipeline = make()
    pipeline.save_pretrained(tmp_path)
    assert not [path for path in tmp_path.rglob("*") if path.suffix in (".bin", ".ckpt", ".pt")]
    loaded = GenDegPipeline.from_pretrained(tmp_path, local_files_only=True)
    loaded.set_progress_bar_config(disable=True)
    assert (loaded.structure is None) == (pipeline.structure is None)
    for name, part in pipeline.components.items():
        if isinstance(part, torch.nn.Module):
            again = loaded.components[name].state_dict()
            assert list(again) == list(part.state_dict())
            assert all(torch.equal(tensor, again[key]) for key, tensor in part.state_dict().items())
    saved = {k: v for k, v in pipeline.config.items() if k[0] != "_"}
    assert {k: v for k, v in loaded.config.items() if k[0] != "_" and k in saved}.keys() == saved.keys()
    assert loaded.config.steps == 3 and loaded.config.structure_degradations == ["haze", "motion_blur", "raindrop"]
    image = clean_image(12, 10)
    assert torch.equal(sample(pipeline, image, [1, 2]), sample(loaded, image, [1, 2]))


def test_structure_correction_by_sample():
    pipeline, image = tiny_pipeline(), clean_image(16, 12)
    plain = sample(pipeline, image, [1, 2], structure_correction=False)
    both = sample(pipeline, image, [1, 2], structure_correction=True)
    mixed = sample(pipeline, image, [1, 2], structure_correction=[True, False])
    assert not torch.allclose(plain, both)
    assert torch.equal(mixed[0], both[0]) and torch.equal(mixed[1], plain[1])


def test_structure_correction_is_the_network_on_clean_and_generated():
    pipeline, image = tiny_pipeline(), clean_image(16, 12)
    plain = sample(pipeline, image, [1], structure_correction=False)
    with torch.no_grad():
        expected = pipeline.structure(image, plain).clamp(-1, 1)
    torch.testing.assert_close(sample(pipeline, image, [1]), expected)


def test_without_a_network_the_flag_means_nothing():
    pipeline, image = tiny_pipeline(structure=False), clean_image(8, 8)
    assert torch.equal(sample(pipeline, image, [1]), sample(pipeline, image, [1], structure_correction=False))


def test_a_shared_latent_changes_nothing():
    pipeline, image = tiny_pipeline(), clean_image(9, 14)
    assert torch.equal(sample(pipeline, image, [1, 2]), sample(pipeline, pipeline.encode_clean(image), [1, 2]))


@torch.no_grad()
def test_the_clean_latent_is_the_unscaled_mode():
    pipeline, image = tiny_stable_diffusion(), clean_image(16, 16)
    expected = pipeline.vae.encode(image).latent_dist.mode()
    torch.testing.assert_close(pipeline.encode_clean(image).latent, expected)


@torch.no_grad()
def test_one_ddim_step_by_hand():
    """From pure noise a v-prediction says −x0; the last step returns it, and decoding divides by the scale."""
    pipeline, image = tiny_stable_diffusion(), clean_image(16, 16)
    (noise,) = (torch.randn(1, 4, 8, 8, generator=g) for g in generators(5))
    read = pipeline.encode_prompt(["a dog"], [0.1], [0.2])
    both = torch.cat([noise, encode(pipeline.vae, image)], dim=1)
    x0 = -pipeline.unet(both, 999, encoder_hidden_states=read.context).sample
    expected = decode(pipeline.vae, x0 / 0.18215).clamp(-1, 1)
    got = pipeline(image, ["a dog"], [0.1], [0.2], generators(5), steps=1, guidance_text=1.0, guidance_image=1.0)
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_windows_change_nothing_away_from_their_edges():
    """The bundled autoencoder is convolutions only: cells that no window's edge can reach are the same both ways."""
    image = clean_image(64, 128)  # windows of 64 begin at columns 0, 32 and 64
    whole, tiled = tiny_pipeline(tile=512), tiny_pipeline(tile=64)
    a, b = whole.encode_clean(image), tiled.encode_clean(image)
    far = [*range(8), 24, 40, *range(56, 64)]
    torch.testing.assert_close(b.latent[..., far], a.latent[..., far], rtol=1e-4, atol=1e-4)
    assert (a.latent - b.latent).abs().mean() < 0.05 * a.latent.abs().mean()
    scaled = a.latent * whole.vae.config.scaling_factor
    x, y = (p.decode_latents(scaled, a, structure_correction=False) for p in (whole, tiled))
    far = [*range(16), 48, 80, *range(112, 128)]
    torch.testing.assert_close(y[..., far], x[..., far], rtol=1e-4, atol=1e-4)
    assert (x - y).abs().mean() < 0.05 * x.abs().mean()


@pytest.mark.parametrize("tile", [1, 8, 15])
def test_a_large_image_in_small_windows(tile):
    pipeline = tiny_pipeline(tile=tile)
    out = sample(pipeline, clean_image(13, 18), [1, 2], steps=1, guidance_text=2.0, guidance_image=1.5)
    assert out.shape == (2, 3, 13, 18) and out.isfinite().all()


@pytest.mark.parametrize(
    "change",
    [
        {"prompts": []},
        {"mu": [0.1]},
        {"sigma": [0.1, 0.1, 0.1]},
        {"generators": generators(1)},
        {"mu": [0.1, 0.8]},
        {"sigma": [0.1, -0.1]},
        {"structure_correction": [True]},
    ],
)
def test_bad_arguments_are_refused(change):
    arguments = {"prompts": ["a", "b"], "mu": [0.1, 0.1], "sigma": [0.1, 0.1], "generators": generators(1, 2)}
    with pytest.raises(ValueError):
        tiny_pipeline()(clean_image(8, 8), **(arguments | change))


@pytest.mark.parametrize(
    ("image", "says"),
    [
        (clean_image(8, 8) * 127 + 128, "floats in .-1, 1., not torch.float32 up to .*image / 127.5 - 1"),
        ((clean_image(8, 8) * 127 + 128).byte(), "not torch.uint8 up to"),
        (clean_image(8, 8) * float("nan"), "up to nan"),
        (clean_image(8, 8).repeat(3, 1, 1, 1), "one photo a call, not 3"),
        (clean_image(8, 8)[0], "height, width., not .3, 8, 8."),
        (clean_image(8, 8).permute(0, 2, 3, 1), "not .1, 8, 8, 3."),
        (clean_image(8, 8).numpy(), "not ndarray"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_what_is_no_signed_photo_is_refused(image, says):
    with pytest.raises(ValueError, match=says):
        tiny_pipeline()(image, ["a"], [0.1], [0.1], generators(1))


def test_a_little_overshoot_is_taken():
    assert tiny_pipeline()(clean_image(8, 8) * 1.115, ["a"], [0.1], [0.1], generators(1)).abs().max() <= 1


def test_null_statistics_may_be_asked_for():
    nan = float("nan")
    out = tiny_pipeline()(clean_image(8, 8), ["a"], [nan], [nan], generators(1))
    assert out.isfinite().all()


def test_long_prompts_are_cut():
    pipeline = tiny_pipeline()
    with pytest.warns(UserWarning, match="the model reads 16 tokens, this prompt has .* was shortened"):
        long = pipeline.encode_prompt(["word " * 300], [0.1], [0.1])
    assert long.context.shape == (1, 16, 16)


@pytest.mark.parametrize("change_scale", [{}, {"rain": 4.0}])
def test_what_is_generated_leads_back_to_the_latent(change_scale):
    pipeline = tiny_pipeline()
    pipeline.register_to_config(change_scale=change_scale)
    degraded, clean = torch.randn(2, 3, 4, 5, 6)
    back = pipeline.from_generated(pipeline.to_generated(degraded, clean), clean)
    assert torch.allclose(back, degraded, atol=1e-6)


def test_no_change_generated_is_the_round_trip_of_the_photo():
    pipeline = tiny_pipeline(structure=False)
    pipeline.register_to_config(change_scale={"rain": 4.0})
    clean = pipeline.encode_clean(clean_image(16, 24))
    image = pipeline.decode_latents(torch.zeros_like(clean.latent), clean)
    assert torch.allclose(image, decode(pipeline.vae, clean.latent).clamp(-1, 1), atol=1e-6)


def residual(**options) -> GenDegPipeline:
    pipeline = tiny_pipeline(**options)
    pipeline.register_to_config(change_scale={"rain": 4.0}, residual_decoding=True)
    return pipeline


@torch.no_grad()
def test_no_change_decoded_onto_the_photo_is_the_photo():
    """What the autoencoder loses of it is not in what structure correction starts from."""
    pipeline, photo = residual(), clean_image(17, 23)
    clean = pipeline.encode_clean(photo)
    nothing = torch.zeros_like(clean.latent)
    image = pipeline.decode_latents(nothing, clean)
    expected = pipeline.structure(clean.image, clean.image)[..., :17, :23].clamp(-1, 1)
    assert torch.allclose(image, expected, atol=1e-5)
    lost = (decode(pipeline.vae, clean.latent)[..., :17, :23] - photo).abs().mean()
    assert lost > 10 * LEVEL, "this autoencoder does lose something"


@torch.no_grad()
def test_structure_correction_starts_from_the_photo_plus_the_decoded_change():
    pipeline, photo = residual(), clean_image(16, 24)
    clean = pipeline.encode_clean(photo)
    change = torch.randn(clean.latent.shape, generator=torch.Generator().manual_seed(5)) * 0.3
    image = pipeline.decode_latents(change, clean)
    decoded = [decode(pipeline.vae, latent) for latent in (pipeline.from_generated(change, clean.latent), clean.latent)]
    start = (photo + decoded[0] - decoded[1]).clamp(-1, 1)
    assert torch.allclose(image, pipeline.structure(photo, start).clamp(-1, 1), atol=1e-5)
    plain = pipeline.decode_latents(change, clean, structure_correction=False)
    assert torch.allclose(plain, decoded[0].clamp(-1, 1), atol=1e-5), "without correction: as it is decoded"


def test_residual_decoding_in_windows_and_after_saving(tmp_path):
    pipeline, image = residual(tile=64), clean_image(100, 72)
    pipeline.save_pretrained(tmp_path)
    loaded = GenDegPipeline.from_pretrained(tmp_path, local_files_only=True)
    assert loaded.config.residual_decoding is True
    first, again = (sample(one, image, [1], steps=2, degradations=["rain"]) for one in (pipeline, loaded))
    assert first.shape == image.shape and torch.equal(first, again)
