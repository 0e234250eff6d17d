"""The folder's lock: one holder, a dead one is recognised, on disks and in containers of every kind."""

import errno
import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from gendeg.primitives import disk, lock
from gendeg.primitives.errors import FolderInUse, OutputNotWritable
from gendeg.primitives.lock import DEAD_AFTER, NAMESAKE, FolderLock, Holder, is_alive, read_holder
from gendeg.primitives.processes import is_running, start_of, this_process
from tests.builds import exit_code, fork


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(disk, "_said", set())
    return tmp_path / "lock.json"


def test_the_second_is_refused_until_the_first_is_gone(path):
    with FolderLock(path, path.parent):
        with pytest.raises(FolderInUse) as caught, FolderLock(path, path.parent):
            pass
        here = this_process()
        assert (caught.value.host, caught.value.pid) == (here.host, here.pid)
        assert "\n" not in str(caught.value)
    with FolderLock(path, path.parent):
        pass
    assert list(path.parent.iterdir()) == []


def _write(path: Path, age: float = 0.0, **changes: object) -> Holder:
    """A lock as somebody else left it; fields that are None are missing."""
    row = asdict(Holder(**asdict(this_process()), token="x")) | changes
    path.write_text(json.dumps({name: value for name, value in row.items() if value is not None}))
    os.utime(path, (time.time() - age,) * 2)
    holder = read_holder(path)
    assert holder is not None
    return holder


def _refused(path: Path) -> bool:
    try:
        with FolderLock(path, path.parent):
            told = read_holder(path)
            assert told is not None and told.pid == os.getpid() and told.token != "x"
    except FolderInUse:
        return True
    return False


@pytest.mark.parametrize("change", [{"started": 1.0}, {"pid": 2**22 + 5}, {"pid": 2**70}])
def test_a_dead_holder_is_taken_over(path, change):
    _write(path, **change)
    assert not _refused(path)


def test_a_corpse_is_no_holder(path):
    child = os.fork()
    if child == 0:
        time.sleep(0.2)
        os._exit(0)
    began = start_of(child)
    assert began is not None
    _write(path, pid=child, started=began)
    assert is_alive(read_holder(path), path)
    time.sleep(0.4)
    assert not is_alive(read_holder(path), path), "dead, but not yet taken note of"
    os.waitpid(child, 0)


@pytest.mark.parametrize(
    ("change", "patience"),
    [
        ({"host": "elsewhere", "boot": "another"}, DEAD_AFTER),
        ({"host": "elsewhere", "boot": None, "namespace": None, "token": "x"}, DEAD_AFTER),  # an earlier version's
        ({"boot": "another"}, NAMESAKE),  # this machine before it was started again, or one of the same name
        ({"namespace": 1}, DEAD_AFTER),  # a container beside this one, on a disk without file locks
        ({"namespace": 1, "flocked": True, "device": -1}, DEAD_AFTER),  # it sees the folder through another mount
    ],
)
def test_a_holder_that_cannot_be_seen_counts_as_long_as_it_beats(path, change, patience):
    _write(path, age=patience - 15, **change)
    assert _refused(path)
    _write(path, age=patience + 15, **change)
    assert not _refused(path)


def test_the_disk_s_clock_counts_and_not_the_host_s(path, monkeypatch):
    """A file server whose clock is an hour behind, or ahead: a holder that beats is alive."""
    _write(path, age=DEAD_AFTER + 15, host="elsewhere", boot="another")
    monkeypatch.setattr(FolderLock, "_disk_time", lambda self: time.time() - DEAD_AFTER)
    assert _refused(path)
    monkeypatch.undo()
    assert not _refused(path)


def test_a_torn_lock_is_no_lock_but_may_still_be_under_the_pen(path, monkeypatch):
    monkeypatch.setattr(lock, "TORN", 0.4)
    path.write_text('{"host": ')
    began = time.monotonic()
    assert not _refused(path) and time.monotonic() - began >= 0.4
    path.write_text('{"host": ')
    own = this_process()
    writing = fork(lambda: (time.sleep(0.15), _write(path, pid=own.pid, started=own.started)))
    assert _refused(path) and exit_code(writing) == 0


@pytest.mark.parametrize("text", ["[]", "{}", '{"host": 1, "pid": 2, "started": 3}', '{"host": "a"}', "\xff"])
def test_what_is_no_lock(path, text):
    path.write_bytes(text.encode("latin-1"))
    assert read_holder(path) is None


# --- disks that lack something ---


def _raiser(code: int) -> Callable[..., None]:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    return refuse


@pytest.mark.parametrize("code", [errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL, errno.EACCES, errno.EMLINK])
@pytest.mark.parametrize("lacking", [("link",), ("flock",), ("link", "flock")])
def test_a_disk_that_lacks_links_or_locks_still_holds_one_build(path, monkeypatch, capsys, code, lacking):
    if "link" in lacking:
        monkeypatch.setattr(os, "link", _raiser(code))
    if "flock" in lacking:
        monkeypatch.setattr(fcntl, "flock", _raiser(code))
    for _ in range(2):
        with FolderLock(path, path.parent):
            assert read_holder(path).flocked is ("flock" not in lacking)
            assert _refused(path)
            assert [one.name for one in path.parent.iterdir()] == ["lock.json"]
        assert list(path.parent.iterdir()) == []
    _write(path, pid=2**22 + 5)
    assert not _refused(path)
    said = capsys.readouterr().err.splitlines()
    assert len(said) == len(lacking) and all(line.startswith("gendeg: this disk has no ") for line in said), "said once"


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.ESTALE])
def test_a_broken_disk_is_not_one_that_lacks_something(path, monkeypatch, code):
    monkeypatch.setattr(os, "link", _raiser(code))
    with pytest.raises(OutputNotWritable, match=os.strerror(code)), FolderLock(path, path.parent):
        pass
    assert list(path.parent.iterdir()) == []


def test_without_links_a_lock_that_cannot_be_written_leaves_no_torn_one(path, monkeypatch):
    monkeypatch.setattr(os, "link", _raiser(errno.EPERM))
    made = []

    def full(*_: object) -> None:
        made.append(1)
        if len(made) == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(fcntl, "flock", full)
    with pytest.raises(OutputNotWritable, match="No space"), FolderLock(path, path.parent):
        pass
    assert list(path.parent.iterdir()) == []


# --- containers ---

HOLD = """
import pathlib, sys
from gendeg.primitives.lock import FolderLock
from gendeg.primitives.errors import FolderInUse
path = pathlib.Path(sys.argv[1])
try:
    with FolderLock(path, path.parent):
        print("held", flush=True)
        sys.stdin.readline()
except FolderInUse:
    print("refused", flush=True)
"""
CONTAINER = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
can_contain = shutil.which("unshare") and not subprocess.run([*CONTAINER, "true"], capture_output=True).returncode


def _start(path: Path, contained: bool) -> "subprocess.Popen[str]":
    command = [*(CONTAINER if contained else []), sys.executable, "-c", HOLD, str(path)]
    pipe, where = subprocess.PIPE, os.environ | {"PYTHONPATH": os.getcwd()}
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=where)
    assert process.stdout is not None
    process.word = process.stdout.readline().strip()  # type: ignore[attr-defined]
    return process


@pytest.mark.skipif(not can_contain, reason="needs unshare and the right to make PID namespaces")
@pytest.mark.parametrize(("first", "second"), [(True, True), (False, True)])
def test_a_living_holder_in_another_container_is_not_taken_over_and_a_killed_one_is_at_once(path, first, second):
    """Both see a process of their own under the other's number; only the kernel knows better."""
    holder = _start(path, first)
    assert holder.word == "held"
    if first:
        assert read_holder(path).pid == 1
    os.utime(path, (1, 1))  # however long ago it beat
    other = _start(path, second)
    assert other.word == "refused" and other.wait() == 0
    holder.kill()
    holder.wait()
    again = _start(path, second)
    assert again.word == "held" and path.exists()
    again.communicate("\n")
    assert not path.exists()


def test_two_processes_of_one_number_are_told_apart():
    here = this_process()
    for change in ({"namespace": here.namespace + 1}, {"boot": "another"}):
        assert is_running(replace(here, **change), here) is None
    assert is_running(here, here) is True and is_running(replace(here, started=1.0), here) is False
