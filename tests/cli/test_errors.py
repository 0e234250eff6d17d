"""Errors we did not raise ourselves, as one line."""

import pytest

from gendeg.cli.errors import ERROR, advice_for
from gendeg.cli.parse import bounded
from gendeg.primitives.errors import BadOption


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


def test_bounds_hold_their_ends_and_refuse_nan() -> None:
    assert [bounded("--x", value, 0, 2) for value in (None, 0.0, 2.0)] == [None, 0.0, 2.0]
    for value in (float("nan"), float("inf"), -0.1, 2.1):
        with pytest.raises(BadOption, match=r"--x: must lie in \[0, 2\]"):
            bounded("--x", value, 0, 2)
