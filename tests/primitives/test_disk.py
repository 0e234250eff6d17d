"""Disks that lack something: done without, said once; a broken one is an error as before."""

import errno
import os
import stat
from pathlib import Path

import pytest

from gendeg.model.saving import write_folder
from gendeg.primitives import disk, files
from gendeg.primitives.errors import OutputNotWritable
from gendeg.shards.plan import written_plan
from gendeg.shards.writer import ShardWriter, StoredSample

LACKS = [errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EPERM, errno.EBADF]
BROKEN = [errno.EIO, errno.ENOSPC, errno.EDQUOT]


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "_said", set())


def refuse_fsync(monkeypatch: pytest.MonkeyPatch, code: int, what: str) -> None:
    """Of folders alone, as most network disks do, or of everything."""
    real = os.fsync

    def fsync(descriptor: int) -> None:
        if what == "all" or stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(code, os.strerror(code))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)


def write_all(folder: Path) -> list[Path]:
    """Whatever is written to a temporary name first."""
    paths = [folder / name for name in ("a.json", "b.tar", "c.parquet")]
    files.atomic_write(paths[0], "{}")
    with ShardWriter(paths[1]) as writer:
        writer.add(StoredSample("k", b"clean", "png", b"degraded", b"{}"))
    with written_plan(paths[2]):
        pass
    return paths


@pytest.mark.parametrize("what", ["folders", "all"])
@pytest.mark.parametrize("code", LACKS)
def test_without_fsync_files_are_written_and_it_is_said_once(tmp_path, monkeypatch, capsys, code, what):
    refuse_fsync(monkeypatch, code, what)
    for _ in range(2):
        paths = write_all(tmp_path)
    assert sorted(tmp_path.iterdir()) == paths and all(path.stat().st_size for path in paths)
    said = capsys.readouterr().err.splitlines()
    assert len(said) == (1 if what == "folders" else 2) and all("gendeg verify finds them" in line for line in said)


@pytest.mark.parametrize("code", BROKEN)
def test_a_broken_disk_is_said_to_be_one(tmp_path, monkeypatch, capsys, code):
    refuse_fsync(monkeypatch, code, "folders")
    with pytest.raises(OutputNotWritable, match=os.strerror(code)):
        write_all(tmp_path)
    assert capsys.readouterr().err == "" and not list(tmp_path.glob(".*"))


def test_only_the_first_of_several_processes_says_it(tmp_path, monkeypatch, capsys):
    refuse_fsync(monkeypatch, errno.EINVAL, "folders")
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    write_all(tmp_path)
    assert capsys.readouterr().err == ""


def test_weights_are_saved_where_permissions_cannot_be_set(tmp_path, monkeypatch, capsys):
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    def write(folder: Path) -> None:
        folder.mkdir()
        (folder / "a.safetensors").write_bytes(b"w")

    monkeypatch.setattr(Path, "chmod", refuse)
    write_folder(tmp_path / "model", write)
    assert (tmp_path / "model" / "a.safetensors").read_bytes() == b"w"
    assert "permissions" in capsys.readouterr().err


def test_room_is_unknown_where_the_disk_tells_no_size(tmp_path, monkeypatch):
    assert (disk.free_bytes(tmp_path) or 0) > 0
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda folder: type("Usage", (), {"total": 0, "free": 0})())
    assert disk.free_bytes(tmp_path) is None
    assert disk.free_bytes(tmp_path / "gone") is None
