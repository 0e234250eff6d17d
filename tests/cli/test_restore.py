"""gendeg restore from outside: train, eval and apply in a row, exit codes, one-line errors."""

import json
from pathlib import Path

import pytest

from gendeg.primitives.images import write_image
from gendeg.restore.loading import save_restorer
from tests.cli.test_commands import run
from tests.few_pairs import write_pairs
from tests.restorers import small_restorer
from tests.tiny import photo


@pytest.mark.slow
def test_train_eval_and_apply_follow_each_other(tmp_path: Path) -> None:
    write_pairs(tmp_path / "pairs")
    trained = run(
        "restore", "train", "--data", "pairs", "--out", "run", "--steps", "2", "--size", "32", "--batch-size", "2",
        "--cpu", "--tracker", "none", "--content-prior", "autoencoder", "--no-detail-path", cwd=tmp_path,
    )  # fmt: skip
    assert trained.returncode == 0, trained.stderr
    assert trained.stderr.endswith("restorer in run/model\n")
    measured = run(
        "restore", "eval", "run", "--pairs", "pairs/manifest.jsonl", "--split", "validation", "--out", "scores",
        "--device", "cpu", cwd=tmp_path,
    )  # fmt: skip
    assert measured.returncode == 0, measured.stderr
    assert [line.split()[0] for line in measured.stdout.splitlines()][:2] == ["degradation", "haze"]
    assert json.loads((tmp_path / "scores" / "results.json").read_text())["summary"][-1]["n"] == 2
    (tmp_path / "pairs" / "broken.png").write_bytes(b"")
    applied = run(
        "restore", "apply", "run", "pairs/d0.png", "pairs/broken.png", "--out", "restored", "--json", "--device", "cpu",
        cwd=tmp_path,
    )  # fmt: skip
    assert applied.returncode == 3, applied.stderr
    assert [json.loads(line).get("restored") for line in applied.stdout.splitlines()] == [None, "d0.restored.png"]
    assert "1 photos in restored; 1 failed" in applied.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["train", "--data", "none.jsonl", "--out", "y"], 1, "no such file"),
        (["train", "--data", "photos", "--out", "y"], 1, "not a dataset"),
        (["train", "--data", "x", "--out", "y", "--model", "unet"], 2, "gendeg restore train --help"),
        (["train", "--data", "photos", "--out", "y", "--autoencoder", "z"], 2, "--content-prior"),
        (["train", "--data", "photos", "--out", "y", "--no-detail-path"], 2, "--content-prior"),
        (["eval", "model", "--pairs", "none.jsonl", "--out", "y"], 1, "no such file"),
        (["eval", "model", "--pairs", "photos", "--out", "y"], 1, "not a dataset"),
        (["eval", "none", "--pairs", "photos", "--out", "y"], 1, "none: no such file or folder"),
        (["apply", "none", "photos", "--out", "y"], 1, "none: no such file or folder"),
        (["apply", "model", "none", "--out", "y"], 1, "no such file"),
        (["apply", "model", "photos", "--out", "y", "--tile", "32", "--overlap", "32"], 2, "--tile"),
        (["apply", "odd", "photos", "--out", "y"], 1, "holds Odd, not NAFRestorer"),
    ],
)
def test_bad_input_is_one_line_and_an_exit_code(
    tmp_path: Path, arguments: list[str], code: int, says: str, capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    from gendeg.cli import main

    monkeypatch.chdir(tmp_path)
    save_restorer(small_restorer(), Path("model"))
    save_restorer(small_restorer(), Path("odd"))
    config = Path("odd/config.json")
    config.write_text(config.read_text().replace("NAFRestorer", "Odd"))
    Path("photos").mkdir()
    write_image(photo(8, 8), "photos/a.png", "png")
    with pytest.raises(SystemExit) as stop:
        main(["restore", *arguments])
    said = capfd.readouterr()
    assert stop.value.code == code, said.err
    assert says in said.err and len(said.err.strip().splitlines()) == 1 and said.out == ""
    assert not Path("y").exists()
