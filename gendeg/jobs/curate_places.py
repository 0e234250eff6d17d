"""A pair wherever it lies, in files or inside a dataset's tar, and what was measured on it; loads without torch."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gendeg.metrics.layer_shape import LayerShape
from gendeg.pairs.manifest import Pair
from gendeg.primitives.errors import BadImage
from gendeg.primitives.faults import ImageFault
from gendeg.primitives.images import U8Image, read_rgb


@dataclass(frozen=True)
class Half:
    """A file, or `size` bytes of one from `at` on."""

    path: Path
    at: int = 0
    size: int = 0  # 0: the whole file

    def image(self) -> U8Image:
        """Raises `BadImage`."""
        return read_rgb(self.bytes() if self.size else self.path)

    def bytes(self) -> bytes:
        """As they are stored. Raises `BadImage`."""
        try:
            with open(self.path, "rb") as stream:
                stream.seek(self.at)
                return stream.read(self.size or -1)
        except OSError as error:
            raise BadImage(self.path, ImageFault.UNREADABLE, str(error)) from error

    def stamp(self) -> str:
        """Changes when the file does; empty when it is not there."""
        try:
            known = self.path.stat()
        except OSError:
            return ""
        return f"{known.st_size}-{known.st_mtime_ns}"


@dataclass(frozen=True)
class Placed:
    """A pair, its halves, and the name of its clean photo: equal for pairs that share their background."""

    pair: Pair
    origin: str  # generated, existing, simulated
    photo: str
    clean: Half
    degraded: Half
    key: str = ""  # of a dataset's sample

    @property
    def name(self) -> str:
        """Unique among all places, and the same in every run."""
        return f"{self.clean.path}@{self.clean.at} {self.degraded.path}@{self.degraded.at}"

    def read(self) -> tuple[U8Image, U8Image]:
        """(clean, degraded). Raises `BadImage`, also when the two differ in size."""
        clean, degraded = self.clean.image(), self.degraded.image()
        if clean.shape != degraded.shape:
            sizes = f"{degraded.shape[1]} x {degraded.shape[0]}, its clean half {clean.shape[1]} x {clean.shape[0]}"
            raise BadImage(self.degraded.path, ImageFault.UNSUPPORTED, sizes)
        return clean, degraded


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

    placed: Placed
    measured: Measured
    background: float
    layer: float

    @property
    def photo(self) -> str:
        return self.placed.photo

    @property
    def degradation(self) -> str:
        return self.placed.pair.degradation
