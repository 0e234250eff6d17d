"""Real pairs for a study, from manifests, tables, datasets → one manifest, pictures as large as the recipe says."""

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from gendeg.intensity.measure import measure_intensity
from gendeg.jobs.restore_data import MANIFEST, Example, load_built
from gendeg.jobs.study_recipe import DataRecipe
from gendeg.pairs.manifest import Pair, read_manifest, write_manifest
from gendeg.pairs.tables import PAIR, read_table
from gendeg.primitives.errors import BadImage, BadManifest, GendegError, MissingPath, NoPairs
from gendeg.primitives.files import sha256_lines, write_jsonl
from gendeg.primitives.images import U8Image, read_rgb, resize_short_side, write_image
from gendeg.primitives.kinds import mix_name, parse_mix
from gendeg.prompts import words

TEST, TRAIN = "test", "train"
GENERATED = "generated"


@dataclass(frozen=True)
class RealPair:
    """Where its halves lie, and what is said of it; `split` train or test; `built`: it lies in a dataset."""

    clean: Path
    degraded: Path
    degradation: str
    source: str
    split: str
    built: Example | None = None

    @property
    def stands(self) -> str:
        """What changes when the pair does: the file's size, or the hash of a dataset's photo; "" where it is gone."""
        if self.built is not None:
            return self.built.photo
        return str(self.degraded.stat().st_size) if self.degraded.exists() else ""

    def read(self) -> tuple[U8Image, U8Image]:
        """(clean, degraded). Raises `BadImage`."""
        return self.built.read() if self.built is not None else (read_rgb(self.clean), read_rgb(self.degraded))


def find_real(data: DataRecipe) -> list[RealPair]:
    """Every pair of every place. Those of `unseen_sources` are for testing only.

    Raises `MissingPath`, `BadManifest`, `NotADataset`.
    """
    found = [pair for place in map(Path, data.pairs) for pair in _pairs(place)]
    return [replace(pair, split=TEST if pair.source in data.unseen_sources else pair.split) for pair in found]


def missing_sources(data: DataRecipe) -> list[str]:
    """Those of `unseen_sources` that no pair comes from: misspelt, or not at hand."""
    return sorted(set(data.unseen_sources) - {pair.source for pair in find_real(data)})


def real_digest(data: DataRecipe) -> str:
    """SHA-256 over what is named, with the files' sizes."""
    lines = [
        f"{one.degradation} {one.source} {one.split} {one.degraded.name} {one.stands}"
        for one in find_real(data)
        if one.stands
    ]
    return sha256_lines(lines)


def write_real(data: DataRecipe, out: Path) -> None:
    """`manifest.jsonl`, and `failures.jsonl` of pairs that cannot be used. Raises `NoPairs` when none can."""
    kept, failures, found = [], [], find_real(data)
    if made := sum(one.built is not None and one.built.origin == GENERATED for one in found):
        print(f"gendeg: {made} of the {len(found)} pairs that count as real here were generated", file=sys.stderr)
    for number, one in enumerate(found):
        try:
            kept.append(_written(data, one, out, number))
        except (BadImage, ValueError) as error:
            failures.append({"degraded": str(one.degraded), "message": str(error)})
    write_jsonl(out / "failures.jsonl", failures)
    if not kept:
        raise NoPairs(out / "manifest.jsonl", f"real pairs (failures.jsonl has {len(failures)} reasons)")
    write_manifest(out / "manifest.jsonl", kept)


def _written(data: DataRecipe, one: RealPair, out: Path, number: int) -> Pair:
    clean, degraded = one.read()
    if clean.shape != degraded.shape:
        raise ValueError(f"{one.degraded}: the halves differ in size")
    places = [os.path.relpath(path.absolute(), out.absolute()) for path in (one.clean, one.degraded)]
    smaller = data.real_size and min(clean.shape[:2]) > data.real_size
    if smaller:
        clean, degraded = (resize_short_side(image, data.real_size) for image in (clean, degraded))
    if smaller or one.built is not None:
        places = [f"{half}/{number:05d}.png" for half in ("clean", "degraded")]
        for place, image in zip(places, (clean, degraded), strict=True):
            (out / place).parent.mkdir(parents=True, exist_ok=True)
            write_image(image, out / place, "png")
    mu, sigma = measure_intensity(clean, degraded)
    return Pair(
        clean=places[0], degraded=places[1], degradation=one.degradation, source=one.source, split=one.split,
        caption=words().fallback_caption, mu=round(mu, 6), sigma=round(sigma, 6), width=clean.shape[1],
        height=clean.shape[0],
    )  # fmt: skip


def _pairs(place: Path) -> Iterator[RealPair]:
    if not place.exists():
        raise MissingPath(place)
    if place.suffix.lower() in (".csv", ".tsv"):
        yield from _table(place)
        return
    if place.is_dir() and not (place / MANIFEST).is_file():
        for example in load_built(place, None):
            pair, split = example.pair, TEST if example.pair.split == TEST else TRAIN
            yield RealPair(Path(pair.clean), Path(pair.degraded), pair.degradation, pair.source, split, example)
        return
    manifest = place / MANIFEST if place.is_dir() else place
    for pair in read_manifest(manifest):
        halves = manifest.parent / pair.clean, manifest.parent / pair.degraded
        yield RealPair(*halves, pair.degradation, pair.source, TEST if pair.split == TEST else TRAIN)


def _table(place: Path) -> Iterator[RealPair]:
    """Rows of kind pair (or of no kind): path, degradation, source, split, and the path of the clean half."""
    for row in read_table(place):
        if row.refused(PAIR, None):
            continue
        missing = [name for name in ("clean", "degradation", "source") if not row.fields[name]]
        if missing:
            reason = f"a pair needs the columns {', '.join(missing)}"
            raise BadManifest(place, row.line, reason, "name them in the first line, and give them in every row")
        try:
            kind = mix_name(parse_mix(row.fields["degradation"]))
        except GendegError as error:
            raise BadManifest(place, row.line, str(error)) from error
        halves = place.parent / row.fields["clean"], place.parent / row.path
        yield RealPair(*halves, kind, row.fields["source"], TEST if row.split == TEST else TRAIN)
