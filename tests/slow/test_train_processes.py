"""`gendeg train` as processes: killed and resumed it is the same run; two processes share it; LoRA trains little."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import torch
from safetensors import safe_open

from gendeg.model.weights import load_pipeline
from tests.few_pairs import write_pairs
from tests.tiny import clean_image, generators, tiny_pipeline

pytestmark = pytest.mark.slow
RANK = ("--lora-rank", "1")
DIFFUSION = ("diffusion", "--preset", "smoke", "--cpu", "--size", "16", "--init")
DISTILL = (
    "distill", "--cpu", "--size", "16", "--steps", "2", "--teacher-steps", "4", "--updates", "12", "--batch-size", "2",
    "--precision", "no", "--warmup", "0", "--workers", "1", "--log-every", "1", "--checkpoint-every", "2",
    "--sheet-photos", "1", "--tracker", "none", "--model",
)  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("train")
    write_pairs(root / "pairs")
    tiny_pipeline().save_pretrained(root / "base")
    return root


def start(place: Path, out: Path, world: int, *more: str, what: tuple[str, ...] = DIFFUSION) -> subprocess.Popen:
    """A training of the base on `world` processes, told by torchrun as a user would."""
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(world)] if world > 1 else []
    command = [sys.executable, *launcher, "-m", "gendeg", "train", *what, str(place / "base"), "--pairs",
               str(place / "pairs" / "manifest.jsonl"), "--out", str(out), *more]  # fmt: skip
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.getcwd()}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finish(process: subprocess.Popen) -> None:
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 0, said


def steps_logged(out: Path) -> int:
    log = out / "log.csv"
    return max(len(log.read_text().splitlines()) - 1, 0) if log.exists() else 0


def kill_after(process: subprocess.Popen, out: Path, steps: int) -> None:
    """SIGKILL for the launcher and its workers as soon as so many steps are logged."""
    deadline = time.monotonic() + 300
    while steps_logged(out) < steps and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.002)
    for child in [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]:
        child.kill()
    process.communicate()


@pytest.mark.parametrize(
    ("what", "world", "more"), [(DIFFUSION, 1, ()), (DIFFUSION, 2, ()), (DISTILL, 2, ()), (DISTILL, 2, RANK)]
)
def test_killed_and_resumed_it_is_the_same_run_to_the_last_bit(
    place: Path, tmp_path: Path, what: tuple[str, ...], world: int, more: tuple[str, ...]
) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    finish(start(place, whole, world, *more, what=what))
    assert json.loads((whole / "config.json").read_text())["processes"] == world
    kill_after(process=start(place, broken, world, *more, what=what), out=broken, steps=5)
    assert 5 <= steps_logged(broken) < 12 and not (broken / "model").exists()
    finish(start(place, broken, world, *more, "--resume", what=what))
    assert (broken / "log.csv").read_text() == (whole / "log.csv").read_text()
    name = "model/unet/diffusion_pytorch_model.safetensors"
    assert (broken / name).read_bytes() == (whole / name).read_bytes()
    refused = start(place, broken, 3 - world, *more, "--resume", what=what)
    said, _ = refused.communicate(timeout=300)
    assert refused.returncode != 0 and "processes" in said


def test_two_processes_train_all_weights_or_few_and_both_generate(place: Path, tmp_path: Path) -> None:
    for name, more in (("full", ()), ("lora", RANK)):
        finish(start(place, tmp_path / name, 2, *more))
        assert json.loads((tmp_path / name / "config.json").read_text())["processes"] == 2
        pipeline = load_pipeline(str(tmp_path / name / "model"))
        image = pipeline(clean_image(16, 24), ["a photo, in hazy conditions"], [0.1], [0.1], generators(0), steps=2)
        assert image.isfinite().all() and image.shape == (1, 3, 16, 24)
    base, full = load_pipeline(str(place / "base")), load_pipeline(str(tmp_path / "full" / "model"))
    moved = [not torch.equal(a, b) for a, b in zip(base.unet.parameters(), full.unet.parameters(), strict=True)]
    assert sum(moved) > 0.9 * len(moved)
    trained = 0
    for path in (tmp_path / "lora" / "lora").glob("*.safetensors"):
        with safe_open(path, "pt") as file:
            trained += sum(file.get_tensor(key).numel() for key in file.keys())  # noqa: SIM118
    modules = (base.vae, base.unet, base.text_encoder, base.conditioner)
    total = sum(weight.numel() for module in modules for weight in module.parameters())
    print(f"LoRA trains {trained} of {total} weights: {trained / total:.1%}")
    assert 0 < trained < 0.05 * total
