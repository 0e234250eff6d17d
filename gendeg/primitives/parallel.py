"""Threads over a long list, results in order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import nullcontext
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
AHEAD = 64  # items under way: a pool's own `map` would start them all, and hold what they read


def in_order(
    function: Callable[[Item], Result], items: Iterable[Item], threads: int | Executor, ahead: int = AHEAD
) -> Iterator[Result]:
    """`function` of every item, in the items' order, `ahead` of them under way, by so many threads or that pool's.

    What has not begun is not begun any more once the results are no longer asked for.
    """
    rest = iter(items)
    with ThreadPoolExecutor(threads) if isinstance(threads, int) else nullcontext(threads) as pool:
        waiting = deque(pool.submit(function, item) for item in islice(rest, ahead))
        try:
            while waiting:
                result = waiting.popleft().result()
                waiting.extend(pool.submit(function, item) for item in islice(rest, 1))
                yield result
        finally:
            for future in waiting:
                future.cancel()
