"""Progress for people, on stderr (tqdm): a bar in a terminal, a line each half minute elsewhere, late."""

import sys
import threading
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, ClassVar, TypeVar

from tqdm import tqdm

from gendeg.primitives.silence import LINE_EVERY, begin, end
from gendeg.primitives.streams import say

Item = TypeVar("Item")

DELAY = 1.5
"""Seconds without a bar. Work that is over by then needs none."""


class _Bar(tqdm):
    """Without tqdm's watching thread, and its lock between processes: one killed with it in hand would stop all."""

    monitor_interval: ClassVar[int] = 0

    def __init__(self, *items: Any, **shown: Any) -> None:
        super().__init__(*items, **shown)
        if not self.disable:
            begin(self)

    def close(self) -> None:
        end(self)
        super().close()


_Bar.set_lock(threading.RLock())


def track(items: Iterable[Item], what: str, total: int | None = None, wanted: bool | None = None) -> Iterable[Item]:
    """The same items, with a bar labelled `what`, unless `wanted` is False."""
    return bar(what, total=total, wanted=wanted, items=items)


def bar(what: str, total: int | None = None, wanted: bool | None = None, items: Iterable[Item] | None = None) -> tqdm:
    """The bar itself, to `update(n)` by hand within `with`. stdout stays free for data."""
    shown: dict[str, Any] = {"file": sys.stderr, "delay": DELAY, "dynamic_ncols": True}
    if sys.stderr is None or not sys.stderr.isatty():
        shown = {"file": _Lines(), "delay": LINE_EVERY, "mininterval": LINE_EVERY, "ncols": 0, "position": 0}
    return _Bar(items, desc=what, total=total, disable=wanted is False, miniters=1, **shown)


class _Lines:
    """What tqdm draws over itself, as whole lines on stderr: a log file keeps all of it."""

    def write(self, text: str) -> None:
        if text.strip():
            say(text.strip())

    def flush(self) -> None:
        with suppress(OSError, ValueError, AttributeError):
            sys.stderr.flush()
