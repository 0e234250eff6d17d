"""Measures every pair once: by several processes, with what is measured kept in a file so that a run goes on."""

import json
import os
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from gendeg.jobs.curate_places import Measured, Placed
from gendeg.metrics.complexity import background_complexity, layer_complexity, layer_of
from gendeg.metrics.layer_shape import layer_shape
from gendeg.primitives.errors import BadImage, BadOption, CannotRead
from gendeg.primitives.files import append_jsonl, ensure_writable, write_jsonl
from gendeg.primitives.images import U8Image
from gendeg.primitives.progress import track

SCHEMA = "gendeg-complexity-1"
WINDOW = 512  # pixels: of larger images the middle is measured, unscaled, for training sees pixels as they are
LOOK = 96  # pixels of the middle that the autoencoder is shown
AT_ONCE = 64  # pairs that are written to the file together
Windows = tuple[np.ndarray, np.ndarray]  # u8 [h w 3] both; of any size, each pair its own
Errors = Callable[[Sequence[Windows]], Sequence[tuple[float, float]]]
"""Windows of pairs → what the autoencoder leaves of (clean, layer) of each."""


def measure_pair(placed: Placed) -> tuple[Measured, Windows] | str:
    """Its numbers without the autoencoder's, and the windows for that; or why it could not be measured."""
    try:
        clean, degraded = (middle(image, WINDOW) for image in placed.read())
    except BadImage as error:
        return str(error)
    measured = Measured(
        background_complexity(clean), layer_complexity(clean, degraded), layer_shape(layer_of(clean, degraded))
    )
    return measured, (middle(clean, LOOK), middle(degraded, LOOK))


def middle(image: U8Image, most: int) -> UInt8[np.ndarray, "y x 3"]:
    """The middle of the image, at most `most` pixels a side."""
    height, width = (min(side, most) for side in image.shape[:2])
    top, left = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
    return image[top : top + height, left : left + width]


class Cache:
    """What earlier runs measured: a line a pair, kept as long as its files and the settings are the same."""

    def __init__(self, path: Path, settings: dict[str, Any]):
        """Raises `BadOption` for a file that holds something else, which is left as it is."""
        self.path, self.settings = path, {"schema": SCHEMA} | settings
        self.rows = self._read()

    def _read(self) -> dict[str, dict[str, Any]]:
        """What the file holds; a line that an interruption cut is taken out of it, and all of other settings are."""
        rows = list(_whole_lines(self.path))
        if self.path.exists() and self.path.stat().st_size and (not rows or rows[0].get("schema") != SCHEMA):
            raise BadOption("--measures", f"{self.path} holds something else; choose another name")
        kept = rows[1:] if rows[:1] == [self.settings] else []
        ensure_writable(self.path.parent)
        write_jsonl(self.path, [self.settings, *kept])
        return {row["name"]: row for row in kept}

    def get(self, placed: Placed) -> Measured | str | None:
        row = self.rows.get(placed.name)
        if row is None or row["stamp"] != _stamp(placed):
            return None
        return row["bad"] or Measured.from_row(row["measured"])

    def add(self, found: Iterable[tuple[Placed, Measured | str]]) -> None:
        rows: list[dict[str, Any]] = [
            {"name": placed.name, "stamp": _stamp(placed)}
            | ({"bad": what, "measured": {}} if isinstance(what, str) else {"bad": "", "measured": what.as_row()})
            for placed, what in found
        ]
        append_jsonl(self.path, rows)
        self.rows |= {row["name"]: row for row in rows}


def _whole_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Objects of a file up to the first line that is none; nothing where there is no file. Raises `CannotRead`."""
    if not path.exists():
        return
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise CannotRead(path, error.strerror or str(error)) from error
    for line in lines:
        try:
            row = json.loads(line)
        except ValueError:
            return
        if not isinstance(row, dict):
            return
        yield row


def _stamp(placed: Placed) -> str:
    return f"{placed.clean.stamp()} {placed.degraded.stamp()}"


def measure_all(
    places: Sequence[Placed], cache: Cache, errors: Errors | None, workers: int, progress: bool | None = None
) -> list[Measured | str]:
    """In the places' order: the numbers, or the reason why there are none."""
    waiting = [placed for placed in places if cache.get(placed) is None]
    bar = track(_results(waiting, workers), "measuring", len(waiting), progress)
    batch: list[tuple[Placed, tuple[Measured, Windows] | str]] = []
    for one in zip(waiting, bar, strict=True):
        batch.append(one)
        if len(batch) == AT_ONCE:
            cache.add(_with_errors(batch, errors))
            batch = []
    cache.add(_with_errors(batch, errors))
    found = [cache.get(placed) for placed in places]
    return ["its files changed while they were measured" if one is None else one for one in found]


def _with_errors(
    batch: Sequence[tuple[Placed, tuple[Measured, Windows] | str]], errors: Errors | None
) -> list[tuple[Placed, Measured | str]]:
    good = [what[1] for _, what in batch if not isinstance(what, str)]
    left = iter(errors(good) if errors and good else [])
    found: list[tuple[Placed, Measured | str]] = []
    for placed, what in batch:
        if isinstance(what, str):
            found.append((placed, what))
            continue
        background, layer = ((one,) for one in next(left)) if errors else ((), ())
        numbers = what[0]
        found.append((placed, Measured(numbers.background + background, numbers.layer + layer, numbers.shape)))
    return found


def _results(places: Sequence[Placed], workers: int) -> Iterator[tuple[Measured, Windows] | str]:
    """In order, from this process or from a pool."""
    workers = min(workers or os.cpu_count() or 1, len(places) // AT_ONCE)
    if workers <= 1:
        yield from map(measure_pair, places)
        return
    quiet = (signal.signal, (signal.SIGINT, signal.SIG_IGN))
    with ProcessPoolExecutor(workers, get_context("spawn"), *quiet) as pool:
        for start in range(0, len(places), AT_ONCE * workers):  # a map over all of them would hold all windows
            yield from pool.map(measure_pair, places[start : start + AT_ONCE * workers], chunksize=8)
