"""Chosen pairs as lines of a new manifest: files where they are, what lies inside a dataset's tars as images."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from gendeg.jobs.curate_places import Half, Placed
from gendeg.pairs.manifest import Pair
from gendeg.primitives.files import atomic_write, ensure_writable, sha256_bytes
from gendeg.primitives.folders import claim, refuse_foreign
from gendeg.primitives.images import read_header

CURATE = "curate"  # the mark of the images' folder
LONGEST = 150  # characters of a file's name before its ending


class Export:
    """Gives pairs paths that hold from the manifest `out`; images go to clean/ and degraded/ in `out` less ending."""

    def __init__(self, out: Path, copy: bool, ours: bool = False):
        """`copy`: files of manifests are copied too. `ours`: an earlier run's, its images may lie there already."""
        self.ours = ours
        self.start, self.folder, self.copy = Path(os.path.abspath(out.parent)), out.with_suffix(""), copy
        self.names: set[str] = set()

    def check(self, places: Sequence[Placed]) -> None:
        """Raises `ForeignFolder` where images are to be written and somebody's files lie."""
        if any(_moves(placed, self.copy) for placed in places):
            refuse_foreign(self.folder, CURATE, self.ours)

    def pairs(self, places: Sequence[Placed]) -> Iterator[Pair]:
        """In order. Raises `BadImage`, `OutputNotWritable`, and `ForeignFolder` where the images' folder is in use."""
        if any(_moves(placed, self.copy) for placed in places):
            claim(self.folder, CURATE, self.ours)
        for placed in places:
            clean, degraded = self._written(placed) if _moves(placed, self.copy) else _where_they_are(placed)
            yield replace(placed.pair, clean=self._relative(clean), degraded=self._relative(degraded))

    def _relative(self, path: Path) -> str:
        return os.path.relpath(os.path.abspath(path), self.start)

    def _written(self, placed: Placed) -> tuple[Path, Path]:
        """A clean photo once, under its hash, so that pairs of one background go on sharing it."""
        clean, degraded = placed.clean.bytes(), placed.degraded.bytes()
        name = self._free(placed.key or placed.degraded.path.stem)
        return (
            self._write("clean", sha256_bytes(clean)[:24], clean, placed.clean),
            self._write("degraded", name, degraded, placed.degraded),
        )

    def _write(self, half: str, stem: str, data: bytes, origin: Half) -> Path:
        """The bytes as they are stored, with the ending of what they are."""
        ending = read_header(data).plain
        target = self.folder / half / f"{stem}{f'.{ending}' if ending else origin.path.suffix}"
        ensure_writable(target.parent)
        if half == "degraded" or not target.exists():
            atomic_write(target, data)
        return target

    def _free(self, stem: str) -> str:
        """The name, with a number where it is taken, also by one that differs in case only."""
        stem, number = stem[:LONGEST], 1
        name = stem
        while name.lower() in self.names:
            number += 1
            name = f"{stem}-{number}"
        self.names.add(name.lower())
        return name


def exported_bytes(places: Sequence[Placed], copy: bool) -> int:
    """How much is written at most: clean photos that pairs share are counted with each."""
    halves = [half for placed in places if _moves(placed, copy) for half in (placed.clean, placed.degraded)]
    return sum(half.size or half.path.stat().st_size for half in halves)


def _moves(placed: Placed, copy: bool) -> bool:
    return bool(placed.key) or copy


def _where_they_are(placed: Placed) -> tuple[Path, Path]:
    return placed.clean.path, placed.degraded.path
