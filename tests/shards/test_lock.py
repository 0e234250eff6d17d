"""The folder's lock: one holder, and a dead one is recognised."""

import json
import os
import socket
import time

import psutil
import pytest

from gendeg.primitives.errors import FolderInUse
from gendeg.shards.lock import DEAD_AFTER, FolderLock


def test_the_second_is_refused_until_the_first_is_gone(tmp_path):
    with FolderLock(tmp_path / "lock.json", tmp_path):
        with pytest.raises(FolderInUse) as caught, FolderLock(tmp_path / "lock.json", tmp_path):
            pass
        assert (caught.value.host, caught.value.pid) == (socket.gethostname(), os.getpid())
        assert "\n" not in str(caught.value)
    with FolderLock(tmp_path / "lock.json", tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


def _write(path, **changes):
    row = {"host": socket.gethostname(), "pid": os.getpid(), "started": psutil.Process().create_time(), "token": "x"}
    path.write_text(json.dumps(row | changes))


@pytest.mark.parametrize("change", [{"started": 1.0}, {"pid": 2**22 + 5}])
def test_a_dead_holder_is_taken_over(tmp_path, change):
    _write(tmp_path / "lock.json", **change)
    with FolderLock(tmp_path / "lock.json", tmp_path):
        assert json.loads((tmp_path / "lock.json").read_text())["pid"] == os.getpid()


def test_a_holder_on_another_host_counts_as_long_as_it_beats(tmp_path):
    path = tmp_path / "lock.json"
    _write(path, host="elsewhere")
    with pytest.raises(FolderInUse, match="elsewhere"), FolderLock(path, tmp_path):
        pass
    old = time.time() - DEAD_AFTER - 10
    os.utime(path, (old, old))
    with FolderLock(path, tmp_path):
        pass


def test_a_torn_lock_is_no_lock(tmp_path):
    (tmp_path / "lock.json").write_text('{"host": ')
    with FolderLock(tmp_path / "lock.json", tmp_path):
        pass
