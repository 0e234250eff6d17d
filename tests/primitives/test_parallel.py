"""Threads over a long list: in order, a few ahead, errors where they belong, in a pool of one's own or another's."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Thread

import pytest

from gendeg.primitives.parallel import _later, in_order, processes


def test_it_keeps_the_order_of_slow_and_fast():
    def make(step: int) -> int:
        time.sleep(0.02 if step % 3 == 0 else 0)
        return step * step

    assert list(in_order(make, range(5, 25), 4, 5)) == [step * step for step in range(5, 25)]
    assert list(in_order(make, [], 2)) == []


def test_it_looks_only_a_few_ahead():
    made = []
    stream = in_order(made.append, range(100), 2, 3)
    next(stream)
    stream.close()
    assert len(made) <= 2 + 1 + 1


def test_it_hands_errors_on():
    def make(step: int) -> int:
        if step == 3:
            raise KeyError(step)
        return step

    stream = in_order(make, range(9), 2, 3)
    assert [next(stream) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(KeyError):
        next(stream)


def test_a_pool_that_is_given_is_left_open():
    with ThreadPoolExecutor(2) as pool:
        assert list(in_order(str, range(9), pool, 3)) == [str(number) for number in range(9)]
        assert pool.submit(str, 1).result() == "1"


def interrupted(order: list[str]) -> None:
    with _later():
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.05)
        order.append("to the end")


def test_ctrl_c_waits_until_a_process_has_begun():
    """Whichever thread it comes to: one that blocks it hands it on to the others, and Python to the main one."""
    done, order = Event(), []
    thread = Thread(target=done.wait)
    thread.start()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background commands ignore it
    try:
        with pytest.raises(KeyboardInterrupt):
            interrupted(order)
        assert order == ["to the end"]
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
        done.set()
        thread.join()


def test_ctrl_c_is_not_heard_by_the_processes_from_their_first_moment_on():
    with processes(1) as pool:
        blocked = pool.submit(signal.pthread_sigmask, signal.SIG_BLOCK, []).result()
    assert signal.SIGINT in blocked
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, []), "of this process"
