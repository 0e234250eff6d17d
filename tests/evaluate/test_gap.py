"""gendeg evaluate gap: what it compares, what it writes, and what it says of bad input."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gendeg.evaluate.config import GapConfig
from gendeg.evaluate.gap import gap, tabulate
from gendeg.metrics.gap import STATISTICS
from gendeg.primitives.errors import BadOption, MissingPath, NoImages, NoPairs, OutputExists
from gendeg.primitives.images import write_image
from tests.builds import finished_build
from tests.few_pairs import write_pairs
from tests.tiny import photo


def write_images(folder: Path, count: int, shift: int = 0, seed: int = 0, name: str = "{}.png") -> Path:
    """Photos, `shift` levels brighter."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        image = photo(64, 72, seed=seed + number).astype(int) // 2 + shift
        write_image(image.astype(np.uint8), folder / name.format(number), "png")
    return folder


@pytest.fixture
def config(tmp_path: Path) -> GapConfig:
    """Haze in three places: real, like the real one, and 40 levels brighter."""
    write_images(tmp_path / "real/haze", 8)
    write_images(tmp_path / "near/haze", 6, seed=100)
    write_images(tmp_path / "far/haze", 6, shift=40, seed=200)
    return GapConfig(
        tmp_path / "near", tmp_path / "real", tmp_path / "out", (("far", tmp_path / "far"),), size=64, draws=20,
        workers=1, progress=False,
    )  # fmt: skip


def test_the_nearer_set_is_told_and_the_page_holds_everything(config: GapConfig) -> None:
    results = gap(config)
    found = results["gaps"]["haze"]
    assert list(found) == list(STATISTICS)
    assert found["colour"]["wasserstein"]["closer"] == "synthetic"
    assert found["colour"]["wasserstein"]["gains"]["far"]["value"] == pytest.approx(40 / 255, rel=0.1)
    assert results["times"]["haze"]["far"] > 2 * results["times"]["haze"]["synthetic"]
    assert results["images"] == {"haze": {"synthetic": 6, "far": 6, "real": 8}}
    assert json.loads((config.out / "gap.json").read_text()) == results
    page = (config.out / "gap.html").read_text()
    assert page.count("<svg") == len(STATISTICS) and page.count("an image and its two layers") == 3
    assert "other real photos" in page and "<script src" not in page
    assert tabulate(results).count("\n") == 1 + len(STATISTICS)


def test_same_seed_same_numbers(config: GapConfig) -> None:
    assert gap(config)["gaps"] == gap(replace(config, overwrite=True, workers=2))["gaps"]
    with pytest.raises(OutputExists):
        gap(config)


def test_manifests_datasets_and_named_files_are_synthetic_sets(config: GapConfig, tmp_path: Path) -> None:
    manifest, synth = write_pairs(tmp_path / "pairs"), write_images(tmp_path / "synth", 4, name="p{}.haze.i060.s0.png")
    also = (("built", finished_build() / "out"), ("synth", synth))
    results = gap(replace(config, synthetic=manifest, also=also))
    assert results["images"]["haze"] == {"synthetic": 5, "built": 10, "synth": 4, "real": 8}
    assert "low_light: only in synthetic, not compared" in results["notes"]
    assert any("smaller than --size 64" in note for note in results["notes"])


def test_a_plain_folder_is_what_type_says_on_both_sides(config: GapConfig, tmp_path: Path) -> None:
    made = replace(config, synthetic=tmp_path / "near/haze", real=tmp_path / "real/haze", also=(), type="rain")
    assert list(gap(made)["gaps"]) == ["rain"]
    with pytest.raises(BadOption, match="--type rain"):
        gap(replace(made, type="", overwrite=True))


def test_an_image_that_cannot_be_read_is_counted(config: GapConfig, tmp_path: Path) -> None:
    (tmp_path / "real/haze/bad.png").write_bytes(b"no image")
    results = gap(config)
    assert len(results["failures"]) == 1 and "bad.png" in results["failures"][0]
    assert results["images"]["haze"]["real"] == 8


def test_bad_input_is_said_by_name(config: GapConfig, tmp_path: Path) -> None:
    few, rain, bare = (tmp_path / name for name in ("few", "rainy", "bare"))
    write_images(few / "haze", 3)
    write_images(rain / "rain", 4)
    (tmp_path / "empty.jsonl").write_text("")
    bare.mkdir()
    for changes, error, says in (
        ({"synthetic": tmp_path / "none"}, MissingPath, "no such file"),
        ({"real": tmp_path / "none"}, MissingPath, "no such file"),
        ({"synthetic": tmp_path / "empty.jsonl"}, NoPairs, "no pairs"),
        ({"synthetic": bare}, NoImages, "no images"),
        ({"real": bare}, BadOption, "no folder"),
        ({"real": rain}, BadOption, "synthetic has haze, real has rain"),
        ({"real": few}, BadOption, "4 real photos"),
        ({"also": (("real", tmp_path / "far"),)}, BadOption, "names of their own"),
        ({"also": tuple((f"s{n}", tmp_path / "far") for n in range(4))}, BadOption, "up to 3"),
    ):
        with pytest.raises(error, match=says):
            gap(replace(config, **changes))
