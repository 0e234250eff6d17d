"""A distilled model as a model: it samples in its own steps, one pass each, and refuses what is not taught."""

from pathlib import Path

import pytest
import torch
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler

from gendeg.model.generate import Generator
from gendeg.model.guidance import FULL
from gendeg.model.pipeline import GenDegPipeline
from gendeg.model.samplers import DistilledScheduler, Taught
from gendeg.model.schedulers import noise_process
from gendeg.model.settings import Settings, choose_sampler, settings_of
from gendeg.model.weights import as_student, load_pipeline, model_sha256
from gendeg.primitives.errors import BadOption
from gendeg.primitives.kinds import Degradation
from tests.tiny import clean_image, generators, make_scheduler, tiny_pipeline, tiny_stable_diffusion

ASK = (["a photo, in hazy conditions"] * 2, [0.1, 0.2], [0.1, 0.1])


def student(teacher: GenDegPipeline, steps: int = 2, scales: tuple[float, float] = (7.5, 1.5)) -> GenDegPipeline:
    """A student that has not learnt yet: its weights are the teacher's."""
    own = teacher.scheduler
    own.set_timesteps(steps)
    levels = [(int(t), float(own.alphas_cumprod[t])) for t in own.timesteps]
    return as_student(teacher, Taught(levels, *scales))


@pytest.fixture(scope="module")
def model() -> GenDegPipeline:
    return student(tiny_stable_diffusion())


@pytest.mark.parametrize("kind", ["epsilon", "sample", "v_prediction"])
def test_over_the_levels_of_ddim_it_is_ddim(kind: str) -> None:
    teacher = tiny_pipeline(structure=False)
    teacher.scheduler = make_scheduler(kind)
    if kind == "epsilon":  # of pure noise the noise tells nothing
        teacher.scheduler = type(teacher.scheduler).from_config(
            {**teacher.scheduler.config, "rescale_betas_zero_snr": False}
        )
    teacher = teacher.with_parts(scheduler=teacher.scheduler, steps=4)
    taught = student(teacher, steps=4, scales=(1.0, 1.0))
    made = [one(clean_image(16, 24), *ASK, generators(0, 1)) for one in (teacher, taught)]
    torch.testing.assert_close(made[0], made[1], rtol=1e-3, atol=1e-3)


def test_a_step_is_one_pass_of_one_branch(model: GenDegPipeline) -> None:
    seen: list[int] = []
    hook = model.unet.register_forward_pre_hook(lambda unet, inputs: seen.append(len(inputs[0])))
    model(clean_image(16, 16), *ASK, generators(0, 1))
    hook.remove()
    assert seen == [2, 2], "two samples in each of two passes"


def test_who_asks_for_the_passes_does_not_disturb_who_samples(model: GenDegPipeline) -> None:
    """A build's writers ask for a record's settings while the next batch is sampled."""
    plain = model(clean_image(16, 16), *ASK, generators(0, 1))
    hook = model.unet.register_forward_pre_hook(lambda *_: model.passes(2, [FULL]) and None)
    disturbed = model(clean_image(16, 16), *ASK, generators(0, 1))
    hook.remove()
    assert torch.equal(plain, disturbed)


@pytest.mark.parametrize("level", [0.1, 0.0])
def test_a_student_begins_as_high_for_all(level: float) -> None:
    teacher = tiny_pipeline(structure=False).with_parts(sketch=0.2, sketch_levels={"haze": level})
    assert student(teacher).level_of((Degradation.HAZE,)) == student(teacher).highest == 0.2


def test_its_folder_is_the_model(model: GenDegPipeline, tmp_path: Path) -> None:
    model.save_pretrained(tmp_path / "student")
    again = load_pipeline(str(tmp_path / "student"))
    assert model_sha256(again) == model_sha256(model) != model_sha256(tiny_stable_diffusion())
    assert isinstance(again.scheduler, DistilledScheduler) and again.config.guidance_built_in
    assert settings_of(again) == Settings(2, 7.5, 1.5, True, passes=2), "what it was taught, for records"
    made = [one(clean_image(16, 16), *ASK, generators(0, 1)) for one in (model, again)]
    assert torch.equal(*made)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"steps": 3}, "--steps: this model was distilled with 2, not 3"),
        ({"guidance_text": 5.0}, "--guidance-text: this model was distilled with 7.5, not 5"),
        ({"guidance_image": 1.0}, "--guidance-image"),
        ({"guidance_text": float("nan")}, "--guidance-text"),
    ],
)
def test_what_it_was_not_taught_is_refused(model: GenDegPipeline, asked: dict[str, float], says: str) -> None:
    with pytest.raises(BadOption, match=says):
        settings_of(model, **asked)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=says):
        model(clean_image(16, 16), *ASK, generators(0, 1), **asked)  # type: ignore[arg-type]


def test_what_it_was_taught_may_be_asked(model: GenDegPipeline) -> None:
    settings = settings_of(model, 2, 7.5, 1.5)
    assert Generator(model, settings).settings == settings


def test_no_other_way_of_sampling(model: GenDegPipeline) -> None:
    choose_sampler(model, "own")
    with pytest.raises(BadOption, match="distilled"):
        choose_sampler(model, "paper")
    other = DPMSolverMultistepScheduler.from_config(tiny_stable_diffusion().scheduler.config)
    with pytest.raises(ValueError, match="the scheduler that came with it"):
        noise_process(other, model.scheduler)
    with pytest.raises(ValueError, match="distilled to 2 steps, not 3"):
        model.scheduler.set_timesteps(3)
