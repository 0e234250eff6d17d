"""What `synth` guards on its way: the record list of a folder, and the rows of its sheet."""

from pathlib import Path

import pytest

from gendeg.configs import SynthConfig
from gendeg.jobs.samples import check_steps
from gendeg.jobs.synth_plan import plan_requests, plan_synthesis
from gendeg.jobs.synthesize import SHEET_COLUMNS, SHEET_ROWS, Rows, _add_to_sheet, _open_records
from gendeg.primitives.errors import BadOption, OutputExists
from gendeg.primitives.images import write_image
from tests.tiny import example_record, photo, tiny_pipeline

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
            _add_to_sheet(rows, RECORD, clean, clean, Path(folder) / "same.png")
    assert [len(row) for row in rows.values()] == [SHEET_COLUMNS] * 2
    clean_cell, first = list(rows.values())[1][:2]
    assert clean_cell.label == "same.png, clean" and first.label.startswith("haze 0.50")
    for number in range(SHEET_ROWS):
        _add_to_sheet(rows, RECORD, clean, clean, Path(str(number)))
    assert len(rows) == SHEET_ROWS


def test_intensities_that_would_share_a_name_are_one_request() -> None:
    requests = plan_requests(SynthConfig(intensities=(0.1, 0.1000001, 0.1000002, 0.100002)))
    assert [request.intensity for request in requests] == [0.1, 0.100002]


def test_more_steps_than_the_schedule_has_are_refused() -> None:
    check_steps(tiny_pipeline(), None)
    check_steps(tiny_pipeline(), 1000)
    with pytest.raises(BadOption, match="at most 1000"):
        check_steps(tiny_pipeline(), 1001)
