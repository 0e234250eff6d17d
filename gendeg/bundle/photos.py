"""The photos of a bundle: those that pairs are simulated from to train on, and a few that nothing is trained on."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from gendeg.pairs.photo import Photo
from gendeg.pairs.photos import open_photos
from gendeg.primitives.errors import BadImage, BadOption
from gendeg.primitives.files import atomic_write, write_jsonl
from gendeg.primitives.records import Failure
from gendeg.primitives.rng import for_sample

MOST = 24
"""Photos that are held out at most: enough for sheets and a PSNR."""


@dataclass(frozen=True)
class Photos:
    """Lists of paths, one a line, in the bundle's folder; in `failures`, if there, the photos that cannot be read."""

    folder: Path

    @property
    def train(self) -> Path:
        return self.folder / "train.txt"

    @property
    def held_out(self) -> Path:
        return self.folder / "held_out.txt"

    @property
    def failures(self) -> Path:
        return self.folder / "failures.jsonl"


def split_photos(clean: Sequence[Path], photos: Photos, out: Path, share: float, seed: int) -> None:
    """Write both lists. `share` of the photos is held out, at least one and at most `MOST`.

    Every photo is read once, so that none fails hours later; those that cannot be are listed and left out. What lies
    below `out` is the bundle's own. Raises `BadOption` for fewer than two good ones, `MissingPath`, `NoImages`.
    """
    own = os.path.realpath(out) + os.sep
    found = open_photos(clean, split="train", skip=lambda path: os.path.realpath(path).startswith(own), gaps=True)
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        faults = list(pool.map(_fault, found))
    failures = [
        Failure.of(error, error.path, key=one.stem, seed=seed)
        for one, error in zip(found, faults, strict=True)
        if error
    ]
    good = [one for one, error in zip(found, faults, strict=True) if not error]
    if failures:
        write_jsonl(photos.folder / "failures.jsonl", (failure.as_row() for failure in failures))
    if len(good) < 2:
        raise BadOption("CLEAN", f"{len(good)} of these photos can be read; give two at least, for one is held out")
    order = sorted(good, key=lambda one: for_sample(seed, one.stem, "split").uniform())
    count = min(MOST, max(1, round(share * len(good))), len(good) - 1)
    for path, some in ((photos.held_out, order[:count]), (photos.train, order[count:])):
        files = [os.path.abspath(one.as_file(photos.folder / "unpacked")) for one in some]
        atomic_write(path, "".join(sorted(f"{file}\n" for file in files)))


def _fault(photo: Photo) -> BadImage | None:
    try:
        photo.image()
    except BadImage as error:
        return error
    return None
