"""diffusers' schedulers: each that is said to work gives the asked mu with any prediction; all others are refused."""

import diffusers
import pytest
import torch

from gendeg.model import samplers
from gendeg.model.pipeline import GenDegPipeline
from gendeg.model.samplers import LDM_SCHEDULE, ContinuousEulerAncestralScheduler
from gendeg.model.schedulers import NOISE_ONLY, SECOND_ORDER, WORKING, known_levels, level_at, noise_process
from tests.tiny import clean_image, generators, make_scheduler, tiny_pipeline

REFUSED = ["PNDMScheduler", "EDMEulerScheduler", "IPNDMScheduler", "LCMScheduler"]
DEVIATION = 0.3


def scheduler_class(name: str) -> type:
    return getattr(samplers if name.startswith("Continuous") else diffusers, name)


def trained(kind: str, zero: bool) -> diffusers.DDIMScheduler | ContinuousEulerAncestralScheduler:
    """The bundled model's noise levels (the last one without signal), or Stable Diffusion's."""
    return (
        make_scheduler(kind) if zero else ContinuousEulerAncestralScheduler(**LDM_SCHEDULE | {"prediction_type": kind})
    )


def perfect(seen: torch.Tensor, signal: float, kind: str) -> torch.Tensor:
    """What the best network says whose images are noise of `DEVIATION`: the mean of what may lie behind its input."""
    root, rest = signal**0.5, max(1 - signal, 1e-12) ** 0.5
    image = root * DEVIATION**2 / (signal * DEVIATION**2 + rest**2) * seen
    noise = (seen - root * image) / rest
    return {"sample": image, "epsilon": noise, "v_prediction": root * noise - rest * image}[kind]


def deviation_made(name: str, kind: str, zero: bool, steps: int = 40) -> float:
    """Of what a scheduler makes with the perfect network; `DEVIATION` times 1 where it does all right."""
    own = trained(kind, zero)
    process = noise_process(scheduler_class(name).from_config(own.config), own)
    process.scheduler.set_timesteps(steps)
    generator = torch.Generator().manual_seed(0)
    sample = torch.randn(1, 4, 48, 48, generator=generator) * process.scheduler.init_noise_sigma
    for timestep in process.scheduler.timesteps:
        seen = process.scale_model_input(sample, timestep)
        said = perfect(seen, level_at(known_levels(own), float(timestep)), kind)
        sample = process.step(said, timestep, sample, {"generator": generator})
    return float(sample.std())


@pytest.mark.parametrize("zero", [True, False], ids=["to zero signal", "as Stable Diffusion"])
@pytest.mark.parametrize("kind", ["sample", "epsilon", "v_prediction"])
@pytest.mark.parametrize("name", WORKING)
def test_it_makes_images_as_strong_as_those_that_were_learnt(name, kind, zero):
    if zero and name in SECOND_ORDER:
        with pytest.raises(ValueError, match=f"{name} does not walk"):
            deviation_made(name, kind, zero)
        return
    if zero and kind == "epsilon":
        pytest.skip("of pure noise the noise tells nothing: no such model can be trained")
    assert deviation_made(name, kind, zero) == pytest.approx(DEVIATION, rel=0.3)


def test_all_that_diffusers_lists_as_compatible_works_or_is_refused():
    for own in (trained("sample", True), trained("epsilon", False)):
        listed = {kind.__name__ for kind in own.compatibles}
        assert listed <= {*WORKING, *REFUSED, "DPMSolverSDEScheduler"}, "the last one needs torchsde"
        assert set(NOISE_ONLY) < listed


@pytest.mark.parametrize("name", [*REFUSED, *SECOND_ORDER])
def test_a_wrong_one_is_refused_and_those_that_work_are_named(name):
    pipeline = tiny_pipeline()
    pipeline.scheduler = scheduler_class(name).from_config(pipeline.scheduler.config)
    with pytest.raises(
        ValueError, match=f"{name} does not walk .*choose from DDIMScheduler, .*UniPCMultistepScheduler"
    ):
        pipeline(clean_image(8, 8), ["a"], [0.1], [0.1], generators(1), steps=2)


@pytest.mark.parametrize("name", ["EulerDiscreteScheduler", "DDIMScheduler", "LMSDiscreteScheduler"])
def test_one_that_was_made_without_the_models_configuration_walks_its_levels_all_the_same(name):
    """Its defaults are other levels, and a network that says the noise."""
    own = trained("sample", True)
    process = noise_process(scheduler_class(name)(), own)
    assert torch.allclose(process.scheduler.alphas_cumprod.double(), known_levels(own), rtol=1e-3, atol=1e-6)
    assert process.hears_noise


def test_latents_are_not_clipped_and_sampling_starts_where_there_is_no_signal():
    """Defaults of diffusers for pixels, and for models that never saw pure noise."""
    bare = noise_process(diffusers.DDIMScheduler(prediction_type="sample"), trained("sample", True)).scheduler
    bare.set_timesteps(4)
    assert not bare.config.clip_sample and bare.timesteps.tolist() == [999, 749, 499, 249]
    own = trained("epsilon", False)
    assert diffusers.DDIMScheduler.from_config(own.config).config.clip_sample, "so it is made"
    assert not noise_process(diffusers.DDIMScheduler.from_config(own.config), own).scheduler.config.clip_sample


def test_the_models_own_scheduler_is_used_as_it_is():
    for own in (trained("sample", True), trained("epsilon", False)):
        process = noise_process(own, own)
        assert process.scheduler is own and not process.hears_noise


def test_levels_between_timesteps():
    levels = torch.tensor([0.9, 0.1], dtype=torch.float64)
    assert level_at(levels, 0) == pytest.approx(0.9) and level_at(levels, 1.0) == pytest.approx(0.1)
    assert level_at(levels, 0.5) == pytest.approx(0.5), "noise / signal 1/9 and 9: in the middle 1"


def test_a_pipeline_of_the_components_of_another_keeps_its_numbers():
    pipeline = tiny_pipeline()
    pipeline.register_to_config(steps=2, residual_decoding=True, guidance_text=3.0, strength_gain=1.1)
    again = GenDegPipeline(**pipeline.components)
    again.set_progress_bar_config(disable=True)
    names = [name for name in pipeline.config if not name.startswith("_")]
    assert {n: again.config[n] for n in names} == {n: pipeline.config[n] for n in names}
    one, other = (p(clean_image(8, 8), ["a"], [0.1], [0.1], generators(1)) for p in (pipeline, again))
    assert torch.equal(one, other)
