"""The photos of a bundle: those that pairs are simulated from to train on, and a few that nothing is trained on."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from gendeg.jobs.evaluate_photos import listed_photos
from gendeg.primitives.errors import BadImage, BadOption
from gendeg.primitives.files import Found, atomic_write, find_images, output_stems, write_jsonl
from gendeg.primitives.folders import is_ours
from gendeg.primitives.images import read_rgb
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
    own = os.path.realpath(out)
    paths, _ = listed_photos(tuple(clean), ["train"])
    found = find_images(paths, lambda path: os.path.realpath(path).startswith(own + os.sep), is_ours)
    stems = output_stems(found)
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        faults = list(pool.map(_fault, found))
    failures = [
        Failure.of(error, error.path, key=stem, seed=seed) for stem, error in zip(stems, faults, strict=True) if error
    ]
    good = [(stem, one) for stem, one, error in zip(stems, found, faults, strict=True) if not error]
    if failures:
        write_jsonl(photos.folder / "failures.jsonl", (failure.as_row() for failure in failures))
    if len(good) < 2:
        raise BadOption("CLEAN", f"{len(good)} of these photos can be read; give two at least, for one is held out")
    order = sorted(good, key=lambda one: for_sample(seed, one[0], "split").uniform())
    count = min(MOST, max(1, round(share * len(good))), len(good) - 1)
    for path, some in ((photos.held_out, order[:count]), (photos.train, order[count:])):
        atomic_write(path, "".join(sorted(f"{os.path.abspath(one.path)}\n" for _, one in some)))


def _fault(found: Found) -> BadImage | None:
    try:
        read_rgb(found.path)
    except BadImage as error:
        return error
    return None
