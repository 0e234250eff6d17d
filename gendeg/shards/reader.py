"""load_gends: a finished dataset as (clean, degraded, record), ready for torch's DataLoader, with filters."""

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.data import Dataset

from gendeg.primitives.errors import DamagedDataset, MissingPath, NotADataset, UnknownDegradation
from gendeg.primitives.images import U8Image, read_rgb, u8_to_unit
from gendeg.primitives.kinds import mix_name, parse_mix
from gendeg.primitives.records import Record
from gendeg.shards.layout import Layout

PLACES = ("shard", "split", "clean_at", "clean_bytes", "degraded_at", "degraded_bytes")
COLUMNS = [*(field.name for field in fields(Record)), *PLACES]


class LoadedPair(NamedTuple):
    """Unit images of one size and their record: a tuple, and a dict in it, for DataLoader batches those by itself."""

    clean: Float[Tensor, "3 h w"]
    degraded: Float[Tensor, "3 h w"]
    record: dict[str, Any]  # the fields of `gendeg.primitives.records.Record`


class GenDS(Dataset[LoadedPair]):
    """Map-style: any sample by its number, straight from its place in its tar. Safe with any number of workers."""

    def __init__(self, root: Path, rows: pa.Table):
        self.root, self.rows = root, rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> LoadedPair:
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        row = self._row(index)
        clean, degraded = (_to_tensor(image) for image in self._images(row))
        return LoadedPair(clean, degraded, {field.name: row[field.name] for field in fields(Record)})

    def read(self, index: int) -> tuple[U8Image, U8Image]:
        """(clean, degraded) of one sample as they are stored. Raises `BadImage`."""
        return self._images(self._row(index))

    def _row(self, index: int) -> dict[str, Any]:
        return self.rows.slice(index % len(self), 1).to_pylist()[0]

    def _images(self, row: dict[str, Any]) -> tuple[U8Image, U8Image]:
        """Both halves, straight from their places in the tar."""
        with open(self.root / row["shard"], "rb") as stream:
            found = []
            for half in ("clean", "degraded"):
                stream.seek(row[f"{half}_at"])
                found.append(read_rgb(stream.read(row[f"{half}_bytes"])))
        return found[0], found[1]


def load_gends(
    path: str | Path,
    types: str | Sequence[str] | None = None,
    origin: str | None = None,
    min_intensity: float = 0.0,
    max_intensity: float = 1.0,
    split: str | None = "train",
) -> GenDS:
    """The pairs of a dataset that pass every filter; `split` None means all splits.

    Existing pairs have no intensity and pass only when it starts at 0. Raises `MissingPath`, `NotADataset` (not
    finished), `UnknownDegradation` (also for one that the dataset does not hold).
    """
    layout = Layout(Path(path))
    if not layout.root.is_dir():
        raise MissingPath(path)
    if not layout.manifest.is_file():
        raise NotADataset(layout.root, "no .gendeg/manifest.parquet, which the end of a build writes")
    try:
        rows = pq.read_table(layout.manifest, columns=COLUMNS)
    except (OSError, pa.ArrowException) as error:
        raise DamagedDataset(layout.manifest, str(error)) from error
    wanted = pc.and_(
        pc.greater_equal(rows["intensity"], min_intensity), pc.less_equal(rows["intensity"], max_intensity)
    )
    for column, value in (("origin", origin), ("split", split)):
        if value is not None:
            wanted = pc.and_(wanted, pc.equal(rows[column], value))
    if types is not None:
        wanted = pc.and_(wanted, pc.is_in(rows["degradation"], pa.array(_kinds(types, rows))))
    return GenDS(layout.root, rows.filter(wanted).combine_chunks())


def _kinds(types: str | Sequence[str], rows: pa.Table) -> list[str]:
    there = sorted(pc.unique(rows["degradation"]).to_pylist())
    names = types.split(",") if isinstance(types, str) else list(types)
    kinds = [mix_name(parse_mix(name)) for name in names]
    for kind in kinds:
        if kind not in there:
            raise UnknownDegradation(kind, there)
    return kinds


def _to_tensor(image: U8Image) -> Float[Tensor, "3 h w"]:
    return torch.from_numpy(np.ascontiguousarray(u8_to_unit(image).transpose(2, 0, 1)))
