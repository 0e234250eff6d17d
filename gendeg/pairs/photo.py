"""A photo, wherever it lies: a file, a part of a tar, a row of a dataset."""

import hashlib
import os
import stat
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from gendeg.pairs.rows import read_row
from gendeg.primitives.errors import BadImage
from gendeg.primitives.faults import ImageFault
from gendeg.primitives.files import atomic_write, ensure_writable
from gendeg.primitives.images import U8Image, read_rgb


class Kind(StrEnum):
    FOLDER = "folder"
    TAR = "tar"
    TABLE = "table"
    DATASET = "dataset"


@dataclass(frozen=True, slots=True)
class Input:
    """One place that photos lie in, as it was given. `place` of a dataset on the hub is its name.

    `column` says which picture of a dataset's row, or of a tar's sample, is meant where there are several.
    """

    kind: Kind
    place: str
    column: str = ""


@dataclass(frozen=True, slots=True)
class Photo:
    """One photo, by where it is: a file, `size` bytes of one from `at` on, or row `at` of a dataset.

    `path` is relative to its input: below a folder, beside a table, in a tar; of a dataset, its split. What nothing is
    said of is "".
    """

    input: Input
    path: str
    stem: str = ""
    caption: str = ""
    at: int = -1
    size: int = -1
    split: str = ""
    degradation: str = ""

    @property
    def file(self) -> Path:
        """The file that holds it; of a dataset no file but its name."""
        place = Path(self.input.place)
        if self.input.kind in (Kind.TAR, Kind.DATASET):
            return place
        return (place if self.input.kind == Kind.FOLDER else place.parent) / self.path

    @property
    def name(self) -> str:
        """What it is called in messages and records."""
        if self.input.kind == Kind.DATASET:
            return f"{self.input.place} {self.path} row {self.at}"
        return f"{self.input.place}/{self.path}" if self.input.kind == Kind.TAR else str(self.file)

    @property
    def below(self) -> str:
        """What it is called where nobody is to know where its input lies."""
        return f"{self.path} row {self.at}" if self.input.kind == Kind.DATASET else self.path

    @property
    def title(self) -> str:
        """The last part of its name."""
        return self.below if self.input.kind == Kind.DATASET else os.path.basename(self.path)

    @property
    def is_file(self) -> bool:
        """Whether it is a file of its own."""
        return self.at < 0 and self.input.kind in (Kind.FOLDER, Kind.TABLE)

    @property
    def place(self) -> str:
        """Where it lies, below its input: `path`, and where in that file."""
        return self.path if self.at < 0 else f"{self.path}@{self.at}"

    @property
    def address(self) -> str:
        """Unique among all places, wherever the run is started."""
        split = f" {self.path}" if self.input.kind == Kind.DATASET else ""
        return f"{os.path.abspath(self.file)}{split}@{max(self.at, 0)}"

    def image(self) -> U8Image:
        """Raises `BadImage`."""
        try:
            return read_rgb(self.file if self.is_file else self.bytes())
        except BadImage as error:
            raise error.named(self.name) from error

    def bytes(self) -> bytes:
        """As they are stored. Raises `BadImage` with a reason for whatever goes wrong."""
        if self.input.kind == Kind.DATASET:
            return read_row(self.input.place, self.input.column, self.path, self.at)
        try:
            if not stat.S_ISREG(mode := os.stat(self.file).st_mode) and not stat.S_ISDIR(mode):
                raise BadImage(self.name, ImageFault.UNREADABLE, "not a regular file")  # a pipe would wait for ever
            with open(self.file, "rb") as stream:
                stream.seek(max(self.at, 0))
                return stream.read(self.size if self.at >= 0 else -1)
        except IsADirectoryError as error:
            raise BadImage(self.name, ImageFault.FOLDER) from error
        except (FileNotFoundError, NotADirectoryError) as error:
            raise BadImage(self.name, ImageFault.MISSING) from error
        except PermissionError as error:
            raise BadImage(self.name, ImageFault.NO_PERMISSION) from error
        except (OSError, ValueError) as error:  # ValueError: a NUL byte in the name
            raise BadImage(self.name, ImageFault.UNREADABLE, str(error)) from error

    def as_file(self, folder: Path) -> Path:
        """Its file; what is none of its own is written into a folder. Raises `BadImage`, `OutputNotWritable`."""
        if self.is_file:
            return self.file
        unique = hashlib.sha256(self.address.encode("utf-8", "surrogateescape")).hexdigest()[:8]
        path = ensure_writable(folder) / f"{self.stem}-{unique}{os.path.splitext(self.path)[1] or '.png'}"
        if not path.exists():
            atomic_write(path, self.bytes())
        return path

    def length(self) -> int:
        """Of its bytes."""
        return self.size if self.size >= 0 else self.file.stat().st_size if self.is_file else len(self.bytes())

    def stamp(self) -> str:
        """Changes when its file does; empty when there is none."""
        try:
            known = self.file.stat()
        except OSError:
            return ""
        return f"{known.st_size}-{known.st_mtime_ns}"
