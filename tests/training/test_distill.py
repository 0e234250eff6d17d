"""gendeg train distill: the teacher's way is the teacher's, its student an ordinary model, and asks that cannot be."""

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from gendeg.intensity.ask import Ask
from gendeg.intensity.direction import Direction
from gendeg.model.bundled import make_change_scheduler
from gendeg.model.generate import Generator, to_signed_tensor
from gendeg.model.pipeline import GenDegPipeline
from gendeg.model.samplers import LDM_SCHEDULE, ContinuousEulerAncestralScheduler
from gendeg.model.schedulers import noised
from gendeg.model.settings import settings_of
from gendeg.model.weights import load_pipeline, model_sha256
from gendeg.pairs.pair import open_pairs
from gendeg.primitives.errors import BadOption
from gendeg.primitives.kinds import parse_mix
from gendeg.training.batches import Batch, crops, encoded, make_batch
from gendeg.training.config import DiffusionConfig, DistillConfig, StructureConfig
from gendeg.training.diffusion import Denoiser, train_diffusion
from gendeg.training.distill import Loss, Teacher, make_student, make_teacher, train_distill
from gendeg.training.structure import train_structure
from tests.few_pairs import write_pairs
from tests.tiny import generators, tiny_pipeline, tiny_stable_diffusion

SETTINGS: dict[str, Any] = {
    "steps": 2, "batch_size": 2, "size": 16, "precision": "no", "log_every": 1, "sheet_every": 9, "sheet_photos": 1,
    "checkpoint_every": 1, "warmup": 0, "workers": 1, "tracker": "none", "cpu": True, "sample_steps": 2,
    "teacher_steps": 4,
}  # fmt: skip


def change_model() -> GenDegPipeline:
    """The bundled kind: v of a normalised change on Karras' levels, told directions, no guidance."""
    scales = {"haze": 4.0, "low_light": 4.0}
    return tiny_pipeline(structure=False).with_parts(scheduler=make_change_scheduler(), change_scale=scales, steps=6)


def sketch_model() -> GenDegPipeline:
    """The same, which begins with a simulator's draw."""
    return change_model().with_parts(sketch=1.0)


def published_model() -> GenDegPipeline:
    """Stable Diffusion's kind: ε, ancestral steps, three branches."""
    return tiny_stable_diffusion().with_parts(scheduler=ContinuousEulerAncestralScheduler(**LDM_SCHEDULE), steps=100)


def velocity_model() -> GenDegPipeline:
    """v down to pure noise, DDIM, three branches."""
    return tiny_stable_diffusion().with_parts(steps=4)


def sample_model() -> GenDegPipeline:
    """The latent itself is said, text guidance, calibrated."""
    curves = {"haze": {"mu": [[0.1, 0.2]], "sigma": [[0.1, 1.2]]}}
    return tiny_pipeline().with_parts(guidance_text=2.0, calibration=curves, steps=4)


KINDS = (change_model, sketch_model, published_model, velocity_model, sample_model)


@pytest.fixture
def given(tmp_path: Path) -> dict[str, Any]:
    torch.set_num_threads(1)
    pairs = (write_pairs(tmp_path / "pairs", count=4),)
    return SETTINGS | {"pairs": pairs, "out": tmp_path / "run", "model": str(tmp_path / "teacher")}


def prepared(given: dict[str, Any], model: GenDegPipeline, **changes: Any) -> tuple[Teacher, Batch, DistillConfig]:
    """A teacher, a batch of two crops for it."""
    model.save_pretrained(given["model"])
    config = DistillConfig(**given | changes)
    teacher, pairs = make_teacher(config), open_pairs(config.pairs, "train")
    teacher.prepare(torch.device("cpu"), False)
    views = crops(lambda number: number, pairs, config)
    return teacher, encoded(make_batch([0, 1], views, teacher.pipeline, config), teacher.pipeline, False, False), config


@pytest.mark.parametrize("make", KINDS)
def test_the_way_ends_where_the_teacher_samples(given: dict[str, Any], make: Any) -> None:
    """Known from the pipeline's own loop, with the same noise, words and statistics."""
    teacher, batch, config = prepared(given, make())
    way, pipeline = teacher.walk(batch, half=False), teacher.pipeline
    sketch = batch.degraded if pipeline.config.sketch else None
    assert len(way) == 5
    if sketch is None:
        assert torch.equal(way[0], batch.noise)
    else:
        signal = torch.full((2,), teacher.levels[0][1])
        assert torch.allclose(way[0], noised(sketch, batch.noise, signal), atol=1e-4)
    (pair,) = open_pairs(config.pairs, "train")[:1]
    clean = pipeline.encode_clean(crops(lambda number: number, [pair], config)([0])[0].clean[None])
    text = pipeline.text_encoder(batch.tokens[:1])
    told = [Direction(*batch.direction[0].tolist())]
    full = pipeline.condition(
        text.last_hidden_state, text.pooler_output, batch.mu[:1].tolist(), batch.sigma[:1].tolist(), told
    )
    null = pipeline.encode_prompt([""], [float("nan")], [float("nan")])
    noise = [batch.noise[:1]] * 5
    under = None if sketch is None else sketch[:1]
    made = pipeline.denoise(clean, full, null, teacher.branches, generators(0), 4, noise, sketch=under)
    torch.testing.assert_close(way[-1][:1], made, rtol=1e-3, atol=1e-3)


def test_who_goes_the_same_steps_without_guidance_has_nothing_to_learn(given: dict[str, Any]) -> None:
    teacher, batch, config = prepared(given, velocity_model(), text=1.0, image=1.0, sample_steps=4)
    student, taught = make_student(teacher, config.sample_steps)
    denoiser = Denoiser(student.unet, student.text_encoder, student.conditioner)
    assert float(Loss(teacher, taught, False, torch.device("cpu"))(denoiser, batch)) < 1e-8
    guided, batch, config = prepared(given, velocity_model(), sample_steps=4)
    assert float(Loss(guided, taught, False, torch.device("cpu"))(denoiser, batch)) > 1e-3


@pytest.mark.parametrize(("make", "rank"), zip(KINDS, (0, 0, 1, 1, 0), strict=True))
def test_a_student_is_an_ordinary_model(given: dict[str, Any], make: Any, rank: int) -> None:
    make().save_pretrained(given["model"])
    config = DistillConfig(**given, lora_rank=rank)
    train_distill(config)
    teacher, student = load_pipeline(given["model"]), load_pipeline(str(config.out / "model"))
    moved = [not torch.equal(a, b) for a, b in zip(teacher.unet.parameters(), student.unet.parameters(), strict=True)]
    assert any(moved) and model_sha256(student) != model_sha256(teacher)
    assert student.config.steps == 2 and student.config.guidance_text == teacher.config.guidance_text
    assert all(
        student.config[name] == teacher.config[name] for name in ("calibration", "change_scale", "sketch", "tile")
    )
    if rank:
        assert model_sha256(load_pipeline(str(config.out / "lora"))) == model_sha256(student)
    pair = open_pairs(config.pairs, "train")[0]
    ask = Ask(parse_mix(pair.degradation), pair.caption, "a photo, in hazy conditions", 0.5, pair.mu, pair.sigma, "")
    generator = Generator(student, settings_of(student))
    clean = student.encode_clean(to_signed_tensor(pair.read()[0]))
    assert all(image is not None for image in generator.degrade(clean, [ask], generators(0)))
    with open(config.out / "agreement.csv") as stream:
        (row,) = csv.DictReader(stream)
    assert set(row) == {"step", "psnr", "mu_error", "mu_error_of_teacher"} and float(row["psnr"]) > 0
    assert (config.out / "sheet-00000002.png").is_file()
    card = (config.out / "model" / "README.md").read_text()
    assert "in 2 steps, one network pass each" in card and given["model"] in card and "| haze | plain | 2 |" in card


def test_what_was_stopped_goes_on_to_the_same_student(given: dict[str, Any]) -> None:
    change_model().save_pretrained(given["model"])
    whole = DistillConfig(**given | {"schedule": "constant"})
    train_distill(whole)
    halves = replace(whole, out=whole.out.with_name("halves"))
    train_distill(replace(halves, steps=1))
    train_distill(replace(halves, resume=True))
    assert (halves.out / "log.csv").read_text() == (whole.out / "log.csv").read_text()
    kept = [model_sha256(load_pipeline(str(one.out / "model"))) for one in (whole, halves)]
    assert kept[0] == kept[1]
    with pytest.raises(BadOption, match="--updates: .* has done 2 already, got 1"):
        train_distill(replace(halves, resume=True, steps=1))


def test_a_student_teaches_the_next_and_nothing_else(given: dict[str, Any], tmp_path: Path) -> None:
    change_model().save_pretrained(given["model"])
    first = DistillConfig(**given)
    train_distill(first)
    again = given | {"model": str(first.out / "model"), "out": tmp_path / "next", "sample_steps": 1}
    with pytest.raises(BadOption, match="--teacher-steps: this teacher was distilled to 2 steps, got 4"):
        train_distill(DistillConfig(**again))
    with pytest.raises(BadOption, match="--guidance-text: this model was distilled"):
        train_distill(DistillConfig(**again | {"teacher_steps": 0, "text": 3.0}))
    train_distill(DistillConfig(**again | {"teacher_steps": 0}))
    student = load_pipeline(str(tmp_path / "next" / "model"))
    assert student.config.steps == 1 and student.scheduler.config.levels == [[999.0, pytest.approx(1.5e-4, rel=0.1)]]
    other = {name: value for name, value in SETTINGS.items() if name not in ("sample_steps", "teacher_steps")}
    told = other | {"pairs": given["pairs"], "out": tmp_path / "other"}
    with pytest.raises(BadOption, match="--init: this model was distilled"):
        train_diffusion(DiffusionConfig(**told, init=again["model"]))
    del told["sheet_photos"]
    with pytest.raises(BadOption, match="--model: this model was distilled"):
        train_structure(StructureConfig(**told, model=again["model"]))
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"sample_steps": 3}, "--steps: must divide the teacher's 4, got 3"),
        ({"teacher_steps": 1002, "sample_steps": 2}, "--teacher-steps: this model takes 1 to 1000, got 1002"),
        ({"text": float("nan")}, "--guidance-text: must lie in"),
        ({"size": 17}, "--size: must be a multiple of 2"),
        ({"size": 64}, "--size: 4 pairs are smaller than 64 pixels"),
        ({"published": True}, "--preset: published is for diffusion only"),
        ({"weights": "fog=2"}, "--weights: no pair has"),
    ],
)
def test_what_cannot_be_is_said_before_a_folder_is_made(given: dict[str, Any], changes: Any, says: str) -> None:
    change_model().save_pretrained(given["model"])
    with pytest.raises(BadOption, match=says):
        train_distill(DistillConfig(**given | changes))
    assert not given["out"].exists()


def test_a_teacher_that_was_never_told_of_rain(given: dict[str, Any]) -> None:
    change_model().with_parts(change_scale={"low_light": 4.0}).save_pretrained(given["model"])
    with pytest.raises(BadOption, match="--pairs: the teacher knows no haze; it knows low_light"):
        train_distill(DistillConfig(**given))


def test_the_way_is_the_teachers_own_unless_that_is_long(given: dict[str, Any]) -> None:
    for make, steps, expected in ((change_model, 4, 8), (published_model, 3, 33), (velocity_model, 4, 4)):
        make().save_pretrained(given["model"])
        teacher = make_teacher(DistillConfig(**given | {"teacher_steps": 0, "sample_steps": steps}))
        assert len(teacher.levels) == expected == teacher.pipeline.config.steps
        signals = [signal for _, signal in teacher.levels]
        assert signals == sorted(signals) and json.dumps(teacher.levels)
