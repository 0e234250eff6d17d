"""Streams as they come: closed, in ASCII, with nobody at the other end. Nothing dies of it, nothing lands in a file."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.builds import model_folder, write_photos
from tests.cli.test_commands import commands

WORLDS: dict[str, dict[str, str]] = {
    "ascii": {"PYTHONIOENCODING": "ascii"},
    "C": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "latin-1": {"PYTHONIOENCODING": "latin-1"},
}
ALL_HELP = """
import sys
from gendeg.cli import main
for command in sys.stdin.read().splitlines():
    try:
        main([*command.split(), "--help"])
    except SystemExit as stop:
        assert not stop.code, command
"""


def run(shell: str, *arguments: object, **environment: str) -> "subprocess.CompletedProcess[bytes]":
    """`gendeg` with arguments in a shell that redirects, such as `2>&-`."""
    line = ["sh", "-c", f'"$0" "$@" {shell}', sys.executable, "-m", "gendeg", *map(str, arguments)]
    return subprocess.run(line, capture_output=True, env=os.environ | environment, timeout=300)


@pytest.mark.parametrize("world", list(WORLDS))
def test_every_help_is_shown_in_every_character_set(world: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ALL_HELP], input="\n".join(commands()).encode(), capture_output=True,
        env=os.environ | WORLDS[world],
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.count(b"Usage: gendeg") == len(commands()) and b"->" in done.stdout
    assert done.stdout.isascii() or world == "latin-1"


@pytest.mark.slow
@pytest.mark.parametrize("shell", ["2>&-", "<&- 2>&-", ">&- 2>&-", "2>/dev/full", "<&- >&- 2>&-"])
def test_an_error_that_nobody_can_read_is_its_exit_code(shell: str) -> None:
    done = run(shell, "synth", "no/such/photo.jpg")
    assert (done.returncode, done.stdout) == (1, b"")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shell", "environment"), [("2>&-", {}), ("<&- 2>&-", {}), ("2>/dev/full", {}), ("", WORLDS["C"])]
)
def test_records_go_to_stdout_and_talk_nowhere_else(tmp_path: Path, shell: str, environment: dict[str, str]) -> None:
    photos, out = write_photos(tmp_path / "photos", 2), tmp_path / "out"
    (photos / os.fsdecode("caf\u00e9 \u2192.png".encode())).write_bytes((photos / "p0.png").read_bytes())
    (photos / os.fsdecode(b"\xff\xfe.png")).write_bytes(b"no image")
    asked = ("--model", model_folder(), "--type", "haze", "--steps", 1, "--out", out, "--json")
    done = run(shell, "synth", photos, *asked, **environment)
    assert done.returncode == 3, done.stderr.decode()  # the last photo cannot be read
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(rows) == 4 and sum("mu" in row for row in rows) == 3
    assert (out / "records.jsonl").read_text().count("\n") == 4
    assert all(path.read_bytes()[1:4] == b"PNG" for path in out.glob("*.png"))


@pytest.mark.slow
def test_a_name_of_no_character_set_is_shown_as_its_bytes(tmp_path: Path) -> None:
    for environment in ({}, WORLDS["C"]):
        done = run("", "synth", os.fsdecode(bytes(tmp_path) + b"/\xff\xfe.png"), **environment)
        assert (
            done.returncode == 1 and b"\xff\xfe.png: no such file" in done.stderr and b"unexpected" not in done.stderr
        )
