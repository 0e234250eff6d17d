"""A progress bar for people: on stderr, and only when the work takes longer than a moment (tqdm)."""

import sys
from collections.abc import Iterable
from typing import TypeVar

from tqdm import tqdm

Item = TypeVar("Item")

DELAY = 1.5
"""Seconds without a bar. Work that is over by then needs none."""


def track(items: Iterable[Item], what: str, total: int | None = None, wanted: bool | None = None) -> Iterable[Item]:
    """The same items, with a bar labelled `what`. `wanted`: None means only when stderr is a terminal."""
    return bar(what, total=total, wanted=wanted, items=items)


def bar(what: str, total: int | None = None, wanted: bool | None = None, items: Iterable[Item] | None = None) -> tqdm:
    """The bar itself, to `update(n)` by hand within `with`. stdout stays free for data."""
    disable = None if wanted is None else not wanted
    return tqdm(items, desc=what, total=total, file=sys.stderr, delay=DELAY, disable=disable, dynamic_ncols=True)
