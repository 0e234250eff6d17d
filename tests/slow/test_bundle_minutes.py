"""A bundle fitted to a few minutes by its own clock, killed in both trainings, and gone on with by the same command."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from gendeg.model.weights import load_pipeline
from tests.few_pairs import write_pairs
from tests.tiny import clean_image, generators, photo

pytestmark = pytest.mark.slow
MINUTES = 4.0


def start(root: Path) -> "subprocess.Popen[bytes]":
    recipe = Path(__file__).parents[2] / "manifests" / "recipes" / "smoke.toml"
    command = ["bundle", str(root / "photos"), "--recipe", str(recipe), "--out", str(root / "out")]
    command += ["--minutes", str(MINUTES), "--pairs", str(root / "real" / "manifest.jsonl")]
    with open(root / "said.txt", "a") as said:
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        return subprocess.Popen([sys.executable, "-m", "gendeg", *command], env=environment, stderr=said)


def killed_at_a_checkpoint(root: Path, stage: str) -> None:
    process, until = start(root), time.monotonic() + 900
    while not any((root / "out" / stage).glob("checkpoint-*")):
        assert process.poll() is None and time.monotonic() < until, (root / "said.txt").read_text()
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_killed_twice_it_keeps_its_plan_and_ends_in_a_model(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for number in range(6):
        Image.fromarray(photo(72, 80, seed=number)).save(tmp_path / "photos" / f"{number}.png")
    write_pairs(tmp_path / "real", count=4, height=40, width=48)
    killed_at_a_checkpoint(tmp_path, "autoencoder")
    first = json.loads((tmp_path / "out" / "plan.json").read_text())
    killed_at_a_checkpoint(tmp_path, "diffusion")
    second = json.loads((tmp_path / "out" / "plan.json").read_text())
    assert second["autoencoder"] == first["autoencoder"]
    process = start(tmp_path)
    process.wait(timeout=900)
    said = (tmp_path / "said.txt").read_text()
    assert process.returncode == 0, said
    assert re.findall(r"^(\w+): \d+ steps, about", said, re.M) == ["autoencoder", "diffusion"], "each decided once"
    last = json.loads((tmp_path / "out" / "plan.json").read_text())
    assert {name: last[name] for name in ("autoencoder", "diffusion")} == {
        name: second[name] for name in ("autoencoder", "diffusion")
    }
    for stage in ("autoencoder", "diffusion"):
        rows = (tmp_path / "out" / stage / "log.csv").read_text().splitlines()
        assert float(rows[-1].split(",")[-1]) < 1e-5, "the learning rate has come down to zero at the planned end"
        assert int(rows[-1].split(",")[0]) == last[stage]["steps"]
        assert not (tmp_path / "out" / stage / "trial").exists()
    model = tmp_path / "out" / "model"
    image = load_pipeline(str(model))(clean_image(20, 28), ["a"], [0.1], [0.1], generators(0), degradations=["rain"])
    assert image.isfinite().all()
    assert (tmp_path / "out" / "priors" / "rain" / "simulated.json").is_file()
