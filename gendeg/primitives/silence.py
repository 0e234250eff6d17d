"""What goes on, said after a while of silence: on one line of a terminal, as a line each half minute elsewhere.

Only commands are watched (`watched`); whoever works says what he is at (`doing`), which costs nothing where nobody
watches. No lock is held, so that a process forked meanwhile is free.
"""

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

DELAY = 2.0
"""Seconds of silence in a terminal."""
LINE_EVERY = 30.0
"""Seconds of silence where there is no terminal."""
TICK = 0.5
WORKING = "working"
"""What goes on between things that have a name."""


class Step:
    """Something that goes on, since when, and how many of what it counts there are so far."""

    def __init__(self, what: str):
        self.what, self.count, self.began = what, 0, time.monotonic()

    def __str__(self) -> str:
        counted = f" {self.count}" if self.count else ""
        return f"{self.what}{counted} ({time.monotonic() - self.began:.0f} s)"


class _State:
    """Of this process: steps and bars that are open, whether there was one, the last word's time, our line's width."""

    def __init__(self) -> None:
        self.open: list[Any] = []
        self.begun = False
        self.last = time.monotonic()
        self.drawn = 0


_now = _State()


@contextmanager
def doing(what: str) -> Iterator[Step]:
    """Within `with`, this is what goes on; its `count` may be raised meanwhile."""
    step = Step(what)
    begin(step)
    try:
        yield step
    finally:
        end(step)


@contextmanager
def resting() -> Iterator[None]:
    """Within `with`, silence is as it should be: a server that waits to be asked."""
    nothing = ""
    begin(nothing)
    try:
        yield
    finally:
        end(nothing)


def begin(one: Any) -> None:
    """A step, or a bar: whatever says by `str` how far it is."""
    _now.begun = True
    _now.open.append(one)


def end(one: Any) -> None:
    """It is over; a second time is no matter."""
    _now.open = [other for other in _now.open if other is not one]


def heard() -> None:
    """Something is about to be said: our line makes room for it. What writes on stderr or a terminal calls this."""
    _now.last = time.monotonic()
    if _now.drawn:
        wide, _now.drawn = _now.drawn, 0
        _draw(f"\r{'':{wide}}\r")


@contextmanager
def watched(what: str) -> Iterator[None]:
    """Within `with`, a thread breaks every silence: the innermost thing that goes on, else `what`."""
    over = threading.Event()
    threading.Thread(target=_watch, args=(Step(what), over), daemon=True).start()
    heard()
    try:
        yield
    finally:
        over.set()
        heard()


def _watch(command: Step, over: threading.Event) -> None:
    terminal = sys.stderr is not None and sys.stderr.isatty()
    while not over.wait(TICK):
        if time.monotonic() - _now.last < (DELAY if terminal else LINE_EVERY):
            continue
        with suppress(Exception):  # a bar that is closed just now; a stream that is
            command.what = WORKING if _now.begun else command.what
            line = str(next(reversed(_now.open), command)).strip()
            if over.is_set() or not line:
                continue
            if terminal:
                line = line[: (os.get_terminal_size(sys.stderr.fileno()).columns or 80) - 1]
                _draw(f"\r{line:{_now.drawn}}")
                _now.drawn = max(_now.drawn, len(line))
            else:
                print(line, file=sys.stderr, flush=True)


def _draw(text: str) -> None:
    """Past what calls `heard`."""
    with suppress(OSError, ValueError, AttributeError):
        stream = getattr(sys.stderr, "beneath", sys.stderr)
        stream.write(text)
        stream.flush()
