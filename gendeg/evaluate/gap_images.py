"""The degraded images that a gap is measured on: of pairs and of folders, sorted by degradation."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from gendeg.pairs.listers import degradation_named
from gendeg.pairs.pair import holds_pairs, open_pairs
from gendeg.pairs.photo import Input, Kind, Photo
from gendeg.pairs.photos import open_photos, open_real
from gendeg.pairs.tables import REAL
from gendeg.primitives.errors import BadOption
from gendeg.primitives.files import find_images
from gendeg.primitives.kinds import mix_name, parse_mix

Images = dict[str, list[Photo]]


def synthetic_images(place: Path, option: str, split: str, type: str, most: int) -> Images:
    """Degradation → at most `most` (0: all) degraded images, spread evenly.

    `place` is one of pairs, a table (.csv, as real photos), or a folder whose images lie in folders named after
    degradations or are themselves so named (`street.rain.i060.s0.png`, as `gendeg synth` does); all images of any other
    folder are `type`. Raises `MissingPath`, `BadOption`, `BadManifest` …
    """
    if place.suffix.lower() == ".csv":
        return real_images(place, split, "", most)
    found: Images = defaultdict(list)
    if place.is_dir() and not holds_pairs(place):
        for name, photo in _named(place, type):
            found[name].append(photo)
    else:
        for one in open_pairs([place]):
            found[one.degradation].append(one.degraded)
    if not found:
        raise BadOption(
            option,
            f"{place}: no image in a folder named after a degradation (haze/ …) or so named itself; say --type rain",
        )
    return {name: evenly(photos, most) for name, photos in sorted(found.items())}


def real_images(place: Path, split: str, type: str, most: int) -> Images:
    """As `synthetic_images` for real photos: as `open_real` finds them, or a folder that is all `type`."""
    if type and place.is_dir():
        return {mix_name(parse_mix(type)): evenly(open_photos([place], REAL), most)}
    return open_real(place, split, most)


def evenly(photos: list[Photo], most: int) -> list[Photo]:
    """`most` of them at even distances; 0: all."""
    if not most or len(photos) <= most:
        return photos
    return [photos[i * len(photos) // most] for i in range(most)]


def _named(folder: Path, type: str) -> Iterator[tuple[str, Photo]]:
    for one in find_images([folder]):
        inner = one.path.relative_to(folder)
        names = [mix_name(parse_mix(type))] if type else [*inner.parts[:-1], *inner.name.split(".")[1:-1]]
        name = next(filter(None, map(degradation_named, names)), "")
        if name:
            yield name, Photo(Input(Kind.FOLDER, str(folder)), str(inner))
