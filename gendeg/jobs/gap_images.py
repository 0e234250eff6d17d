"""The degraded images that a gap is measured on: of manifests, datasets and folders, sorted by degradation."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from gendeg.jobs.curate_data import load_places
from gendeg.jobs.curate_places import Half
from gendeg.jobs.evaluate_photos import real_photos
from gendeg.jobs.restore_data import MANIFEST
from gendeg.primitives.errors import BadOption, GendegError, MissingPath
from gendeg.primitives.files import find_images
from gendeg.primitives.folders import is_ours
from gendeg.primitives.kinds import mix_name, parse_mix
from gendeg.shards.layout import Layout

Images = dict[str, list[Half]]


def synthetic_images(place: Path, option: str, split: str, type: str, most: int) -> Images:
    """Degradation → at most `most` (0: all) degraded images, spread evenly.

    `place` is a pair manifest (or a folder with one), a dataset, a table (.csv, as real photos), or a folder whose
    images lie in folders named after degradations or are themselves so named (`street.rain.i060.s0.png`, as `gendeg
    synth` does); all images of any other folder are `type`. Raises `MissingPath`, `BadOption`, `BadManifest` …
    """
    if not place.exists():
        raise MissingPath(place)
    if place.suffix.lower() == ".csv":
        return real_images(place, split, "", most)
    found: Images = defaultdict(list)
    if place.is_file() or (place / MANIFEST).is_file() or Layout(place).side.is_dir():
        for one in load_places([place]):
            found[one.pair.degradation].append(one.degraded)
    else:
        for name, half in _named(place, type):
            found[name].append(half)
    if not found:
        raise BadOption(
            option,
            f"{place}: no image in a folder named after a degradation (haze/ …) or so named itself; say --type rain",
        )
    return {name: evenly(halves, most) for name, halves in sorted(found.items())}


def real_images(place: Path, split: str, type: str, most: int) -> Images:
    """As `synthetic_images` for real photos: a folder for each degradation, a table, or a folder that is all `type`."""
    if type and place.is_dir():
        return {mix_name(parse_mix(type)): evenly([Half(one.path) for one in find_images([place], ours=is_ours)], most)}
    return {name: [Half(path) for path in paths] for name, paths in real_photos(place, split, most).items()}


def evenly(halves: list[Half], most: int) -> list[Half]:
    """`most` of them at even distances; 0: all."""
    if not most or len(halves) <= most:
        return halves
    return [halves[i * len(halves) // most] for i in range(most)]


def _named(folder: Path, type: str) -> Iterator[tuple[str, Half]]:
    for one in find_images([folder]):
        inner = one.path.relative_to(folder)
        names = [mix_name(parse_mix(type))] if type else [*inner.parts[:-1], *inner.name.split(".")[1:-1]]
        name = next(filter(None, map(_degradation, names)), "")
        if name:
            yield name, Half(one.path)


def _degradation(name: str) -> str:
    try:
        return mix_name(parse_mix(name))
    except GendegError:
        return ""
