"""The table of records: known numbers."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from gendeg.primitives.errors import BadRecord
from gendeg.primitives.records import Failure
from gendeg.synth.records import psnr, read_records, tabulate_records
from tests.tiny import example_record

ONE = example_record()


def test_psnr_follows_from_mu_and_sigma() -> None:
    assert psnr(ONE) == pytest.approx(26.0206, abs=1e-4), "root mean square 0.05"


def test_means_per_degradation_and_intensity() -> None:
    table = tabulate_records([ONE, replace(ONE, mu=0.05), replace(ONE, intensity=0.5, mu_requested=0.1, mu=0.1)])
    assert "| rain | 0.1 | 2 | 0.030 | 0.040 | 0.010 |" in table
    assert "| rain | 0.5 | 1 | 0.100 | 0.100 | 0.000 |" in table
    assert "rain: mean error of mu 0.0067 over 3 images" in table


def test_failures_are_told_apart_and_other_lines_refused(tmp_path: Path) -> None:
    failure = Failure(key="", failed="empty", message="x", degradation="", seed=0, attempt=0, clean_path="b.png")
    path = tmp_path / "records.jsonl"
    path.write_text(ONE.to_json() + "\n" + failure.to_json() + "\n")
    assert read_records(path) == ([ONE], [failure])
    path.write_text(json.dumps({"key": "a"}))
    with pytest.raises(BadRecord):
        read_records(path)
