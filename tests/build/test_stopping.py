"""A stop is raised once; what cleans up after it is left in peace."""

import signal
import time

import pytest

from gendeg.build.stopping import Stopper
from gendeg.primitives.errors import Interrupted

GRACE = 0.2  # seconds


def wait_past_grace() -> None:
    end = time.monotonic() + 2 * GRACE
    while time.monotonic() < end:  # not one long sleep: Python runs a handler between two of its steps
        time.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_end_of_the_grace_period_raises_wherever_the_program_is(number):
    with Stopper(GRACE) as stopper:
        signal.raise_signal(number)
        assert stopper.wanted
        stopper.check(0.0)  # the shard will be done in time
        with pytest.raises(Interrupted) as raised:
            wait_past_grace()
    assert raised.value.signal == number


def test_who_stopped_between_two_batches_is_not_stopped_again_while_closing_files():
    with Stopper(GRACE) as stopper:
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(Interrupted):
            stopper.check(10 * GRACE)
        wait_past_grace()


def test_a_second_signal_stops_at_once_and_once():
    with Stopper(GRACE) as stopper:
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(Interrupted):
            signal.raise_signal(signal.SIGTERM)
        assert stopper.wanted
        wait_past_grace()


def test_two_signals_that_wait_for_one_long_step_stop_once():
    """Python runs their handlers one after the other when the step is over; the alarm comes before SIGTERM."""
    with Stopper(GRACE) as stopper:
        signal.raise_signal(signal.SIGTERM)
        waiting = {signal.SIGALRM, signal.SIGTERM}
        signal.pthread_sigmask(signal.SIG_BLOCK, waiting)
        for number in waiting:
            signal.raise_signal(number)
        with pytest.raises(Interrupted):
            signal.pthread_sigmask(signal.SIG_UNBLOCK, waiting)
        assert stopper.wanted
        wait_past_grace()
        signal.raise_signal(signal.SIGTERM)


def test_the_handlers_before_are_back_afterwards():
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM)]
    with Stopper(GRACE):
        signal.raise_signal(signal.SIGTERM)
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM)] == before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
