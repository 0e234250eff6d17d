"""A whole evaluation of a tiny model: files, sums that must hold, and going on where it stopped."""

import json
from pathlib import Path

import numpy as np
import pytest

from gendeg.evaluate.config import EvaluateConfig
from gendeg.evaluate.evaluate import evaluate
from gendeg.evaluate.headline import headline, tabulate_headline
from gendeg.evaluate.results import SCHEMA, as_row, read_results
from gendeg.intensity.measure import measure_intensity
from gendeg.metrics.change import NAMES, change_statistics
from gendeg.pairs.config import SimulateConfig
from gendeg.pairs.photos import open_photos, open_real, spread
from gendeg.pairs.simulate import simulate
from gendeg.primitives.errors import BadManifest, BadOption, DifferentRun, MissingPath
from gendeg.primitives.files import read_jsonl
from gendeg.primitives.images import read_rgb, write_image
from gendeg.primitives.records import Record
from gendeg.synth.config import SynthConfig
from gendeg.synth.synthesize import synthesize
from tests.tiny import photo, tiny_pipeline


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos, real photos, pairs and a tiny calibrated model."""
    folder = tmp_path_factory.mktemp("evaluation")
    for number in range(3):
        _write(folder / "clean" / f"p{number}.png", photo(40, 52, seed=number))
    for number in range(5):
        _write(folder / "real" / "haze" / f"r{number}.png", (photo(60, 70, seed=20 + number) // 2 + 110))
    simulate(
        SimulateConfig(clean=(folder / "clean",), out=folder / "pairs", per_image=6, size=32, workers=1, progress=False)
    )
    pipeline = tiny_pipeline()
    curves = {"mu": [[0.05, 0.04], [0.3, 0.4]], "sigma": [[0.05, 1.5], [0.3, 0.8]]}
    pipeline.register_to_config(calibration={"haze": curves}, strength_gain=1.5)
    pipeline.save_pretrained(folder / "model")
    return folder


def _write(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(image, path, "png")


def config(place: Path, **changes: object) -> EvaluateConfig:
    settings: dict = {
        "clean": place / "clean", "out": place / "out", "model": str(place / "model"), "types": "haze,rain",
        "intensities": (0.2, 0.6), "compare": 1, "size": 36, "variants": 2, "steps": 2, "draws": 20,
        "pairs": place / "pairs" / "manifest.jsonl", "real": place / "real", "classifier_steps": 3, "progress": False,
        "device": "cpu",
    }  # fmt: skip
    return EvaluateConfig(**settings | changes)


def evaluated(config: EvaluateConfig) -> dict:
    """The results as they stand in the file, which are those that are returned, and read again."""
    found = evaluate(config)
    row = json.loads((config.out / "results.json").read_text())
    assert as_row(found) == row == as_row(read_results(config.out))
    return row


def grid_of(arm: str, place: Path) -> list[dict]:
    rows = read_jsonl(place / "out" / "samples.jsonl")
    return [row for row in rows if (row["arm"], row["purpose"]) == (arm, "grid")]


@pytest.fixture(scope="module")
def results(place: Path) -> dict:
    return evaluated(config(place))


def test_every_image_has_a_line_and_every_line_its_images(place, results):
    rows = read_jsonl(place / "out" / "samples.jsonl")
    grid = [row for row in rows if row["purpose"] == "grid"]
    count = {
        arm: sum(row["arm"] == arm for row in grid) for arm in ("model", "uncorrected", "uncalibrated", "simulator")
    }
    # 3 photos × 2 degradations × 2 intensities; rain is not corrected; one photo without the map
    assert count == {"model": 12, "uncorrected": 6, "uncalibrated": 4, "simulator": 12}
    assert sum(row["purpose"] == "diversity" for row in rows) == 2 * 2 * 2  # seeds, degradations, arms
    for row in rows:
        record = Record.from_row(row["record"])
        clean, degraded = (read_rgb(place / "out" / row[half]) for half in ("clean", "degraded"))
        assert measure_intensity(clean, degraded) == pytest.approx((record.mu, record.sigma), abs=1e-6)
        assert record.origin == ("simulated" if row["arm"] in ("simulator", "roundtrip") else "generated")
        assert min(clean.shape[:2]) == 36


def test_the_model_s_images_are_those_that_synth_makes(place, results, tmp_path):
    made = synthesize(
        SynthConfig(
            paths=(place / "clean",),
            out=tmp_path,
            types="haze,rain",
            intensities=(0.2, 0.6),
            size=36,
            steps=2,
            model=str(place / "model"),
            device="cpu",
            progress=False,
        )
    )
    by_key = {row.key: row for row in made}
    rows = [
        row for row in read_jsonl(place / "out" / "samples.jsonl") if (row["arm"], row["purpose"]) == ("model", "grid")
    ]
    assert len(rows) == len(by_key) == 12
    for row in rows:
        image = read_rgb(tmp_path / Path(row["degraded"]).name)
        assert np.array_equal(image, read_rgb(place / "out" / row["degraded"]))
        assert {**row["record"], "clean_path": ""} == {**by_key[row["record"]["key"]].as_row(), "clean_path": ""}


def test_the_numbers_are_those_of_the_lines(place, results):
    rows = read_jsonl(place / "out" / "samples.jsonl")
    rain = [
        row
        for row in rows
        if (row["arm"], row["purpose"]) == ("model", "grid") and row["record"]["degradation"] == "rain"
    ]
    off = [abs(row["record"]["mu"] - row["record"]["mu_requested"]) for row in rain]
    section = results["calibration"]["model"]["rain"]
    assert section["mu_mae"]["value"] == pytest.approx(np.mean(off), abs=1e-6)
    assert section["mu_mae"]["low"] <= section["mu_mae"]["value"] <= section["mu_mae"]["high"]
    assert section["refused"]["value"] == pytest.approx(np.mean([bool(row["verdict"]) for row in rain]), abs=1e-6)
    assert sum(section["reasons"].values()) == sum(bool(row["verdict"]) for row in rain)
    assert [point["intensity"] for point in section["by_intensity"]] == [0.2, 0.6]
    structure = results["structure"]["model"]["rain"]
    assert structure["psnr"]["value"] == pytest.approx(np.mean([row["metrics"]["psnr"] for row in rain]), abs=1e-4)
    for row in grid_of("simulator", place):  # brought to the asked mu: that is what makes them comparable
        assert row["record"]["mu"] == pytest.approx(row["record"]["mu_requested"], abs=0.02)
    confusion = np.array(results["recognition"]["model"]["confusion"])
    assert confusion.sum() == 12 and confusion[0].sum() == confusion[1].sum() == 6
    assert results["realism"]["sliced_wasserstein"]["haze"]["real_photos"] == 5
    assert "rain" not in results["realism"]["sliced_wasserstein"]  # no real photos of it
    assert set(results["diversity"]) == {"haze", "rain"}


def test_the_headline_is_printable(place, results):
    assert results["schema"] == SCHEMA and results["model"]["calibrated"]
    found = read_results(place / "out")
    table = tabulate_headline(found.headline)
    assert "mu_mae             rain" in table and "recognition_strong" in table
    rows = {(row.id, row.degradation): row for row in found.headline}
    assert list(rows.values()) == headline(found)
    assert rows["mu_mae", "all"].met == (rows["mu_mae", "all"].value <= 0.01)
    assert rows["sigma_mae", "all"].wanted is None
    assert rows["mu_spearman", "rain"].wanted is None  # two intensities: ties alone keep it below the bound


def test_the_same_command_again_makes_nothing_and_says_the_same(place, results):
    stamps = {path: path.stat().st_mtime_ns for path in (place / "out" / "images").rglob("*.png")}
    gone = next(path for path in stamps if path.parent.name == "model")
    before = gone.read_bytes()
    gone.unlink()
    again = evaluated(config(place))
    ignored = ("seconds", "created")
    assert {k: v for k, v in again.items() if k not in ignored} == {
        k: v for k, v in results.items() if k not in ignored
    }
    assert gone.read_bytes() == before
    others = [path for path in stamps if path.name.split(".")[:2] != gone.name.split(".")[:2]]
    assert others and all(path.stat().st_mtime_ns == stamps[path] for path in others)


@pytest.mark.parametrize("changes", [{"steps": 3}, {"size": 40}])
def test_images_of_other_settings_are_not_mixed_in(place, results, changes):
    with pytest.raises(DifferentRun):
        evaluate(config(place, **changes))


def test_a_photo_that_cannot_be_read_is_a_failure(place, tmp_path):
    (tmp_path / "clean").mkdir()
    (tmp_path / "clean" / "bad.png").write_bytes(b"no image")
    write_image(photo(40, 52), tmp_path / "clean" / "good.png", "png")
    found = evaluated(
        config(
            place,
            clean=tmp_path / "clean",
            out=tmp_path / "out",
            types="haze",
            intensities=(0.5,),
            variants=1,
            pairs=None,
            real=None,
        )
    )
    assert [one["failed"] for one in found["failures"]] == ["not_an_image"]
    assert found["calibration"]["model"]["haze"]["mu_mae"]["n"] == 1
    assert not {"recognition", "realism", "diversity", "change"} & set(found)


def test_changes_are_compared_with_the_simulators_seed_by_seed(place, tmp_path):
    found = evaluated(
        config(place, out=tmp_path, types="motion_blur", intensities=(0.3,), compare=2, size=64, pairs=None, real=None)
    )
    rows = read_jsonl(tmp_path / "samples.jsonl")
    mine = [row for row in rows if row["purpose"] == "change"]
    # 2 of 3 photos × 2 arms × (3 intensities × 2 seeds, less the one that the grid has)
    assert len(mine) == 2 * 2 * (3 * 2 - 1)
    section = found["change"]["motion_blur"]
    assert (section["photos"], section["versions"], section["distance"]["n"]) == (2, 2, 2)
    assert [point["intensity"] for point in section["by_intensity"]] == [0.3, 0.6, 0.9]
    photos = {row["photo"] for row in mine}
    simulated = [row for row in rows if row["arm"] == "simulator" and row["photo"] in photos]
    images = [
        [read_rgb(tmp_path / row[half]) for half in ("clean", "degraded")]
        for row in simulated
        if row["record"]["intensity"] in (0.3, 0.6, 0.9)
    ]
    shares = [change_statistics(*pair, True)[NAMES.index("coherence_global")] for pair in images]
    assert len(shares) == 12
    assert section["simulator"]["coherence_global"]["value"] == pytest.approx(np.median(shares), abs=1e-5)
    told = {row["id"]: row for row in found["headline"] if row["degradation"] == "motion_blur"}
    assert told["change_distance"]["wanted"] == 1.5 and told["change_at_0.6"]["value"] > 0
    assert told["change_spread"]["better"] == "higher"


def test_photos_too_small_or_too_few_have_no_changes_to_compare(place, results):
    assert results["change"] == {}
    assert not [row for row in read_jsonl(place / "out" / "samples.jsonl") if row["purpose"] == "change"]


def test_tables_of_photos(tmp_path):
    for name in ("a", "b", "c", "d"):
        write_image(photo(8, 8), tmp_path / f"{name}.png", "png")
    table = tmp_path / "index.csv"
    table.write_text(
        "path,kind,degradation,split\na.png,clean,,test\nb.png,clean,,train\nc.png,real,motion-blur,\nd.png,real,rain,train\n"
    )
    assert [one.file for one in open_photos([table], split="test")] == [tmp_path / "a.png"]
    assert {kind: [one.title for one in some] for kind, some in open_real(table, "test").items()} == {
        "motion_blur": ["c.png"]
    }
    table.write_text("path,degradation\nc.png,fog\n")
    with pytest.raises(BadManifest, match="line 2: no degradation is called 'fog'"):
        open_real(table, "test")
    with pytest.raises(BadOption, match="named after a degradation"):
        open_real(tmp_path, "test")
    with pytest.raises(MissingPath):
        open_photos([tmp_path / "none.csv"], split="test")
    table.write_text("name\na.png\n")
    with pytest.raises(BadManifest, match="column 'path'"):
        open_photos([table], split="test")


def test_photos_are_spread_over_the_whole_list():
    paths = [Path(str(i)) for i in range(10)]
    assert [int(str(path)) for path in spread(paths, 4)] == [0, 3, 6, 9]
    assert spread(paths, 0) == paths == spread(paths, 20)
