"""The record: fixed keys and order, floats as floats, round trips, and every way in which a row can be wrong."""

import json
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest

from gendeg.primitives.errors import BadRecord
from gendeg.primitives.kinds import Degradation
from gendeg.primitives.records import FAILURE_SCHEMA, SCHEMA, Failure, Record, parse_row

FIELDS = [
    "schema", "key", "degradation", "caption", "prompt", "intensity",
    "mu_requested", "sigma_requested", "direction_requested", "coherence_requested", "mu", "sigma", "direction",
    "coherence", "parts", "source", "seed", "attempt", "model", "model_sha256", "sampler", "steps", "passes",
    "guidance_text", "guidance_image",
    "structure_correction", "origin", "clean_path", "clean_sha256", "width", "height",
]  # fmt: skip
FLOATS = ["intensity", "mu_requested", "sigma_requested", "mu", "sigma", "guidance_text", "guidance_image"]


@pytest.fixture
def record():
    return Record(
        key="a-1_b", degradation=Degradation.HAZE, caption="a street", prompt="a street, in hazy conditions",
        intensity=0, mu_requested=np.float32(0.1), sigma_requested=1 / 3, direction_requested=-30,
        coherence_requested=1, mu=0.25, sigma=-1e-9, direction=-28.75, coherence=0.5, source="RESIDE", sampler="own",
        passes=20,
        seed=np.int64(7), attempt=0, model="bundled", model_sha256="ab", steps=20, guidance_text=7.5, guidance_image=1,
        structure_correction=True, origin="generated", clean_path="a/1.png", clean_sha256="cd", width=64, height=48,
    )  # fmt: skip


@pytest.fixture
def failure():
    return Failure(key="k", failed="truncated", message="m", degradation="", seed=1, attempt=0, clean_path="x.jpg")


def test_keys_are_those_of_the_design_in_their_order(record):
    assert list(json.loads(record.to_json())) == FIELDS == list(record.as_row())


def test_floats_are_written_as_floats_with_six_decimals(record):
    row = json.loads(record.to_json())
    assert all(type(row[name]) is float for name in FLOATS)
    assert '"intensity": 0.0,' in record.to_json() and '"guidance_image": 1.0,' in record.to_json()
    assert '"sigma": 0.0,' in record.to_json()  # no minus zero
    assert row["mu_requested"] == 0.1 and row["sigma_requested"] == 0.333333


def test_a_record_has_parts_and_the_only_one_is_the_whole(record):
    whole = {
        "degradation": "haze",
        "intensity": 0.0,
        "mu_requested": 0.1,
        "sigma_requested": 0.333333,
        "mu": 0.25,
        "sigma": 0.0,
    }
    assert json.loads(record.to_json())["parts"] == [whole]
    two = replace(record, parts=[whole, whole | {"degradation": "rain"}])
    assert [part.degradation for part in Record.from_json(two.to_json()).parts] == ["haze", "rain"]
    assert Record.from_json(two.to_json()) == two


@pytest.mark.parametrize("parts", ["haze", [{"degradation": "haze"}], [3], {"degradation": "haze"}])
def test_parts_that_are_none(record, parts):
    with pytest.raises(BadRecord):
        Record.from_row(record.as_row() | {"parts": parts})


def test_a_record_of_another_version_says_which(record):
    with pytest.raises(BadRecord, match="gendeg-record-1"):
        Record.from_row({"schema": "gendeg-record-1", "key": "a"})


def test_plain_types_only(record):
    assert type(record.degradation) is str and type(record.seed) is int and record.schema == SCHEMA


def test_round_trip(record, failure):
    assert Record.from_json(record.to_json()) == record
    assert Failure.from_json(failure.to_json()) == failure
    assert Record.from_json(record.to_json()).to_json() == record.to_json()


def test_records_are_frozen(record):
    with pytest.raises(FrozenInstanceError):
        record.mu = 0.3


@pytest.mark.parametrize(
    "change",
    [
        {"mu": float("nan")},
        {"guidance_text": float("inf")},
        {"mu": None},
        {"mu": "0.1"},
        {"mu": True},
        {"mu": -0.1},
        {"intensity": 1.2},
        {"caption": None},
        {"seed": 1.0},
        {"seed": True},
        {"structure_correction": 1},
        {"key": "a.b"},
        {"key": ""},
        {"key": "a\n"},
        {"degradation": "fog"},
        {"degradation": "haze+rain"},
        {"origin": "made"},
        {"schema": "gendeg-record-0"},
    ],
)
def test_bad_value_is_refused_by_name(record, change):
    with pytest.raises(ValueError, match=f"'{next(iter(change))}'"):
        replace(record, **change)
    with pytest.raises(BadRecord):
        Record.from_row({**record.as_row(), **change})


def test_missing_and_unknown_fields_are_named(record):
    row = record.as_row()
    del row["mu"], row["key"]
    with pytest.raises(BadRecord) as caught:
        Record.from_row({**row, "gt": 1})
    assert caught.value.problems == ("'key' is missing", "'mu' is missing", "'gt' is not a known field")


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "3"])
def test_text_that_is_no_record(text):
    with pytest.raises(BadRecord):
        Record.from_json(text)


def test_failure_has_its_own_schema_and_is_told_apart(record, failure):
    row = json.loads(failure.to_json())
    assert list(row) == ["schema", "key", "failed", "message", "degradation", "seed", "attempt", "clean_path"]
    assert row["schema"] == FAILURE_SCHEMA and "failed" not in record.as_row()
    assert parse_row(row) == failure and parse_row(record.as_row()) == record


@pytest.mark.parametrize("change", [{"failed": ""}, {"failed": "Went wrong"}, {"degradation": "fog"}, {"seed": None}])
def test_bad_failure_is_refused(failure, change):
    with pytest.raises(ValueError):
        replace(failure, **change)
