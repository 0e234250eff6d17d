"""A model folder as a few files of limited size, for places that take no large ones, and back.

Two generations of parts lie beside each other and are written in turn, so that at any moment one of them is whole:
`parts.json`, replaced last, says which.
"""

import hashlib
import io
import tarfile
from dataclasses import asdict, dataclass
from pathlib import Path

from gendeg.model.saving import write_folder
from gendeg.primitives.errors import BadModel
from gendeg.primitives.files import atomic_write, read_json_object, write_json

INDEX = "parts.json"
LARGEST = 15_000_000
"""Bytes of a part at most."""


@dataclass(frozen=True)
class Parts:
    """The whole generation: its files in order with their SHA-256, and what is noted of the model."""

    generation: str
    files: dict[str, str]
    notes: dict[str, str | int | float]


def write_parts(
    model: Path, out: Path, notes: dict[str, str | int | float], most: int = 8, largest: int = LARGEST
) -> Parts:
    """Cut a folder into parts in `out`, at most `most` files of both generations with the index.

    A model for which that is too few has one generation only, replaced part by part. Raises `BadModel` where even that
    is too much, `OutputNotWritable`.
    """
    packed = _pack(model)
    pieces = [packed[first : first + largest] for first in range(0, len(packed), largest)]
    if len(pieces) + 1 > most:
        raise BadModel(model, f"takes {len(pieces)} parts of {largest} bytes, more than {most - 1}")
    earlier = read_parts(out)
    turn = "a" if 2 * len(pieces) + 1 > most or (earlier and earlier.generation == "b") or not earlier else "b"
    names = [f"model-{turn}{number}.part" for number in range(len(pieces))]
    for name, piece in zip(names, pieces, strict=True):
        atomic_write(out / name, piece)
    sums = {name: hashlib.sha256(piece).hexdigest() for name, piece in zip(names, pieces, strict=True)}
    parts = Parts(turn, sums, notes)
    write_json(out / INDEX, asdict(parts))
    for stale in out.glob(f"model-{turn}*.part"):
        if stale.name not in sums:
            stale.unlink()
    return parts


def read_parts(folder: Path) -> Parts | None:
    """What the index says, or None where there is none. Raises `BadRecord` for one that is no JSON object."""
    path = folder / INDEX
    return Parts(**read_json_object(path)) if path.exists() else None


def join_parts(folder: Path, out: Path) -> Parts:
    """The parts put together again as a model folder. Raises `BadModel` for one that is missing or damaged."""
    parts = read_parts(folder)
    if parts is None:
        raise BadModel(folder, f"no {INDEX} in it")
    packed = b"".join(_read(folder / name, digest) for name, digest in parts.files.items())

    def unpack(partial: Path) -> None:
        with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
            tar.extractall(partial, filter="data")

    write_folder(out, unpack)
    return parts


def _read(path: Path, digest: str) -> bytes:
    data = path.read_bytes() if path.exists() else b""
    if hashlib.sha256(data).hexdigest() != digest:
        raise BadModel(path, "this part is missing, or not the one that the index names")
    return data


def _pack(model: Path) -> bytes:
    """An uncompressed tar: weights do not get smaller."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for path in sorted(path for path in model.rglob("*") if path.is_file()):
            tar.add(path, str(path.relative_to(model)))
    return packed.getvalue()
