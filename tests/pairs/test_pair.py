"""The pair manifest: written and read back, and bad lines named by their number."""

import json
from dataclasses import replace

import pytest

from gendeg.intensity.measure import Intensity
from gendeg.pairs.pair import by_degradation_and_source, listed, read_manifest, write_manifest
from gendeg.primitives.errors import BadManifest, MissingPath, NoPairs

ROW = {
    "clean": "clean/a.png", "degraded": "degraded/a.png", "degradation": "haze", "source": "fog", "split": "train",
    "caption": "a street", "mu": 0.25, "sigma": 0.125, "width": 64, "height": 48,
}  # fmt: skip
PAIR = listed("", **ROW)


def test_round_trip(tmp_path):
    pairs = [listed(tmp_path, **ROW | change) for change in ({}, {"degradation": "rain+haze", "caption": "ein Hügel"})]
    write_manifest(tmp_path / "m.jsonl", pairs)
    assert read_manifest(tmp_path / "m.jsonl") == pairs
    assert pairs[0].intensity == Intensity(0.25, 0.125)


def test_spellings_become_the_one_name(tmp_path):
    write_manifest(
        tmp_path / "m.jsonl", [listed(tmp_path, **ROW | {"degradation": name}) for name in ("motion-blur", "haze+rain")]
    )
    assert [pair.degradation for pair in read_manifest(tmp_path / "m.jsonl")] == ["motion_blur", "rain+haze"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"degradation": "fog"}, "unknown degradation 'fog'"),
        ({"split": "dev"}, "split must be one of"),
        ({"mu": "0.2"}, "'mu' must be a float"),
        ({"mu": True}, "'mu' must be a float"),
        ({"mu": -0.1}, "mu and sigma"),
        ({"sigma": 1.5}, "mu and sigma"),
        ({"width": 0}, "width"),
        ({"height": 2.5}, "'height' must be a int"),
        ({"clean": None}, "'clean' must be a str"),
        ({"extra": 1}, "extra"),
        ({"source": "../../x"}, "source must be a plain name"),
        ({"source": ""}, "source must be a plain name"),
    ],
)
def test_a_bad_line_is_named(tmp_path, change, said):
    lines = [json.dumps(ROW), "", json.dumps(ROW | change)]
    (tmp_path / "m.jsonl").write_text("\n".join(lines) + "\n")
    with pytest.raises(BadManifest, match=said) as caught:
        read_manifest(tmp_path / "m.jsonl")
    assert caught.value.line == 3


def test_a_missing_field_is_named(tmp_path):
    row = dict(ROW)
    del row["caption"]
    (tmp_path / "m.jsonl").write_text(json.dumps(row))
    with pytest.raises(BadManifest, match="not right: caption"):
        read_manifest(tmp_path / "m.jsonl")


def test_no_file_and_no_pairs(tmp_path):
    with pytest.raises(MissingPath):
        read_manifest(tmp_path / "none.jsonl")
    (tmp_path / "m.jsonl").write_text("\n")
    with pytest.raises(NoPairs):
        read_manifest(tmp_path / "m.jsonl")


def test_groups_are_sorted_and_complete():
    pairs = [
        replace(PAIR, degradation=d, source=s) for d, s in (("snow", "b"), ("haze", "b"), ("haze", "a"), ("snow", "b"))
    ]
    groups = by_degradation_and_source(pairs)
    assert list(groups) == [("haze", "a"), ("haze", "b"), ("snow", "b")]
    assert [len(group) for group in groups.values()] == [1, 1, 2]
