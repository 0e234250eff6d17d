"""SIGTERM and Ctrl-C during a build: finish the shard if that is near, else drop it; nothing is left half-written."""

import os
import signal
import sys
import threading
import time
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any, NoReturn

from gendeg.primitives.errors import Interrupted

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Stopper:
    """Within `with`: the first signal is remembered, the second one, or the end of the grace period, raises at once.

    It raises once: whoever cleans up after that is not disturbed by further signals.
    """

    def __init__(self, grace: float):
        self.grace = grace
        self.signal = 0
        self._raised = False
        self._deadline = 0.0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "Stopper":
        if threading.current_thread() is threading.main_thread():  # elsewhere (Ray) signals are not ours to take
            for number in SIGNALS:
                self._before[number] = signal.signal(number, self._received)
            self._before[signal.SIGALRM] = signal.signal(signal.SIGALRM, self._expired)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._before:
            signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @property
    def wanted(self) -> bool:
        return self.signal != 0

    def check(self, seconds_left: float) -> None:
        """Call between batches: raises `Interrupted` if a stop is wanted and the shard needs longer than granted."""
        if self.wanted and time.monotonic() + seconds_left > self._deadline:
            self._interrupt()

    def check_between(self) -> None:
        """Call between shards."""
        if self.wanted:
            self._interrupt()

    def _received(self, number: int, frame: FrameType | None) -> None:
        if self._raised:
            return
        if self.wanted:
            self._interrupt()
        self.signal, self._deadline = number, time.monotonic() + self.grace
        if self.grace:
            _say(
                f"stopping: the shard under way gets up to {self.grace:g} seconds; the same signal again stops at once"
            )
        signal.setitimer(signal.ITIMER_REAL, max(self.grace, 0.001))

    def _expired(self, number: int, frame: FrameType | None) -> None:
        if not self._raised:
            self._interrupt()

    def _interrupt(self) -> NoReturn:
        self._raised = True
        raise Interrupted(self.signal)


def _say(text: str) -> None:
    """Straight to stderr's file: a print that the signal came upon could not be entered a second time."""
    with suppress(OSError, ValueError, AttributeError):  # closed, or no stream at all
        os.write(sys.stderr.fileno(), f"\ngendeg: {text}\n".encode())
