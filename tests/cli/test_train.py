"""gendeg train from outside: what stands on the command line counts, a 0 and a --no-… too; going on to a later end."""

import json
from pathlib import Path

import pytest

from gendeg.cli import main
from gendeg.model.weights import load_pipeline, model_sha256
from gendeg.primitives.errors import OtherLength
from gendeg.training.state import start
from tests.few_pairs import write_pairs
from tests.tiny import tiny_pipeline

PRESET = """
[diffusion]
init = "nowhere"
size = 16
batch_size = 1
steps = 1
warmup = 7
seed = 3
learning_rate = 1e-3
weights = "haze=2"
lora_rank = 2
short_side = 24
cache_latents = true
compile = true
gradient_checkpointing = true
cpu = true
precision = "no"
tracker = "none"
workers = 1
sheet_photos = 1
"""
OVER = [
    "--warmup", "0", "--seed", "0", "--learning-rate", "0", "--weights", "", "--lora-rank", "0", "--short-side", "0",
    "--no-cache-latents", "--no-compile", "--no-gradient-checkpointing",
]  # fmt: skip


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_pairs(tmp_path / "pairs", count=4)
    tiny_pipeline(structure=False).save_pretrained(tmp_path / "model")
    (tmp_path / "mine.toml").write_text(PRESET)
    return tmp_path


def train(*arguments: str) -> int:
    with pytest.raises(SystemExit) as stop:
        main(["train", "diffusion", "--pairs", "pairs/manifest.jsonl", "--out", "run", *arguments])
    return stop.value.code


def settings(folder: Path) -> dict:
    return json.loads((folder / "run" / "config.json").read_text())


def test_a_given_zero_goes_over_the_preset(place: Path) -> None:
    assert train("--preset", "mine.toml", "--init", "model", *OVER) == 0
    found = settings(place)
    wanted = {
        "warmup": 0, "seed": 0, "learning_rate": 0.0, "weights": "", "lora_rank": 0, "short_side": 0,
        "cache_latents": False, "compile": False, "gradient_checkpointing": False,
    }  # fmt: skip
    assert {name: found[name] for name in wanted} == wanted
    assert (found["init"], found["batch_size"], found["cpu"]) == ("model", 1, True), "the rest is the preset's"


def test_an_empty_start_is_none(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train("--preset", "mine.toml", "--init", "") == 2
    assert "give one of the three" in capsys.readouterr().err and not (place / "run").exists()


TINY = ["--init", "model", "--size", "16", "--batch-size", "2", "--precision", "no", "--cpu", "--tracker", "none",
        "--workers", "1", "--sheet-photos", "1", "--sheet-every", "9", "--warmup", "0"]  # fmt: skip


def test_a_constant_run_goes_on_to_more_steps_and_is_the_longer_run(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    constant = [*TINY, "--schedule", "constant"]
    assert train(*constant, "--steps", "2") == 0
    assert train(*constant, "--steps", "4", "--resume") == 0
    assert settings(place)["steps"] == 4
    assert train(*constant, "--steps", "3", "--resume") == 2
    assert "has done 4 already, got 3" in capsys.readouterr().err
    (place / "run").rename(place / "extended")
    assert train(*constant, "--steps", "4") == 0
    kept = [model_sha256(load_pipeline(str(folder / "model"))) for folder in (place / "extended", place / "run")]
    assert kept[0] == kept[1]


def test_a_cosine_says_the_way_out_and_takes_it(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train(*TINY, "--steps", "2") == 0
    capsys.readouterr()
    assert train(*TINY, "--steps", "3", "--resume") == 1
    assert "--extend goes on to 3" in capsys.readouterr().err
    assert train(*TINY, "--steps", "3", "--resume", "--extend") == 0
    assert settings(place)["steps"] == 3
    assert train(*TINY, "--steps", "2", "--resume", "--extend") == 1
    assert "ask for 3, or for another --out" in capsys.readouterr().err


def test_a_shorter_cosine_has_no_way_out(tmp_path: Path) -> None:
    from gendeg.training.config import TrainConfig

    config = TrainConfig((tmp_path / "m.jsonl",), tmp_path / "run", precision="no", cpu=True, tracker="none", steps=9)
    start(config)
    with pytest.raises(OtherLength, match="ask for 9, or for another --out"):
        start(TrainConfig(config.pairs, config.out, precision="no", cpu=True, tracker="none", steps=5, resume=True,
                          extend=True))  # fmt: skip
