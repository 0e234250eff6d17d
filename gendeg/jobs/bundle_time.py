"""Where a bundle's minutes go: what was decided, kept in `plan.json`, so that an interrupted one goes on with it."""

import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gendeg.jobs.fit_steps import Fitted
from gendeg.primitives.files import read_json_object, write_json


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


def say(line: str) -> None:
    """One line for people."""
    print(line, file=sys.stderr, flush=True)


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} min"
