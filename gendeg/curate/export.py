"""Chosen pairs as lines of a new manifest: files where they are, what lies inside a dataset's tars as images."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from gendeg.pairs.pair import Pair
from gendeg.pairs.photo import Input, Kind, Photo
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
        self.folder, self.copy = out.with_suffix(""), copy
        self.names: set[str] = set()

    def check(self, places: Sequence[Pair]) -> None:
        """Raises `ForeignFolder` where images are to be written and somebody's files lie."""
        if any(_moves(pair, self.copy) for pair in places):
            refuse_foreign(self.folder, CURATE, self.ours)

    def pairs(self, places: Sequence[Pair]) -> Iterator[Pair]:
        """In order. Raises `BadImage`, `OutputNotWritable`, and `ForeignFolder` where the images' folder is in use."""
        if any(_moves(pair, self.copy) for pair in places):
            claim(self.folder, CURATE, self.ours)
        for pair in places:
            yield self._written(pair) if _moves(pair, self.copy) else pair

    def _written(self, pair: Pair) -> Pair:
        """A clean photo once, under its hash, so that pairs of one background go on sharing it."""
        clean, degraded = pair.clean.bytes(), pair.degraded.bytes()
        name = self._free(pair.key or Path(pair.degraded.path).stem)
        return replace(
            pair,
            clean=self._write("clean", sha256_bytes(clean)[:24], clean, pair.clean),
            degraded=self._write("degraded", name, degraded, pair.degraded),
        )

    def _write(self, half: str, stem: str, data: bytes, origin: Photo) -> Photo:
        """The bytes as they are stored, with the ending of what they are."""
        ending = read_header(data).plain
        target = self.folder / half / f"{stem}{f'.{ending}' if ending else origin.file.suffix}"
        ensure_writable(target.parent)
        if half == "degraded" or not target.exists():
            atomic_write(target, data)
        return Photo(Input(Kind.FOLDER, str(self.folder)), os.path.relpath(target, self.folder))

    def _free(self, stem: str) -> str:
        """The name, with a number where it is taken, also by one that differs in case only."""
        stem, number = stem[:LONGEST], 1
        name = stem
        while name.lower() in self.names:
            number += 1
            name = f"{stem}-{number}"
        self.names.add(name.lower())
        return name


def exported_bytes(places: Sequence[Pair], copy: bool) -> int:
    """How much is written at most: clean photos that pairs share are counted with each."""
    halves = [half for pair in places if _moves(pair, copy) for half in (pair.clean, pair.degraded)]
    return sum(half.length() for half in halves)


def _moves(pair: Pair, copy: bool) -> bool:
    return copy or not (pair.clean.is_file and pair.degraded.is_file)
