"""The first half of a plan: which photos and existing pairs there are, in which split, and how they will be stored."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from gendeg.build.config import PlanConfig
from gendeg.pairs.pair import MANIFEST, Pair, open_pairs
from gendeg.pairs.photo import Input, Kind, Photo
from gendeg.pairs.photos import Opened
from gendeg.pairs.scan import Scanned, scan_photos
from gendeg.pairs.split import parse_split, split_of
from gendeg.primitives.errors import BadOption, NoPhotos
from gendeg.primitives.images import stored_size
from gendeg.primitives.pictures import count_reasons, say_reasons
from gendeg.primitives.progress import track
from gendeg.primitives.records import Failure
from gendeg.primitives.rng import for_sample
from gendeg.prompts import words

PHOTO_SCHEMA = pa.schema(
    [
        ("input", pa.int32()), ("clean_path", pa.binary()), ("clean_offset", pa.int64()), ("clean_length", pa.int64()),
        ("clean_sha256", pa.string()), ("keep", pa.bool_()), ("degraded_path", pa.binary()), ("caption", pa.string()),
        ("stem", pa.string()), ("split", pa.string()), ("width", pa.int32()), ("height", pa.int32()),
    ]
)  # fmt: skip
"""One row a photo, in the order of the plan. Of a sample of an existing pair it is the pair."""

PAIR_SCHEMA = PHOTO_SCHEMA.append(pa.field("degradation", pa.string())).append(pa.field("source", pa.string()))


@dataclass(frozen=True)
class Photos:
    """All photos that can be used, and those that cannot with the reason; the stored format of the clean half."""

    table: pa.Table
    left_out: list[Failure]
    format: str


def look_at_photos(config: PlanConfig, opened: Opened) -> Photos:
    """Reads every photo once. Raises `NoPhotos` when none can be used, `BadOption` for impossible choices."""
    good: list[Scanned] = []
    bad: list[Failure] = []
    scanned = scan_photos(opened.photos)
    for one in track(scanned, "looking at photos", total=len(opened.photos), wanted=config.progress):
        good.append(one) if isinstance(one, Scanned) else bad.append(one)
    if not good:
        raise NoPhotos(config.clean[0], say_reasons(count_reasons(one.failed for one in bad)))
    format = choose_format(config, good)
    order = for_sample(config.seed, "photos", "order").permutation(len(good))
    shares = parse_split(config.split)
    numbers = {source: number for number, source in enumerate(opened.inputs)}
    rows = [photo_row(config, one, numbers[one.photo.input], format, shares) for one in (good[i] for i in order)]
    return Photos(pa.Table.from_pylist(rows, PHOTO_SCHEMA), bad, format)


def choose_format(config: PlanConfig, good: Iterable[Scanned]) -> str:
    """One format for the whole dataset: readers make a column of each."""
    if config.format != "auto":
        return config.format
    untouched = not config.size and not config.square and not config.include
    return "jpg" if untouched and {one.plain for one in good} == {"jpg"} else "png"


def photo_row(config: PlanConfig, one: Scanned, input: int, format: str, shares: dict[str, float]) -> dict[str, object]:
    """One row of PHOTO_SCHEMA."""
    width, height = stored_size(one.width, one.height, config.size, config.square)
    return {
        "input": input,
        "clean_path": one.photo.path.encode("utf-8", "surrogateescape"),
        "clean_offset": one.photo.at,
        "clean_length": one.length,
        "clean_sha256": one.sha256,
        "keep": one.plain == format and (width, height) == (one.width, one.height),
        "degraded_path": b"",
        "caption": one.photo.caption or words().fallback_caption,
        "stem": one.photo.stem,
        "split": one.photo.split or split_of(one.sha256, shares),
        "width": width,
        "height": height,
    }


# --- existing pairs ---


def look_at_pairs(config: PlanConfig, first_input: int, format: str) -> tuple[list[Input], pa.Table, list[Failure]]:
    """The pairs of `--include`. Raises as `open_pairs`; a pair with bad files is left out with its reason."""
    inputs: list[Input] = []
    rows, bad = [], []
    for number, place in enumerate(config.include):
        pairs = open_pairs([place])
        inputs.append(included(place))
        looks = zip(pairs, _looks(pair.clean for pair in pairs), _looks(pair.degraded for pair in pairs), strict=True)
        for index, (pair, clean, degraded) in enumerate(looks):
            if not (pair.clean.is_file and pair.degraded.is_file):
                reason = f"the halves of {place} are no files of their own; gendeg curate writes them with a manifest"
                raise BadOption("--include", reason)
            if isinstance(clean, Failure) or isinstance(degraded, Failure):
                bad += [one for one in (clean, degraded) if isinstance(one, Failure)]
            else:
                rows.append(_pair_row(config, pair, clean, format, first_input + number, f"{number}-{index:06d}"))
    return inputs, pa.Table.from_pylist(rows, PAIR_SCHEMA), bad


def included(place: Path) -> Input:
    """What the paths of pairs of this place are relative to."""
    return Input(Kind.TABLE, str((place / MANIFEST if place.is_dir() else place).absolute()))


def _looks(photos: Iterable[Photo]) -> Iterator[Scanned | Failure]:
    """One at a time: several pairs may share a clean photo, which is not a duplicate here."""
    for index, photo in enumerate(photos):
        yield from scan_photos([replace(photo, stem=f"pair-{index}")], threads=1)


def _pair_row(
    config: PlanConfig, pair: Pair, clean: Scanned, format: str, input: int, number: str
) -> dict[str, object]:
    row = photo_row(config, clean, input, format, {pair.split: 1.0})
    stem = re.sub(r"[^A-Za-z0-9_-]+", "_", Path(pair.degraded.path).stem)[-40:].strip("-_") or "pair"
    return row | {
        "degraded_path": pair.degraded.path.encode("utf-8", "surrogateescape"),
        "caption": pair.caption or words().fallback_caption,
        "stem": f"{stem}-x{number}",
        "degradation": pair.degradation,
        "source": pair.source,
    }
