"""stdout for data, stderr for talk: characters that a terminal lacks, and streams that are closed, end no work."""

import codecs
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from gendeg.primitives.silence import heard

PLAIN = {"→": "->", "−": "-", "–": "-", "…": "...", "·": "|", "×": "x", "≥": ">=", "≤": "<=", "±": "+-", "√": "sqrt "}
HANDLER = "gendeg.plain"


def say(text: str) -> None:
    """One line on stderr; nobody is to suffer for it when nobody listens."""
    if sys.stderr is not None:
        with suppress(OSError, ValueError):
            print(text, file=sys.stderr)


@contextmanager
def mended_streams() -> Iterator[None]:
    """Within `with`: both streams are there, take every character, and stderr never raises.

    A closed one (`2>&-`) gets /dev/null for its number too: the next file that is opened would get it otherwise, and
    with it whatever a library tells stderr.
    """
    _fill_numbers()
    codecs.register_error(HANDLER, _plainly)
    before = sys.stdout, sys.stderr
    with suppress(AttributeError, ValueError):  # a stream of somebody else's making: his characters
        sys.stdout.reconfigure(errors=HANDLER)  # type: ignore[union-attr]
    with suppress(AttributeError, ValueError):
        sys.stderr.reconfigure(errors=HANDLER)  # type: ignore[union-attr]
    if sys.stdout is not None and sys.stdout.isatty():
        sys.stdout = Data(sys.stdout)  # a terminal shows both
    sys.stderr = Talk(sys.stderr)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


class Talk:
    """A stream whose reader may leave, whose terminal may hang up, whose disk may be full."""

    def __init__(self, stream: Any):
        self.beneath = stream

    def write(self, text: str) -> int:
        heard()
        with suppress(OSError, ValueError):
            self.beneath.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self.beneath.flush()

    def isatty(self) -> bool:
        with suppress(OSError, ValueError):
            return self.beneath.isatty()
        return False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.beneath, name)


class Data:
    """A terminal's stdout: what it shows of silence goes first; errors are raised, for data are lost then."""

    def __init__(self, stream: Any):
        self.beneath = stream

    def write(self, text: str) -> int:
        heard()
        return self.beneath.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.beneath, name)


def _fill_numbers() -> None:
    for number, name in ((0, "stdin"), (1, "stdout"), (2, "stderr")):
        try:
            os.fstat(number)
        except OSError:
            _point_at_nothing(number)
        if getattr(sys, name) is None:
            mode = "r" if number == 0 else "w"
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115


def _point_at_nothing(number: int) -> None:
    nothing = os.open(os.devnull, os.O_RDWR)
    if nothing != number:
        os.dup2(nothing, number)
        os.close(nothing)


def _plainly(error: UnicodeError) -> tuple[str | bytes, int]:
    """For a character that the encoding lacks: one that it has, the byte of a file's name as it is, or its number."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    character = error.object[error.start]
    if "\udc80" <= character <= "\udcff":
        return bytes([ord(character) - 0xDC00]), error.start + 1
    spelt = PLAIN.get(character) or character.encode("ascii", "backslashreplace").decode()
    return spelt, error.start + 1
