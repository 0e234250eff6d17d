"""Threads over a long list, results in order."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
AHEAD = 64  # items under way: a pool's own `map` would start them all, and hold what they read


def in_order(function: Callable[[Item], Result], items: Iterable[Item], threads: int) -> Iterator[Result]:
    """`function` of every item, in the items' order, with a bounded number under way."""
    with ThreadPoolExecutor(threads) as pool:
        rest = iter(items)
        waiting = [pool.submit(function, item) for item in islice(rest, AHEAD)]
        while waiting:
            result = waiting.pop(0).result()
            waiting += [pool.submit(function, item) for item in islice(rest, 1)]
            yield result
