"""A build by several processes, and by the command line: the same bytes, and exit codes that say what happened."""

import json
import os
import shutil
from pathlib import Path

import pytest

from gendeg.build.build import build
from gendeg.cli import main
from gendeg.primitives.lock import FolderLock
from gendeg.shards.layout import Layout
from tests.builds import copy_build, exit_code, finished_build, fork, fork_world, log_rows, small_build, tree


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The root of a copy that may be damaged."""
    return copy_build(tmp_path)


@pytest.fixture
def finished() -> Path:
    """A dataset that was built without interruption; only to be read."""
    return finished_build()


@pytest.mark.parametrize("size", [2, 3])
def test_the_number_of_processes_does_not_show_in_the_bytes(finished, tmp_path, size):
    shutil.copytree(finished / "photos", tmp_path / "photos")
    config = small_build(tmp_path)
    children = fork_world(lambda: build(config), size)
    assert [exit_code(child) for child in children] == [0] * size
    ranks = {row["rank"] for row in log_rows(config.out) if row["event"] == "shard"}
    assert ranks == set(range(size)), "not as many processes as were asked for made shards"
    assert tree(config.out) == tree(finished / "out")


def test_a_leader_that_is_refused_lets_the_others_go(copy):
    config = small_build(copy, seed=1)
    codes = [exit_code(child) for child in fork_world(lambda: build(config), 2)]
    assert codes == [1, 0]


# --- the command line ---


def test_exit_codes_of_the_command_line(copy, capfd):
    def gendeg(*words: str) -> int:
        return exit_code(fork(lambda: main(list(words))))

    out = str(copy / "out")
    assert gendeg("verify", out) == 0
    assert gendeg("status", out, "--json") == 0
    row = json.loads(capfd.readouterr().out.splitlines()[-1])
    assert (row["done"], row["written"], row["running"]) == (8, 20, False)
    (copy / "out/haze/train-00000.tar").unlink()
    assert gendeg("verify", out, "--quick", "--json") == 1
    assert json.loads(capfd.readouterr().out)["shard"] == "haze/train-00000"
    with FolderLock(Layout(copy / "out").lock, copy / "out"):
        assert gendeg("repair", out, "--device", "cpu") == 1
        lines = [line for line in capfd.readouterr().err.splitlines() if line.startswith("gendeg:")]
        assert len(lines) == 1 and f"in use by process {os.getpid()}" in lines[0]
    assert gendeg("repair", out, "--device", "cpu") == 0
    assert gendeg("push", out, "user/name", "--dry-run") == 0
    files = capfd.readouterr().out.splitlines()
    names = {f"user/name/{file}" for file in ("README.md", ".gendeg/plan.parquet", ".gendeg/inputs.json")}
    assert names.intersection(files) == names - {"user/name/.gendeg/inputs.json"}
    assert gendeg("build", str(copy / "nowhere"), "--out", out) == 1
    assert gendeg("build", str(copy / "photos"), "--out", out, "--split", "train=2") == 2


def test_a_build_with_bad_photos_says_how_many_and_exits_with_3(tmp_path, capfd):
    config = small_build(tmp_path)
    (tmp_path / "photos/bad.jpg").write_text("no picture")
    words = [
        "build",
        str(tmp_path / "photos"),
        "--out",
        str(config.out),
        "--model",
        config.model,
        "--priors",
        config.priors,
    ]
    words += [
        "--types",
        "haze",
        "--per-image",
        "1",
        "--steps",
        "2",
        "--tolerance",
        "1",
        "--structure=-1",
        "--device",
        "cpu",
    ]
    assert exit_code(fork(lambda: main(words))) == 3
    said = capfd.readouterr().err
    assert (
        "photos left out: 1 (not_an_image 1); each is named in" in said and "5 of 5 samples written, 0 failed" in said
    )
    assert "seconds on one process like this" in said  # the estimate, before it started
    assert exit_code(fork(lambda: main(words))) == 3  # nothing to make any more: still not all is there
