"""Task transfer on constructed photos: teachers that cannot fail, arms that differ in one thing only, runs gone on."""

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from gendeg.primitives.errors import BadOption, DifferentRun, MissingPath, NoPairs
from gendeg.primitives.images import write_image
from gendeg.restore.config import TaskConfig, TransferConfig
from gendeg.restore.networks.nafnet import NAFRestorer
from gendeg.restore.transfer.compare import ALL_PAIRS, SCRATCH, TRANSFERRED, tabulate
from gendeg.restore.transfer.teachers import fresh_restorer
from gendeg.restore.transfer.transfer import Transfer, distill, fine_tune, open_task, train_teachers, transfer
from tests.few_pairs import write_pairs


def write_photos(folder: Path, degraded: bool, count: int = 5) -> Path:
    """Flat photos of several greys, or striped ones."""
    folder.mkdir(parents=True)
    for number in range(count):
        image = np.full((24, 32, 3), 90 + 70 * number // count, np.uint8)
        if degraded:
            image[:, ::4], image[:, 1::4] = 255, 0
        write_image(image, folder / f"{number}.png", "png")
    return folder


def settings(folder: Path) -> dict[str, Any]:
    """Photos and pairs on disk, and a run of four steps a stage."""
    write_photos(folder / "real" / "haze", degraded=True)
    return {
        "pairs": (write_pairs(folder / "pairs"),),
        "test": (write_pairs(folder / "test", count=4),),
        "real": folder / "real",
        "clean": write_photos(folder / "clean", degraded=False),
        "type": "haze",
        "out": folder / "run",
        "share": 0.5,
        "size": 16,
        "short_side": 0,
        "batch_size": 4,
        "steps": 4,
        "teacher_steps": 4,
        "distill_steps": 4,
        "seeds": 1,
        "checkpoint_every": 2,
        "workers": 1,
        "cpu": True,
    }


@pytest.fixture
def given(tmp_path: Path) -> dict[str, Any]:
    return settings(tmp_path)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, Any]]:
    """A run that is done: its settings, and what it told. Never changed: tests go on with copies."""
    config = settings(tmp_path_factory.mktemp("whole"))
    return config, transfer(TransferConfig(**config))


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "diffusion_pytorch_model.safetensors")


def equal(first: Path, second: Path) -> bool:
    one, other = weights(first), weights(second)
    return all(torch.equal(one[name], other[name]) for name in one)


def logged(folder: Path) -> list[dict[str, str]]:
    with open(folder / "log.csv", newline="") as stream:
        return list(csv.DictReader(stream))


def test_teachers_of_tasks_that_cannot_be_failed(given: dict[str, Any]) -> None:
    """Flat against striped is told without error; what was not scattered is restored by doing nothing."""
    told = train_teachers(
        open_task(TransferConfig(**given | {"teacher_steps": 30, "learning_rate": 5e-3, "scatter": 0.0}))
    )
    assert told["classifier"]["accuracy"]["value"] == 1.0
    assert told["classifier"]["by_class"] == {"clean": 1.0, "degraded": 1.0}
    assert told["scattering"] == {"psnr_scattered": 100.0, "psnr": pytest.approx(100.0, abs=1e-3)}
    losses = [float(row["loss"]) for row in logged(given["out"] / "teachers" / "scattering")]
    assert max(losses) < 1e-6


def test_arms_differ_in_what_they_are_compared_by_and_change_nothing_done_before(
    whole: tuple[dict[str, Any], dict[str, Any]], tmp_path: Path
) -> None:
    config = whole[0] | {"out": shutil.copytree(whole[0]["out"], tmp_path / "run"), "seeds": 2}
    arms = {name: config["out"] / "seed-0" / name for name in (TRANSFERRED, SCRATCH, ALL_PAIRS)}
    stamps = {path: path.stat().st_mtime_ns for path in arms[TRANSFERRED].rglob("*") if path.is_file()}
    told = transfer(TransferConfig(**config, compare=True))
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in stamps.items())
    assert {arm: one["pairs"] for arm, one in told["arms"].items()} == {TRANSFERRED: 2, SCRATCH: 2, ALL_PAIRS: 4}
    assert {logged(folder)[-1]["step"] for folder in arms.values()} == {"4"}
    stages = [json.loads((folder / "config.json").read_text()) | {"out": ""} for folder in arms.values()]
    assert stages[0] == stages[1] == stages[2]
    assert told["test"]["n"] == 3 and told["test"]["seeds"] == 2, "the haze pairs of the test manifest"
    scores = {arm: told["test"][arm]["psnr"]["value"] for arm in arms}
    difference = told["test"][f"{TRANSFERRED} - {SCRATCH}"]["psnr"]["value"]
    assert difference == pytest.approx(scores[TRANSFERRED] - scores[SCRATCH], abs=1e-5)
    assert len(tabulate(told).splitlines()) == 12
    assert (config["out"] / "real.png").exists() and equal(config["out"] / "model", arms[TRANSFERRED] / "model")


def test_an_arm_from_scratch_on_a_share_of_one_is_that_on_all(given: dict[str, Any]) -> None:
    task = open_task(TransferConfig(**given | {"share": 1.0}))
    assert equal(fine_tune(task, SCRATCH, 0), fine_tune(task, ALL_PAIRS, 0))


def test_minorities(given: dict[str, Any]) -> None:
    task = open_task(TransferConfig(**given))
    assert task.pairs_of(TRANSFERRED, 3) == task.pairs_of(SCRATCH, 3)
    drawn = {tuple(pair.photo for pair in task.pairs_of(SCRATCH, seed)) for seed in range(8)}
    assert len(drawn) > 1, "another seed draws other pairs"
    assert len(Transfer(replace(task.config, share=1e-6), task.photos, task.pairs, ()).pairs_of(SCRATCH, 0)) == 1


def test_the_student_is_the_seeds_network_with_another_encoder(whole: tuple[dict[str, Any], dict[str, Any]]) -> None:
    task = open_task(TransferConfig(**whole[0]))
    student, fresh = distill(task, 0).state_dict(), fresh_restorer(TaskConfig((), Path(), seed=0)).state_dict()
    decoder = [name for name in student if name.split(".")[0] in NAFRestorer.ONLY_DECODES]
    assert decoder and all(torch.equal(student[name], fresh[name]) for name in decoder)
    assert not any(torch.equal(student[name], fresh[name]) for name in ("intro.weight", "downs.0.weight"))


@pytest.mark.parametrize(
    "stage", ["teachers/classifier", "teachers/scattering", "seed-0/student", "seed-0/transferred"]
)
def test_an_interrupted_stage_goes_on_to_the_same_numbers(
    whole: tuple[dict[str, Any], dict[str, Any]], tmp_path: Path, stage: str
) -> None:
    """As if it was killed after its second step, and the stages after it never began."""
    config, told = whole
    out = shutil.copytree(config["out"], tmp_path / "run")
    if stage != "seed-0/transferred":
        shutil.rmtree(out / "seed-0" / ("transferred" if stage == "seed-0/student" else ""))
    (out / stage / "done.json").unlink()
    shutil.rmtree(out / stage / "checkpoint-00000004")
    shutil.rmtree(out / stage / "model")
    again = transfer(TransferConfig(**config | {"out": out}))
    assert again | {"config": None} == told | {"config": None}
    for place in (stage, "seed-0/transferred", "."):
        assert equal(out / place / "model", config["out"] / place / "model"), place


@pytest.mark.parametrize("changed", [{"share": 0.25}, {"steps": 5}, {"teacher_steps": 5}, {"scatter": 1.0}])
def test_other_settings_need_another_folder(given: dict[str, Any], changed: dict[str, Any]) -> None:
    open_task(TransferConfig(**given))
    with pytest.raises(
        DifferentRun, match=rf"other {next(iter(changed))} \([\d.]+ -> {next(iter(changed.values()))}\); use"
    ):
        transfer(TransferConfig(**given | changed))


def test_other_photos_and_pairs_need_another_folder(given: dict[str, Any]) -> None:
    open_task(TransferConfig(**given))
    write_image(np.zeros((24, 24, 3), np.uint8), given["real"] / "haze" / "new.png", "png")
    write_pairs(given["pairs"][0].parent, count=12)
    with pytest.raises(DifferentRun, match="other photos, train pairs"):
        open_task(TransferConfig(**given))


@pytest.mark.parametrize(
    "changed, error, says",
    [
        ({"share": 0.0}, BadOption, "--share: must lie above 0 and at most at 1, got 0"),
        ({"share": 1.5}, BadOption, "got 1.5"),
        ({"type": "rain"}, BadOption, r"--real: .*real: 0 photos of rain, 2 are needed \(haze 5\)"),
        ({"size": 20}, BadOption, "--size: must be a multiple of 8"),
        ({"test": ()}, BadOption, "--test: is needed with --compare"),
        ({"real": Path("/nowhere")}, MissingPath, "/nowhere"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_what_is_refused_before_a_folder_is_made(
    given: dict[str, Any], changed: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        transfer(TransferConfig(**given | {"compare": True} | changed))
    assert not given["out"].exists()


def test_pairs_that_do_not_serve(given: dict[str, Any]) -> None:
    write_photos(given["real"] / "snow", degraded=True)
    with pytest.raises(NoPairs, match="no pairs of snow"):
        transfer(TransferConfig(**given | {"type": "snow"}))
    with pytest.raises(BadOption, match="--test: 4 of its pairs are trained on"):
        transfer(TransferConfig(**given | {"test": given["pairs"]}))


def test_one_photo_is_not_enough(given: dict[str, Any], tmp_path: Path) -> None:
    alone = write_photos(tmp_path / "one", degraded=False, count=1)
    with pytest.raises(BadOption, match="--clean: .*one: 1 photos, 2 are needed"):
        transfer(TransferConfig(**given | {"clean": alone}))
