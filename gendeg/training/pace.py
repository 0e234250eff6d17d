"""How long the parts of a training run take: what the same run with more steps can be fitted to a time from."""

import time
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path

from gendeg.configs import TrainConfig
from gendeg.primitives.files import read_json_object, write_json

PACE = "pace.json"


@dataclass(frozen=True)
class Pace:
    """Seconds. `start` is what the first steps took longer than later ones (compilation, the first batches)."""

    step: float
    start: float
    statistics: float
    checkpoint: float
    sheet: float


class StopWatch:
    """Laps of one run, by what was done in them."""

    def __init__(self) -> None:
        self._laps: dict[str, list[float]] = defaultdict(list)
        self._last = time.perf_counter()
        self._ends: dict[str, float] = {}

    def lap(self, what: str) -> None:
        """The time since the last lap was spent on that."""
        now = time.perf_counter()
        self._laps[what].append(now - self._last)
        self._last = self._ends[what] = now

    def last(self, what: str) -> float:
        """When the last lap of that ended; minus infinity before there was one."""
        return self._ends.get(what, float("-inf"))

    def pace(self, first: int) -> Pace:
        """The first so many steps profit from batches that were ready, and wait for compilers: they are not counted."""
        steps = self._laps["step"]
        steady = steps[first:] or steps or [0.0]
        step = sum(steady) / len(steady)
        start = max(0.0, sum(steps[:first]) - step * len(steps[:first]))
        rest = {name: _mean(self._laps[name]) for name in ("statistics", "checkpoint", "sheet")}
        return Pace(step=step, start=start, **rest)


def _mean(seconds: list[float]) -> float:
    return sum(seconds) / len(seconds) if seconds else 0.0


def unsteady(config: TrainConfig) -> int:
    """Steps at the beginning of a run that are served from batches prepared while it started."""
    return -(-(config.workers + 2) // config.accumulate)


def write_pace(pace: Pace, folder: Path) -> None:
    write_json(folder / PACE, asdict(pace))


def read_pace(folder: Path) -> Pace:
    return Pace(**read_json_object(folder / PACE))
