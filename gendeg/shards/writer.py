"""Writes one shard: a tar that is a pure function of its samples, atomically."""

import hashlib
import os
import tarfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from gendeg.primitives.disk import fsync_file, fsync_folder
from gendeg.primitives.errors import OutputNotWritable
from gendeg.primitives.files import ensure_writable, temporary_beside

BLOCK, TAIL = 512, 10_240
MEMBERS = ("clean", "degraded", "json")


@dataclass(frozen=True)
class Member:
    """One file of a sample: its name in the tar, where its data begins, how long it is, and its hash."""

    name: str
    offset: int
    size: int
    sha256: str


@dataclass(frozen=True)
class StoredSample:
    """One pair as it is stored. `clean_format` is png or jpg; `record` is JSON."""

    key: str
    clean: bytes
    clean_format: str
    degraded: bytes
    record: bytes

    def files(self) -> list[tuple[str, bytes]]:
        """(name, data) in the order of the tar."""
        return [
            (f"{self.key}.clean.{self.clean_format}", self.clean),
            (f"{self.key}.degraded.png", self.degraded),
            (f"{self.key}.json", self.record),
        ]


def member_header(name: str, size: int) -> bytes:
    """512 bytes: USTAR, mode 644, time and owner 0. Raises `ValueError` for a name that does not fit."""
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o644
    header = info.tobuf(tarfile.USTAR_FORMAT, "ascii", "strict")
    assert len(header) == BLOCK
    return header


class ShardWriter:
    """Within `with`: `add` samples; the shard appears under its name when the block ends well, else nothing is left.

    Raises `OutputNotWritable` for whatever the disk refuses.
    """

    def __init__(self, path: Path):
        self.path = path
        self.temporary = temporary_beside(path)
        self.size = 0
        self._hash = hashlib.sha256()

    def __enter__(self) -> "ShardWriter":
        ensure_writable(self.path.parent)
        try:
            self._stream = open(self.temporary, "xb")
        except OSError as error:
            raise OutputNotWritable(self.path, error.strerror or str(error)) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._finish()
        except OSError as problem:
            raise OutputNotWritable(self.path, problem.strerror or str(problem)) from problem
        finally:
            with suppress(OSError):  # gone after the rename; first, should a further signal come
                self.temporary.unlink()
            with suppress(OSError):
                self._stream.close()

    @property
    def sha256(self) -> str:
        """Of all bytes so far; of the file, once the block has ended."""
        return self._hash.hexdigest()

    def add(self, sample: StoredSample) -> list[Member]:
        """Three members, adjacent: readers group by the key up to the first dot."""
        try:
            return [self._member(name, data) for name, data in sample.files()]
        except OSError as error:
            raise OutputNotWritable(self.path, error.strerror or str(error)) from error

    def _member(self, name: str, data: bytes) -> Member:
        self._write(member_header(name, len(data)))
        offset = self.size
        self._write(data)
        self._write(bytes(-len(data) % BLOCK))
        return Member(name, offset, len(data), hashlib.sha256(data).hexdigest())

    def _write(self, data: bytes) -> None:
        self._stream.write(data)
        self._hash.update(data)
        self.size += len(data)

    def _finish(self) -> None:
        self._write(tail(self.size))
        fsync_file(self._stream)
        self._stream.close()
        os.replace(self.temporary, self.path)
        fsync_folder(self.path.parent)


def tail(size: int) -> bytes:
    """The end of a tar of `size` bytes: two empty blocks, and more up to a whole record."""
    return bytes(2 * BLOCK + -(size + 2 * BLOCK) % TAIL)
