"""What `synth` guards on its way: the record list of a folder, and the rows of its sheet."""

from pathlib import Path

import pytest

from gendeg.model.generate import Settings, choose_sampler, settings_of
from gendeg.pairs.photos import Input, Kind, Photo
from gendeg.primitives.errors import BadOption, OutputExists
from gendeg.primitives.images import write_image
from gendeg.synth.config import SynthConfig
from gendeg.synth.plan import plan_asks, plan_synthesis
from gendeg.synth.synthesize import SHEET_COLUMNS, SHEET_ROWS, Rows, _add_to_sheet, _open_records
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
    with pytest.raises(BadOption, match="own or paper"):
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
