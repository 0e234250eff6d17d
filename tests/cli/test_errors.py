"""Errors we did not raise ourselves, as one line."""

import errno
import os

import pytest

from gendeg.primitives.errors import Interrupted
from gendeg.primitives.exits import ERROR, advice_for


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 99 bytes"),
    ],
)
def test_too_little_memory_says_what_helps(error: Exception) -> None:
    message, code = advice_for(error)
    assert "--size" in message and code == ERROR


def test_what_nobody_foresaw_is_one_line_too() -> None:
    message, code = advice_for(RuntimeError("first\n  second\n"))
    assert message.startswith("unexpected RuntimeError: first second (GENDEG_DEBUG=1") and code == ERROR


@pytest.mark.parametrize(("number", "exit_code"), [(2, 130), (15, 143)])
def test_an_interrupted_build_says_how_to_go_on(number: int, exit_code: int) -> None:
    message, code = advice_for(Interrupted(number))
    assert "the same command again goes on" in message and code == exit_code


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (errno.EACCES, "x.png: Permission denied; check its permissions"),
        (errno.ENOSPC, "x.png: No space left on device; make room there, or choose another output folder"),
        (errno.EMFILE, "ulimit -n"),
        (errno.ECHILD, "x.png: No child processes"),
    ],
)
def test_what_the_system_refuses_has_the_advice_of_its_cause(code: int, says: str) -> None:
    message, exit_code = advice_for(OSError(code, os.strerror(code), "x.png"))
    assert says in message and exit_code == ERROR
