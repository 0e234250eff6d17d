"""Threads, or processes, over a long list: results in order; and what is this process's share of one."""

import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from itertools import islice
from multiprocessing import parent_process
from multiprocessing.context import SpawnContext, SpawnProcess
from threading import Thread, current_thread, main_thread
from typing import Any, TypeVar

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


def per_core(asked: int = 0, least: int = 1) -> int:
    """So many threads or processes as asked; 0: one for each core that this process has, `least` at least.

    Processes that a launcher has started on this machine share its cores.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return asked or max(least, cores // max(1, _number("LOCAL_WORLD_SIZE", 1)))


def in_processes(function: Callable[[Item], Result], items: Iterable[Item], workers: int) -> Iterator[Result]:
    """`function` of every item, in the items' order, in so many processes; in this one where one is enough.

    A worker that was killed raises (where a `Pool` would wait for ever).
    """
    if workers <= 1:
        yield from map(function, items)
        return
    with processes(workers) as pool:
        yield from in_order(function, items, pool, 8 * workers)


def processes(workers: int, begin: Callable[..., object] | None = None, *told: Any) -> ProcessPoolExecutor:
    """Processes below the priority of this one, that leave Ctrl-C to it and end when it ends, killed or not.

    Each calls `begin(*told)` first.
    """
    return ProcessPoolExecutor(workers, _Context(), _begin, (begin, told))


class _Deaf(SpawnProcess):
    """Hears no Ctrl-C from its first moment on: what is blocked when a process is started is blocked in it."""

    def start(self) -> None:
        with _later():
            super().start()


@contextmanager
def _later() -> Iterator[None]:
    """Ctrl-C is heard when the block has ended, whichever thread of this process it comes to."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    heard: list[int] = []
    alone = current_thread() is main_thread()
    handler = signal.signal(signal.SIGINT, lambda number, frame: heard.append(number)) if alone else None
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if handler is not None:
            signal.signal(signal.SIGINT, handler)
        if heard:
            signal.raise_signal(signal.SIGINT)


class _Context(SpawnContext):
    Process = _Deaf


def _begin(begin: Callable[..., object] | None, told: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # where it could not be blocked
    Thread(target=_leave_with_parent, daemon=True).start()
    os.nice(1)
    if begin is not None:
        begin(*told)


def _leave_with_parent() -> None:
    """A parent that is killed cannot say so, and its workers would wait for work for ever."""
    parent = parent_process()
    if parent:
        parent.join()
        os._exit(1)


@dataclass(frozen=True)
class World:
    """This process (`rank`, from 0) among all (`size`, from 1)."""

    rank: int = 0
    size: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.rank < self.size:
            raise ValueError(f"rank {self.rank} is not in 0..{self.size - 1}")


def world() -> World:
    """From the variables RANK and WORLD_SIZE that torchrun and accelerate set; alone when they are not there."""
    return World(rank=_number("RANK", 0), size=_number("WORLD_SIZE", 1))


def share(items: Iterable[Item], rank: int, world: int) -> list[Item]:
    """Items rank, rank + world, rank + 2 world, …: disjoint, complete, and sizes differ by at most one.

    Round-robin rather than blocks, because neighbours in a plan cost about the same.
    """
    checked = World(rank, world)
    return list(islice(items, checked.rank, None, checked.size))


def _number(name: str, default: int) -> int:
    text = os.environ.get(name, "").strip()
    try:
        return int(text) if text else default
    except ValueError as error:
        raise ValueError(f"the environment variable {name} must be a whole number, not '{text}'") from error
