"""LMDB databases as BasicSR's family reads them: `data.mdb`, `lock.mdb`, and `meta_info.txt`, a line an image."""

import shutil
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from gendeg.primitives.errors import MissingExtra
from gendeg.primitives.files import ensure_writable

ROOM = 1 << 40
"""Bytes that a database may grow to: addresses, not disk."""
TOGETHER = 500  # images between two commits, each of which waits for the disk
LEVEL = 1  # of PNG compression, which the third column of meta_info.txt tells; nobody reads it


def write_databases(entries: Iterable[tuple[Path, str, bytes, tuple[int, int]]]) -> None:
    """(database, image name with its ending, encoded bytes, (width, height) in pixels) → the databases, made anew.

    An image's key is its name up to the first dot. Raises `MissingExtra`.
    """
    if find_spec("lmdb") is None:
        raise MissingExtra("lmdb", "lmdb")
    import lmdb

    open_ones: dict[Path, _Database] = {}
    try:
        for path, name, data, (width, height) in entries:
            if path not in open_ones:
                shutil.rmtree(path, ignore_errors=True)
                open_ones[path] = _Database(lmdb, ensure_writable(path))
            open_ones[path].put(name, data, width, height)
    finally:
        for one in open_ones.values():
            one.close()


class _Database:
    def __init__(self, lmdb: Any, path: Path) -> None:
        self.environment = lmdb.open(str(path), map_size=ROOM)
        self.meta = open(path / "meta_info.txt", "w", encoding="utf-8")  # noqa: SIM115
        self.transaction, self.count = self.environment.begin(write=True), 0

    def put(self, name: str, data: bytes, width: int, height: int) -> None:
        self.transaction.put(name.split(".")[0].encode("ascii"), data)
        self.meta.write(f"{name} ({height},{width},3) {LEVEL}\n")
        self.count += 1
        if self.count % TOGETHER == 0:
            self.transaction.commit()
            self.transaction = self.environment.begin(write=True)

    def close(self) -> None:
        self.transaction.commit()
        self.meta.close()
        self.environment.close()
