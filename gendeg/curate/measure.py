"""Measures every pair once: by several processes, with what is measured kept in a file so that a run goes on."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from gendeg.metrics.complexity import background_complexity, layer_complexity, layer_of
from gendeg.metrics.layer_shape import LayerShape, layer_shape
from gendeg.pairs.pair import Pair
from gendeg.primitives.errors import BadImage, BadOption
from gendeg.primitives.faults import ImageFault
from gendeg.primitives.files import append_jsonl, ensure_writable, read_bytes, write_jsonl
from gendeg.primitives.images import U8Image
from gendeg.primitives.parallel import in_processes, per_core
from gendeg.primitives.progress import track

SCHEMA = "gendeg-complexity-1"
WINDOW = 512  # pixels: of larger images the middle is measured, unscaled, for training sees pixels as they are
LOOK = 96  # pixels of the middle that the autoencoder is shown
AT_ONCE = 64  # pairs that are written to the file together
Windows = tuple[np.ndarray, np.ndarray]  # u8 [h w 3] both; of any size, each pair its own
Errors = Callable[[Sequence[Windows]], Sequence[tuple[float, float]]]
"""Windows of pairs → what the autoencoder leaves of (clean, layer) of each."""


@dataclass(frozen=True)
class Measured:
    """A pair's numbers: complexity of both halves in the order of metrics.complexity.MEASURES; shape of the layer."""

    background: tuple[float, ...]
    layer: tuple[float, ...]
    shape: LayerShape

    def as_row(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> "Measured":
        """Raises `KeyError` or `TypeError` for a row that is none."""
        return cls(tuple(row["background"]), tuple(row["layer"]), LayerShape(**row["shape"]))


@dataclass(frozen=True)
class Candidate:
    """A pair, its numbers, and the scores in [0, 1] of its background (the mean over the photo's views) and layer."""

    pair: Pair
    measured: Measured
    background: float
    layer: float

    @property
    def photo(self) -> str:
        return self.pair.photo

    @property
    def degradation(self) -> str:
        return self.pair.degradation


def measure_pair(pair: Pair) -> tuple[Measured, Windows] | str:
    """Its numbers without the autoencoder's, and the windows for that; or why it could not be measured."""
    try:
        clean, degraded = (middle(image, WINDOW) for image in read_alike(pair))
    except BadImage as error:
        return str(error)
    measured = Measured(
        background_complexity(clean), layer_complexity(clean, degraded), layer_shape(layer_of(clean, degraded))
    )
    return measured, (middle(clean, LOOK), middle(degraded, LOOK))


def read_alike(pair: Pair) -> tuple[U8Image, U8Image]:
    """(clean, degraded). Raises `BadImage`, also when the two differ in size."""
    clean, degraded = pair.read()
    if clean.shape != degraded.shape:
        sizes = f"{degraded.shape[1]} x {degraded.shape[0]}, its clean half {clean.shape[1]} x {clean.shape[0]}"
        raise BadImage(pair.degraded.name, ImageFault.UNSUPPORTED, sizes)
    return clean, degraded


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

    def get(self, pair: Pair) -> Measured | str | None:
        row = self.rows.get(pair.name)
        if row is None or row["stamp"] != _stamp(pair):
            return None
        return row["bad"] or Measured.from_row(row["measured"])

    def add(self, found: Iterable[tuple[Pair, Measured | str]]) -> None:
        rows: list[dict[str, Any]] = [
            {"name": pair.name, "stamp": _stamp(pair)}
            | ({"bad": what, "measured": {}} if isinstance(what, str) else {"bad": "", "measured": what.as_row()})
            for pair, what in found
        ]
        append_jsonl(self.path, rows)
        self.rows |= {row["name"]: row for row in rows}


def _whole_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Objects of a file up to the first line that is none; nothing where there is no file. Raises `CannotRead`."""
    if not path.exists():
        return
    for line in read_bytes(path).split(b"\n"):
        try:
            row = json.loads(line)
        except ValueError:
            return
        if not isinstance(row, dict):
            return
        yield row


def _stamp(pair: Pair) -> str:
    return f"{pair.clean.stamp()} {pair.degraded.stamp()}"


def measure_all(
    places: Sequence[Pair], cache: Cache, errors: Errors | None, workers: int, progress: bool | None = None
) -> list[Measured | str]:
    """In the places' order: the numbers, or the reason why there are none."""
    waiting = [pair for pair in places if cache.get(pair) is None]
    workers = min(per_core(workers), len(waiting) // AT_ONCE)
    bar = track(in_processes(measure_pair, waiting, workers), "measuring", len(waiting), progress)
    batch: list[tuple[Pair, tuple[Measured, Windows] | str]] = []
    for one in zip(waiting, bar, strict=True):
        batch.append(one)
        if len(batch) == AT_ONCE:
            cache.add(_with_errors(batch, errors))
            batch = []
    cache.add(_with_errors(batch, errors))
    found = [cache.get(pair) for pair in places]
    return ["its files changed while they were measured" if one is None else one for one in found]


def _with_errors(
    batch: Sequence[tuple[Pair, tuple[Measured, Windows] | str]], errors: Errors | None
) -> list[tuple[Pair, Measured | str]]:
    good = [what[1] for _, what in batch if not isinstance(what, str)]
    left = iter(errors(good) if errors and good else [])
    found: list[tuple[Pair, Measured | str]] = []
    for pair, what in batch:
        if isinstance(what, str):
            found.append((pair, what))
            continue
        background, layer = ((one,) for one in next(left)) if errors else ((), ())
        numbers = what[0]
        found.append((pair, Measured(numbers.background + background, numbers.layer + layer, numbers.shape)))
    return found
