"""What `synth` guards on its way: the record list of a folder, and the rows of its sheet."""

from pathlib import Path

import pytest
import torch

from gendeg.model.generate import Generator
from gendeg.model.samplers import FEW_STEPS, INTERVAL, PAPER
from gendeg.model.settings import Settings, choose_sampler, settings_of
from gendeg.pairs.photo import Input, Kind, Photo
from gendeg.primitives.errors import BadOption, OutputExists
from gendeg.primitives.images import write_image
from gendeg.primitives.records import Failure, Record
from gendeg.synth.config import SynthConfig
from gendeg.synth.plan import plan_asks, plan_synthesis
from gendeg.synth.synthesize import SHEET_COLUMNS, SHEET_ROWS, Rows, _add_to_sheet, _open_records, synthesize
from tests.builds import model_folder
from tests.tiny import clean_image, example_record, generators, photo, tiny_pipeline, tiny_stable_diffusion

RECORD = example_record(
    degradation="haze",
    prompt="a photo, in hazy conditions",
    intensity=0.5,
    mu_requested=0.1,
    sigma_requested=0.05,
    mu=0.09,
    sigma=0.05,
    structure_correction=False,
)


def test_of_two_runs_that_start_together_one_gets_the_folder(tmp_path: Path) -> None:
    write_image(photo(8, 8), tmp_path / "a.png", "png")
    plan = plan_synthesis(SynthConfig(paths=(tmp_path / "a.png",), out=tmp_path))
    _open_records(plan, overwrite=False)
    with pytest.raises(OutputExists):
        _open_records(plan, overwrite=False)
    _open_records(plan, overwrite=True)
    assert plan.records.read_bytes() == b""


def test_every_image_has_a_key_of_its_own(tmp_path: Path) -> None:
    for name in ("x.png", "x-rain.png"):
        write_image(photo(8, 8), tmp_path / name, "png")
    plan = plan_synthesis(SynthConfig(paths=(tmp_path,), types="haze,rain+haze", out=tmp_path / "out"))
    assert len({sample.key for sample in plan.samples}) == len({sample.path for sample in plan.samples}) == 4


def test_photos_of_one_name_have_rows_of_their_own_and_a_row_ends() -> None:
    rows: Rows = {}
    clean = photo(8, 8)
    for folder in ("one", "two"):
        for _ in range(20):
            _add_to_sheet(rows, RECORD, clean, clean, Photo(Input(Kind.FOLDER, folder), "same.png"))
    assert [len(row) for row in rows.values()] == [SHEET_COLUMNS] * 2
    clean_cell, first = list(rows.values())[1][:2]
    assert clean_cell.label == "same.png, clean" and first.label.startswith("haze 0.50")
    for number in range(SHEET_ROWS):
        _add_to_sheet(rows, RECORD, clean, clean, Photo(Input(Kind.FOLDER, ""), str(number)))
    assert len(rows) == SHEET_ROWS


def test_intensities_that_would_share_a_name_are_one() -> None:
    asks = plan_asks(SynthConfig(intensities=(0.1, 0.1000001, 0.1000002, 0.100002)))
    assert [ask.intensity for ask in asks] == [0.1, 0.100002]


def test_more_steps_than_the_schedule_has_are_refused() -> None:
    settings_of(tiny_pipeline(), steps=1000)
    for steps in (0, 1001):
        with pytest.raises(BadOption, match="--steps: this model takes 1 to 1000"):
            settings_of(tiny_pipeline(), steps=steps)


@pytest.mark.parametrize("scale", [101.0, -101.0, float("nan"), float("inf")])
def test_useless_guidance_is_refused(scale: float) -> None:
    with pytest.raises(BadOption, match="--guidance-image"):
        settings_of(tiny_pipeline(), guidance_image=scale)
    with pytest.raises(BadOption, match="--guidance-text"):
        settings_of(tiny_pipeline(), guidance_text=scale)


def test_the_model_fills_in_what_is_not_asked_for() -> None:
    own = tiny_pipeline().config
    settings = settings_of(tiny_pipeline(), guidance_text=3.0, structure_correction=False)
    assert settings == Settings(own.steps, 3.0, own.guidance_image, False, "own", 2 * own.steps)


def test_the_published_sampler_is_a_preset_of_any_model_with_such_noise_levels():
    with pytest.raises(BadOption, match="noise levels like Stable"):
        choose_sampler(tiny_pipeline(), "paper")
    with pytest.raises(BadOption, match="own, paper or fast"):
        choose_sampler(tiny_pipeline(), "euler")
    pipeline = tiny_stable_diffusion()
    pipeline.scheduler = type(pipeline.scheduler).from_config(
        {**pipeline.scheduler.config, "rescale_betas_zero_snr": False}
    )
    before = type(pipeline.scheduler)
    choose_sampler(pipeline, "own")
    assert type(pipeline.scheduler) is before
    choose_sampler(pipeline, "paper")
    own = pipeline.config
    assert (own.steps, own.guidance_text, own.guidance_image) == (100, 7.5, 1.5)
    assert type(pipeline.scheduler).__name__ == "ContinuousEulerAncestralScheduler"
    assert pipeline.scheduler.config.prediction_type == "v_prediction", (
        "what the UNet says is not the sampler's to change"
    )
    image = pipeline(clean_image(16, 16), ["a photo"], [0.1], [0.1], generators(0), steps=2)
    assert image.isfinite().all()


def test_fast_is_few_passes_and_leaves_what_needs_no_more():
    """Of a schedule as Stable Diffusion's: another solver, and guidance only where it tells."""
    plain = tiny_stable_diffusion()
    scheduler = type(plain.scheduler).from_config({**plain.scheduler.config, "rescale_betas_zero_snr": False})
    pipeline = plain.with_parts(scheduler=scheduler)
    pipeline.register_to_config(**PAPER)
    choose_sampler(pipeline, "fast")
    settings = settings_of(pipeline, sampler="fast")
    assert type(pipeline.scheduler).__name__ == "DPMSolverMultistepScheduler"
    assert pipeline.scheduler.config.prediction_type == "v_prediction"
    assert settings.steps == FEW_STEPS["latent"] and settings.guidance_text == 7.5
    process = pipeline.noise_process(settings.steps)
    levels = [process.noise_at(timestep) for timestep in process.scheduler.timesteps]
    guided = sum(INTERVAL[0] <= level <= INTERVAL[1] for level in levels)
    assert settings.passes == settings.steps + 2 * guided and 4 <= guided <= 8
    image = pipeline(clean_image(16, 16), ["a photo"], [0.1], [0.1], generators(0))
    assert image.isfinite().all()
    for steps, built_in in ((2, False), (9, True)):
        few = tiny_pipeline()
        few.register_to_config(steps=steps, guidance_built_in=built_in, guidance_text=7.5)
        before = type(few.scheduler)
        choose_sampler(few, "fast")
        assert few.config.steps == steps and type(few.scheduler) is before and few.config.guidance_interval == []


def test_a_model_without_numbers_is_one_failure_a_sample(tmp_path, monkeypatch):
    """The others are made: here the second of each photo's two."""
    write_image(photo(16, 24), tmp_path / "photo.png", "png")
    plain = Generator.bring

    def broken(self: Generator, clean: object, settled: list, images: torch.Tensor) -> torch.Tensor:
        brought = plain(self, clean, settled, images)
        brought[0, 0, 0, 0] = float("nan")
        return brought

    monkeypatch.setattr(Generator, "bring", broken)
    config = SynthConfig(
        paths=(tmp_path / "photo.png",), types="rain", intensities=(0.3, 0.6), out=tmp_path / "out", device="cpu",
        model=str(model_folder()), progress=False,
    )  # fmt: skip
    lost, made = synthesize(config)
    assert isinstance(lost, Failure) and lost.failed == "not_finite" and "finite" in lost.message and lost.key
    assert isinstance(made, Record) and len(list((tmp_path / "out").glob("photo.*.png"))) == 1
