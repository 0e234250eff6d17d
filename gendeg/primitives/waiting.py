"""A word on stderr while something of unknown length goes on: seconds in a terminal, a line now and then elsewhere."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from gendeg.primitives.streams import say

DELAY = 1.5
"""Seconds without a word. Work that is over by then needs none."""
LINE_EVERY = 30.0
"""Seconds between two lines where there is no terminal."""
TICK = 0.5


class Waiting:
    """What is going on; `count` is told where something is counted meanwhile, by assigning it."""

    def __init__(self, what: str):
        self.what, self.count = what, 0
        self._began = time.monotonic()

    @property
    def line(self) -> str:
        seconds = time.monotonic() - self._began
        return f"{self.what}{f': {self.count}' if self.count else ''} ({seconds:.0f} s)"


@contextmanager
def waiting(what: str, wanted: bool | None = None) -> Iterator[Waiting]:
    """Within `with`, a thread says `what` and for how long; it holds no lock, so that forked processes stay free.

    Nothing is said where `wanted` is False, nor of what takes a moment. A terminal's line is wiped afterwards.
    """
    state, done = Waiting(what), threading.Event()
    terminal = sys.stderr is not None and sys.stderr.isatty()
    if wanted is False:
        yield state
        return
    thread = threading.Thread(target=_tell, args=(state, done, terminal), daemon=True)
    thread.start()
    try:
        yield state
    finally:
        done.set()
        thread.join()


def _tell(state: Waiting, done: threading.Event, terminal: bool) -> None:
    if not terminal:
        while not done.wait(LINE_EVERY):
            say(state.line)
        return
    wide = 0
    over = done.wait(DELAY)
    while not over:
        line = state.line
        _draw(f"\r{line:{wide}}")
        wide = max(wide, len(line))
        over = done.wait(TICK)
    if wide:
        _draw(f"\r{'':{wide}}\r")


def _draw(text: str) -> None:
    with suppress(OSError, ValueError, AttributeError):  # nobody is to suffer for it when nobody listens
        sys.stderr.write(text)
        sys.stderr.flush()
