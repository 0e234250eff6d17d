"""gendeg status: how far a build is, read from its marks and logs while it runs."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gendeg.primitives.errors import BadManifest, BadRecord, DamagedDataset, MissingPath
from gendeg.primitives.files import read_jsonl, readable_rows
from gendeg.primitives.lock import Holder, is_alive, read_holder
from gendeg.primitives.records import Failure
from gendeg.shards.description import Totals, done_marks, read_description, totals
from gendeg.shards.layout import Layout

RECENT = 600.0  # seconds over which the pace is taken


@dataclass(frozen=True)
class Status:
    """What stands, who works on it, and at which pace."""

    totals: Totals
    left_out: dict[str, int]
    holder: Holder | None
    processes: int
    images_per_second: float
    under_way: int  # images of shards that are not done yet

    @property
    def seconds_left(self) -> float | None:
        """None without a pace."""
        left = max(0, self.totals.missing - self.under_way)
        return left / self.images_per_second if self.images_per_second else None


def status(folder: Path) -> Status:
    """Raises `NotADataset` and `DamagedDataset`."""
    layout = Layout(folder)
    description = read_description(layout)
    holder = read_holder(layout.lock)
    alive = holder if holder is not None and is_alive(holder, layout.lock) else None
    stands = totals(layout, description)
    rows = list(_log_rows(layout))
    pace, processes = _pace(rows, time.time()) if alive else (0.0, 0)
    return Status(stands, description.left_out, alive, processes, pace, _under_way(rows) if alive else 0)


def failures(folder: Path) -> Iterator[Failure]:
    """Photos that no sample was planned for, then the failed samples of every shard that is done, in the plan's order.

    Raises `NotADataset` and `DamagedDataset`.
    """
    layout = Layout(folder)
    description = read_description(layout)
    try:
        yield from (Failure.from_row(row) for row in read_jsonl(layout.left_out))
    except MissingPath:
        pass  # never uploaded: a dataset from the hub lacks it
    except (BadManifest, BadRecord) as error:
        raise DamagedDataset(layout.left_out, str(error)) from error
    for _, mark in done_marks(layout, description):
        yield from mark.failed


def _log_rows(layout: Layout) -> Iterator[dict[str, Any]]:
    """Whole lines of every process's log."""
    for path in sorted(layout.logs.glob("*.jsonl")):
        yield from ({"log": path.name} | row for row in readable_rows(path) if "event" in row)


def _pace(rows: list[dict[str, Any]], now: float) -> tuple[float, int]:
    """Images a second of all processes together, and how many of them made one lately."""
    recent = [row for row in rows if row["event"] == "batch" and row["time"] > now - RECENT]
    if not recent:
        return 0.0, 0
    began = min(row["time"] for row in recent)
    started = max((row["time"] for row in rows if row["event"] == "start" and row["time"] <= began), default=began)
    seconds = now - max(started, now - RECENT)
    return sum(row["images"] for row in recent) / max(seconds, 1e-3), len({row["log"] for row in recent})


def _under_way(rows: list[dict[str, Any]]) -> int:
    """Images of the shard that each process has begun and not finished; tries that were refused count as well."""
    count: dict[str, int] = {}
    for row in rows:
        if row["event"] == "batch":
            count[row["log"]] = count.get(row["log"], 0) + row["images"]
        else:
            count[row["log"]] = 0
    return sum(count.values())
