"""The model that comes along still makes what it made when it was put there."""

import json

import pytest

from gendeg.model.loading import bundled_folder
from tests.golden.regrow import BUNDLED, bundled_numbers

TOLERANCE = 0.004  # one grey level; processors round convolutions differently


def test_the_bundled_model_makes_what_it_made() -> None:
    made, recorded = bundled_numbers(), json.loads(BUNDLED.read_text(encoding="utf-8"))
    assert made.keys() == recorded.keys()
    for degradation, numbers in recorded.items():
        assert made[degradation] == pytest.approx(numbers, abs=TOLERANCE), degradation


def test_the_bundled_model_is_small_and_holds_no_pickle() -> None:
    files = [path for path in bundled_folder().rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 40_000_000
    assert {path.suffix for path in files} <= {".safetensors", ".json", ".md"}
    assert (bundled_folder() / "README.md").is_file()
