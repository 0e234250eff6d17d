"""Minutes → steps: the arithmetic with paces made up here, and a budget on a clock that stands where it is put."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from gendeg.bundle.time import SHEETS, SPARE, Budget, Fitted, fit, least_seconds
from gendeg.training.pace import Pace, StopWatch

CPU = Pace(step=1.5, start=60.0, statistics=40.0, checkpoint=0.8, sheet=20.0)
GPU = Pace(step=0.12, start=12.0, statistics=8.0, checkpoint=0.5, sheet=4.0)


def spent(pace: Pace, plan: Fitted) -> float:
    """What the plan takes, counted as the loop does it: an event at every interval, and at the last step."""
    events = [-(-plan.steps // every) for every in (plan.checkpoint_every, plan.sheet_every)]
    return pace.start + plan.steps * pace.step + events[0] * pace.checkpoint + events[1] * pace.sheet


@pytest.mark.parametrize("pace", [CPU, GPU, replace(CPU, step=0.01, start=1.0, sheet=0.5), replace(GPU, sheet=0.0)])
@pytest.mark.parametrize("minutes", [4, 9, 20, 60, 720])
def test_a_plan_fills_its_time_and_keeps_to_it(pace: Pace, minutes: float) -> None:
    plan = fit(pace, 60 * minutes, warmup=200)
    took = spent(pace, plan)
    assert took <= 60 * minutes * (1 - SPARE) + 1e-6, "no more than there is"
    assert took >= 60 * minutes * (1 - SPARE) - pace.step - pace.sheet - 2 * pace.checkpoint, "and all of it"
    assert plan.seconds == pytest.approx(took, abs=pace.sheet + pace.checkpoint + 0.1)
    assert plan.warmup <= 0.1 * plan.steps and plan.warmup <= 200
    assert -(-plan.steps // plan.sheet_every) * pace.sheet <= max(SHEETS * 60 * minutes, pace.sheet)
    assert plan.checkpoint_every * pace.step >= min(59.0, (plan.steps - 1) * pace.step), "not all the time"
    assert plan.checkpoint_every * pace.step <= 62 or plan.checkpoint_every == 1, "a minute is lost at most"


def test_no_time_is_one_step_and_the_least_is_said() -> None:
    plan = fit(CPU, 10, warmup=200)
    assert (plan.steps, plan.warmup, plan.sheet_every, plan.checkpoint_every) == (1, 0, 1, 1)
    least = least_seconds(CPU, 10)
    assert 9 <= fit(CPU, least, 0).steps <= 10 and fit(CPU, least - 10, 0).steps < 9


def test_a_pace_leaves_out_what_only_the_first_steps_take() -> None:
    watch = StopWatch()
    watch._laps.update({"step": [31.0, 1.0, 0.5, 2.0, 3.0, 2.5, 2.5], "sheet": [7.0], "checkpoint": [1.0, 2.0]})
    assert watch.pace(3) == Pace(step=2.5, start=25.0, statistics=0.0, checkpoint=1.5, sheet=7.0)
    assert StopWatch().pace(3).step == 0.0, "a run that had nothing left to do"


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


PLAN = Fitted(steps=100, warmup=10, sheet_every=50, checkpoint_every=20, seconds=200.0)


def test_what_a_stage_takes_less_the_next_one_has(tmp_path: Path) -> None:
    clock = Clock()
    budget = Budget(tmp_path, 20, clock)
    clock.now += 100
    assert budget.left == 1100
    assert budget.decided("autoencoder", lambda: PLAN) == PLAN
    clock.now += 150  # instead of 200
    budget.finished("autoencoder")
    assert budget.left == 950
    clock.now += 30
    assert budget.left == 920


def test_a_stopped_bundle_goes_on_with_the_plan_it_had(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    Budget(tmp_path, 20, clock).decided("autoencoder", lambda: PLAN)
    assert "autoencoder: 100 steps, about 3.3 min" in capsys.readouterr().err
    clock.now += 5000  # the machine was off
    again = Budget(tmp_path, 20, clock)
    assert again.decided("autoencoder", lambda: pytest.fail("decided twice")) == PLAN
    clock.now += 20  # it had nearly been done
    again.finished("autoencoder")
    assert again.left == 1000, "the planned 200 s count, for what the stopped process had used is not known"
    assert Budget(tmp_path, 20, clock).left == 1000
    again.note(photos=3)
    assert Budget(tmp_path, 20, clock).noted("photos") == 3
    assert json.loads((tmp_path / "plan.json").read_text())["autoencoder"]["steps"] == 100
