"""A silence is broken: on one line of a terminal, which makes room for whatever is said, and as lines elsewhere."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WORK = """
import sys, time
from gendeg.primitives import progress, silence
from gendeg.primitives.streams import mended_streams
silence.DELAY, silence.LINE_EVERY, silence.TICK = 0.2, 0.2, 0.05
progress.LINE_EVERY = 9
with mended_streams(), silence.watched("starting"):
    time.sleep(0.5)
    with silence.doing("counting") as step:
        step.count = 7
        time.sleep(0.5)
        print("DATA")
    with progress.bar("long", total=4) as bar:
        time.sleep(0.5)
        bar.update(1)
    time.sleep(0.5)
"""


def run(code: str = WORK) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)


def in_terminal(code: str) -> str:
    """What a terminal gets to see, stdout and stderr as they come."""
    parent, child = pty.openpty()
    with subprocess.Popen([sys.executable, "-c", code], stdout=child, stderr=child, cwd=ROOT) as process:
        os.close(child)
        seen = b""
        while True:
            try:
                seen += (got := os.read(parent, 4096))
            except OSError:  # how Linux says that the other side has gone
                break
            if not got:
                break
        assert process.wait() == 0
    os.close(parent)
    return seen.decode()


def lines_on_screen(text: str) -> list[str]:
    """What stands there in the end: a carriage return writes over its line."""
    screen = []
    for line in text.replace("\r\n", "\n").split("\n"):
        shown = ""
        for piece in line.split("\r"):
            shown = piece + shown[len(piece) :]
        screen.append(shown.rstrip())
    return screen


def test_a_file_gets_whole_lines_of_what_goes_on() -> None:
    done = run()
    lines = done.stderr.splitlines()
    assert done.stdout == "DATA\n" and "\r" not in done.stderr
    kinds = [line.split(" ")[0].rstrip(":") for line in lines]
    assert list(dict.fromkeys(kinds)) == ["starting", "counting", "long", "working"]
    assert any(line.startswith("counting 7 (") for line in lines) and any("0/4" in line for line in lines)


def test_a_terminal_gets_one_line_that_makes_room() -> None:
    seen = in_terminal(WORK)
    assert all(word in seen for word in ("\rstarting (", "\rcounting 7 (", "\rlong:", "\rworking ("))
    screen = lines_on_screen(seen)
    assert "DATA" in screen, "on a line of its own"
    assert not any(word in line for line in screen for word in ("starting", "counting", "working"))


@pytest.mark.parametrize("before, after", [('silence.watched("starting")', "open('/dev/null')"), ("0.2, 0.2", "9, 9")])
def test_libraries_and_short_work_are_silent(before: str, after: str) -> None:
    assert run(WORK.replace(before, after)).stderr == ""


def test_a_forked_process_is_free() -> None:
    """Forks while the watcher draws: each child says something and ends."""
    code = WORK.split("    time.sleep(0.5)")[0].replace("0.2, 0.2, 0.05", "0, 0, 0.001") + (
        "    import os\n"
        "    for _ in range(40):\n"
        "        child = os.fork()\n"
        "        if child == 0:\n"
        "            print('from a child', file=sys.stderr)\n"
        "            os._exit(0)\n"
        "        assert os.waitpid(child, 0)[1] == 0\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert done.returncode == 0 and done.stderr.count("from a child") == 40
