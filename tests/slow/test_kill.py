"""kill -9 at random moments, for real: the end is always the same bytes, and little is made twice."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from gendeg.build.build import build
from gendeg.build.verify import verify
from gendeg.shards.verify import Depth
from tests.builds import exit_code, finished_build, fork_world, log_rows, model_folder, priors_folder, small_build, tree

KILLS = 20
pytestmark = pytest.mark.slow


@pytest.mark.parametrize("size", [1, 2])
def test_twenty_kills_and_the_same_bytes(tmp_path, size):
    torch.set_num_threads(1)
    finished = finished_build()
    shutil.copytree(finished / "photos", tmp_path / "photos")
    config, chance = small_build(tmp_path), random.Random(size)
    timed = small_build(tmp_path, out=tmp_path / "timed")
    start = time.monotonic()
    assert [exit_code(child) for child in fork_world(lambda: build(timed), size)] == [0] * size
    whole = time.monotonic() - start
    killed = 0
    while killed < KILLS:
        children = fork_world(lambda: build(config), size)
        time.sleep(chance.uniform(0.05, 0.9) * whole / 2)
        victim = chance.choice(children)
        os.kill(victim, signal.SIGKILL)
        for child in children:  # as the launcher does when one process is gone
            os.kill(child, signal.SIGKILL)
        codes = [exit_code(child) for child in children]
        killed += codes[children.index(victim)] == -signal.SIGKILL
        if len(list(config.out.glob(".gendeg/shards/*.json"))) == 8 and killed < KILLS:
            _forget_some(config.out, chance)
    assert [exit_code(child) for child in fork_world(lambda: build(config), size)] == [0] * size
    assert tree(config.out) == tree(finished / "out")
    assert list(verify(config.out, Depth(images=True))) == []


def _forget_some(out: Path, chance: random.Random) -> None:
    """The build was done before all kills were dealt: half of its shards go, so that there is work to interrupt."""
    for mark in chance.sample(sorted(out.glob(".gendeg/shards/*.json")), 4):
        mark.unlink()


@pytest.mark.parametrize("size", [1, 2])
def test_no_more_than_a_shard_a_worker_and_kill_is_made_twice(tmp_path, size):
    torch.set_num_threads(1)
    config, chance, kills = small_build(tmp_path), random.Random(7 + size), 0
    while True:
        children = fork_world(lambda: build(config), size)
        enough = len(log_rows(config.out)) + chance.randint(2, 6) * size
        deadline = time.monotonic() + 60
        while len(log_rows(config.out)) < enough and time.monotonic() < deadline:
            if all(os.waitid(os.P_PID, c, os.WEXITED | os.WNOHANG | os.WNOWAIT) for c in children):
                break
            time.sleep(0.01)
        for child in children:
            os.kill(child, signal.SIGKILL)
        if all(exit_code(child) == 0 for child in children):
            break
        kills += 1
        assert kills < 60, "the build does not get on"
    made = sum(row["images"] for row in log_rows(config.out) if row["event"] == "batch")
    assert kills > 0 and 20 <= made <= 20 + kills * size * config.shard_size


def test_torchrun_starts_two_processes_and_makes_the_same_bytes(tmp_path):
    finished = finished_build()
    shutil.copytree(finished / "photos", tmp_path / "photos")
    words = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "-m", "gendeg", "build",
        str(tmp_path / "photos"), "--out", str(tmp_path / "out"), "--model", str(model_folder()),
        "--priors", str(priors_folder()),
        "--types", "haze,rain", "--per-image", "4", "--shard-size", "3", "--batch-size", "2", "--steps", "2",
        "--tolerance", "1", "--structure", "-1", "--device", "cpu", "--workers", "2", "--no-estimate",
    ]  # fmt: skip
    ran = subprocess.run(words, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}, timeout=1200)
    assert ran.returncode == 0, ran.stderr
    assert {row["rank"] for row in log_rows(tmp_path / "out") if row["event"] == "shard"} == {0, 1}
    assert tree(tmp_path / "out") == tree(finished / "out")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_stopped_command_says_so_by_its_exit_code(tmp_path, number, code):
    config = small_build(tmp_path, per_image=40)
    words = [
        sys.executable, "-m", "gendeg", "build", str(tmp_path / "photos"), "--out", str(config.out),
        "--model", config.model,
        "--priors", config.priors, "--types", "haze", "--per-image", "40", "--shard-size", "200",
        "--batch-size", "1", "--steps", "4",
        "--tolerance", "1", "--structure", "-1", "--device", "cpu", "--grace", "0", "--no-estimate",
    ]  # fmt: skip
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        while not any(row["event"] == "batch" for row in log_rows(config.out)) and process.poll() is None:
            time.sleep(0.05)
        process.send_signal(number)
        said = process.communicate(timeout=300)[1]
    assert process.returncode == code, said
    assert not list(config.out.rglob("*.tmp")) and not list(config.out.rglob("*.tar"))
