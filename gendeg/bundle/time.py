"""Where a bundle's minutes go: what was decided, kept in `plan.json`, so that an interrupted one goes on with it."""

import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from gendeg.primitives.files import read_json_object, write_json
from gendeg.primitives.streams import say
from gendeg.training.config import TrainConfig
from gendeg.training.pace import Pace, read_pace, unsteady

SPARE = 0.05
"""Share of the time that is not planned: a machine is not as fast at every moment as when it was timed."""
SHEET_EVERY, SHEETS = 120.0, 0.06
"""Seconds between two sheets at least, and the share of the time that they may take."""
CHECKPOINT_EVERY, CHECKPOINTS = 60.0, 0.05
"""Seconds between two checkpoints at least, and the share of the time that they may take."""
WARMUP = 0.1
"""Share of the steps that the warm-up takes at most."""
TIMED = 6
"""Steps that are timed at least; twice as many as there are workers, who bring batches in bursts."""

Config = TypeVar("Config", bound=TrainConfig)


@dataclass(frozen=True)
class Fitted:
    """What a training does with its time; `seconds` is what it should take, all in all."""

    steps: int
    warmup: int
    sheet_every: int
    checkpoint_every: int
    seconds: float

    def settings(self) -> dict[str, Any]:
        """As fields of the training's config."""
        return {name: value for name, value in asdict(self).items() if name != "seconds"}


def fit(pace: Pace, seconds: float, warmup: int) -> Fitted:
    """Steps, sheets and checkpoints that take so many seconds, less `SPARE`; never less than one step and one sheet.

    `warmup` in steps, as the recipe has it.
    """
    step = max(pace.step, 1e-6)
    usable = seconds * (1 - SPARE) - pace.start
    sheets = min(seconds / SHEET_EVERY, seconds * SHEETS / pace.sheet if pace.sheet else float("inf"))
    sheets = max(1, int(sheets))
    checkpoint_every = max(1, round(max(CHECKPOINT_EVERY, pace.checkpoint / CHECKPOINTS) / step))
    left = usable - sheets * pace.sheet - pace.checkpoint  # the last step has one of each, whatever their intervals
    steps = max(1, int(left / (step + pace.checkpoint / checkpoint_every)))
    fixed = pace.start + sheets * pace.sheet + pace.checkpoint * (1 + steps // checkpoint_every)
    return Fitted(
        steps=steps,
        warmup=min(warmup, int(WARMUP * steps)),
        sheet_every=-(-steps // sheets),
        checkpoint_every=min(steps, checkpoint_every),
        seconds=round(steps * step + fixed, 1),
    )


def least_seconds(pace: Pace, steps: int) -> float:
    """What so many steps, one sheet and one checkpoint take."""
    return (pace.start + steps * pace.step + pace.sheet + pace.checkpoint) / (1 - SPARE)


def timed(train: Callable[[Config], Any], config: Config) -> Pace:
    """Try a training for a few steps, with what it compiles, a checkpoint and a sheet, in `trial/` below its folder."""
    place = config.out / "trial"
    shutil.rmtree(place, ignore_errors=True)  # of a bundle that was stopped in it
    micros = max(TIMED, 2 * config.workers)
    steps = unsteady(config) + -(-micros // config.accumulate)
    last: dict[str, Any] = {"steps": steps, "sheet_every": steps, "checkpoint_every": steps}
    since = time.perf_counter()
    train(replace(config, out=place, resume=False, tracker="none", warmup=min(config.warmup, steps - 1), **last))
    whole, pace = time.perf_counter() - since, read_pace(place)
    known = steps * pace.step + pace.start + pace.statistics + pace.checkpoint + pace.sheet
    return replace(pace, start=pace.start + max(0.0, whole - known))


class Budget:
    """The seconds of a bundle, of which every stage takes its part; what one takes less, the next one has.

    Time counts while a bundle runs. Of a stage that was interrupted, what it was to take counts.
    """

    def __init__(self, out: Path, minutes: float, now: Callable[[], float] = time.monotonic):
        self._path, self._total, self._now, self._since = out / "plan.json", 60 * minutes, now, now()
        self._told: dict[str, Any] = read_json_object(self._path) if self._path.exists() else {"spent": 0.0}
        self._begun: set[str] = set()  # stages whose time has been counted from their beginning

    @property
    def left(self) -> float:
        """Seconds from now."""
        return self._total - self._told["spent"] - (self._now() - self._since)

    @property
    def total(self) -> float:
        return self._total

    @property
    def decisions(self) -> bool:
        """Whether the time of a stage has been decided."""
        return any(isinstance(told, dict) for told in self._told.values())

    def decided(self, stage: str, decide: Callable[[], Fitted]) -> Fitted:
        """The stage's plan: the one that was stored, or the one that is made, stored and said now."""
        if stage not in self._told:
            fitted = decide()
            self._begun.add(stage)
            self.note(**{stage: asdict(fitted) | {"after": self._spent()}})
            say(f"{stage}: {fitted.steps} steps, about {_minutes(fitted.seconds)}; a sheet every {fitted.sheet_every}")
        return Fitted(**{name: value for name, value in self._told[stage].items() if name != "after"})

    def finished(self, stage: str) -> None:
        """The stage is done, and its time is spent."""
        plan, spent = self._told.get(stage), self._spent()
        if plan and stage not in self._begun:
            spent = max(spent, plan["after"] + plan["seconds"])
        self._told["spent"], self._since = spent, self._now()
        self._write()

    def note(self, **told: Any) -> None:
        """Keep something that was decided; `noted` gives it back."""
        self._told |= told
        self._write()

    def noted(self, name: str) -> Any:
        return self._told.get(name)

    def _spent(self) -> float:
        return float(self._told["spent"]) + self._now() - self._since

    def _write(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        write_json(self._path, self._told)


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} min"
