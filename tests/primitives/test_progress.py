"""Progress: stderr only, late, a bar for a terminal and whole lines for a file, and quiet when not wanted."""

import io
import os
import signal
import sys
import threading
import time

import pytest

from gendeg.primitives import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def work(seconds: float, wanted: bool | None = None) -> None:
    with progress.bar("long", total=4, wanted=wanted) as bar:
        bar.update(1)
        time.sleep(seconds)
        bar.update(2)
        bar.set_postfix(loss=1.5, refresh=False)
        time.sleep(seconds)
        bar.update(1)


@pytest.mark.parametrize("terminal", [True, False])
def test_items_pass_through_and_short_work_shows_nothing(capsys, monkeypatch, terminal):
    if terminal:
        monkeypatch.setattr(sys, "stderr", Terminal())
    assert list(progress.track(range(5), "short", wanted=True)) == [0, 1, 2, 3, 4]
    out, err = capsys.readouterr()
    assert out == err == "" and (not terminal or sys.stderr.getvalue() == "")


def test_long_work_shows_a_bar_in_a_terminal(capsys, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    work(progress.DELAY + 0.2)
    drawn = sys.stderr.getvalue()
    assert capsys.readouterr().out == "" and "long" in drawn and "4/4" in drawn and "\r" in drawn


@pytest.mark.parametrize("wanted", [True, None])
def test_long_work_writes_whole_lines_to_a_file(capsys, monkeypatch, wanted):
    monkeypatch.setattr(progress, "LINE_EVERY", 0.05)
    work(0.1, wanted)
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert out == "" and "\r" not in err and all(line.startswith("long") for line in lines)
    assert len(lines) == 2 + 1 and "3/4" in lines[0] and lines[-1].startswith("long: 100%") and "loss=1.5" in lines[-1]


def test_unwanted_progress_stays_silent(capsys, monkeypatch):
    monkeypatch.setattr(progress, "LINE_EVERY", 0.05)
    work(0.1, wanted=False)
    assert capsys.readouterr().err == ""


def test_a_bar_within_a_bar_writes_whole_lines_too(capsys, monkeypatch):
    monkeypatch.setattr(progress, "LINE_EVERY", 0.05)
    with progress.bar("outer", total=1) as outer:
        work(0.1)
        outer.update(1)
    lines = capsys.readouterr().err.splitlines()
    assert lines and all(line.startswith(("long", "outer")) for line in lines)


def test_a_killed_process_leaves_no_lock_behind(monkeypatch):
    """tqdm's own lock is one for all forked processes: a child that is killed while it holds it would stop us here."""
    monkeypatch.setattr(progress, "LINE_EVERY", 0.05)
    child = os.fork()
    if child == 0:
        progress.bar("child").get_lock().acquire()
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    free = threading.Event()
    threading.Thread(target=lambda: (work(0.06), free.set()), daemon=True).start()
    assert free.wait(10)


def test_no_thread_watches_the_bars():
    before = threading.active_count()
    with progress.bar("watched", total=1) as bar:
        bar.update(1)
        assert threading.active_count() == before
