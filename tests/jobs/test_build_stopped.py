"""A build that is stopped, by a signal or a full disk: nothing half-written stays, and it goes on to the same bytes."""

import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gendeg.jobs.build import build
from gendeg.primitives.errors import NotEnoughRoom, OutputNotWritable
from tests.builds import exit_code, finished_build, fork, small_build, tree

pytestmark = pytest.mark.usefixtures("unchecked")
"""A signal's exception that strikes within the check of a call would come out as one of the check."""


@pytest.mark.parametrize(("number", "grace"), [(signal.SIGTERM, 0.0), (signal.SIGINT, 0.0), (signal.SIGTERM, 60.0)])
def test_a_signal_drops_or_finishes_the_shard(tmp_path, number, grace, monkeypatch):
    from gendeg.model.generate import Generator
    from gendeg.primitives.errors import Interrupted

    calls, run = [0], Generator.degrade

    def interrupting(self, *arguments):
        calls[0] += 1
        if calls[0] == 4:
            os.kill(os.getpid(), number)
        return run(self, *arguments)

    config = small_build(tmp_path, grace=grace)
    monkeypatch.setattr(Generator, "degrade", interrupting)
    with pytest.raises(Interrupted) as caught:
        build(config)
    assert caught.value.signal == number
    assert not list(config.out.rglob("*.tmp")) and not (config.out / ".gendeg/lock.json").exists()
    done = list(config.out.glob("*/*.tar"))
    assert len(done) == len(list(config.out.glob(".gendeg/shards/*.json"))) == (2 if grace else 1)
    monkeypatch.setattr(Generator, "degrade", run)
    built = build(replace(config))
    assert built is not None and built.totals.written == 20


def test_a_disk_that_fills_up_stops_the_build_cleanly(tmp_path):
    config = small_build(tmp_path, shard_size=20, per_image=8)

    def starved() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        build(config)

    assert exit_code(fork(starved)) == 1
    assert not list(config.out.rglob("*.tmp")) and not list(config.out.rglob("*.tar"))
    built = build(config)
    assert built is not None and built.totals.written == 40
    assert max(path.stat().st_size for path in config.out.glob("*/*.tar")) > 100_000


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own; a test mounts it again with another size."""
    place = tmp_path / "small"
    place.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", place], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"may not mount a tmpfs here: {done.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", place], check=True)  # -l: the traceback of an error may still hold a file open


def resize_disk(place: Path, size: str) -> None:
    subprocess.run(["mount", "-o", f"remount,size={size}", place], check=True)


@pytest.mark.skipif(sys.platform != "linux", reason="tmpfs")
def test_a_full_disk_stops_the_build_at_any_point_and_more_room_completes_it(small_disk):
    finished = finished_build()
    shutil.copytree(finished / "photos", small_disk / "photos")
    config = small_build(small_disk, check_disk=False)
    stood = []
    for kilobytes in (76, 160, 320):
        resize_disk(small_disk, f"{kilobytes}k")
        with pytest.raises(OutputNotWritable, match="No space left on device"):
            build(config)
        assert not list(config.out.rglob("*.tmp")) and not (config.out / ".gendeg/lock.json").exists()
        stood.append(len(list(config.out.glob("*/*.tar"))))
    assert stood == sorted(stood) and stood[0] == 0 and 0 < stood[-1] < 8, stood
    resize_disk(small_disk, "200m")
    build(config)
    assert tree(config.out) == tree(finished / "out")


def test_not_enough_room_is_said_in_a_unit_that_fits(small_disk):
    resize_disk(small_disk, "160k")
    with pytest.raises(NotEnoughRoom, match=r"about \d+\.\d kB to write but \d+\.\d kB free"):
        build(small_build(small_disk))
