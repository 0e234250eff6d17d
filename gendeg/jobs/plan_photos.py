"""The first half of a plan: which photos and existing pairs there are, in which split, and how they will be stored."""

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from gendeg.configs import PlanConfig
from gendeg.pairs.manifest import SPLITS, Pair, read_manifest
from gendeg.pairs.photos import Input, Kind, Photo
from gendeg.pairs.scan import Scanned, count_reasons, scan_photos
from gendeg.primitives.errors import BadOption, NoPhotos
from gendeg.primitives.images import stored_size
from gendeg.primitives.kinds import mix_name, parse_mix
from gendeg.primitives.pictures import say_reasons
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


def look_at_photos(config: PlanConfig, inputs: Sequence[Input], photos: Sequence[Photo]) -> Photos:
    """Reads every photo once. Raises `NoPhotos` when none can be used, `BadOption` for impossible choices."""
    good: list[Scanned] = []
    bad: list[Failure] = []
    scanned = scan_photos(inputs, photos)
    for one in track(scanned, "looking at photos", total=len(photos), wanted=config.progress):
        good.append(one) if isinstance(one, Scanned) else bad.append(one)
    if not good:
        raise NoPhotos(config.clean[0], say_reasons(count_reasons(bad)))
    format = choose_format(config, good)
    order = for_sample(config.seed, "photos", "order").permutation(len(good))
    shares = parse_split(config.split)
    rows = [photo_row(config, good[number], format, shares) for number in order]
    return Photos(pa.Table.from_pylist(rows, PHOTO_SCHEMA), bad, format)


def choose_format(config: PlanConfig, good: Iterable[Scanned]) -> str:
    """One format for the whole dataset: readers make a column of each."""
    if config.format != "auto":
        return config.format
    untouched = not config.size and not config.square and not config.include
    return "jpg" if untouched and {one.plain for one in good} == {"jpg"} else "png"


def parse_split(text: str) -> dict[str, float]:
    """`"train=0.98,validation=0.02"` → shares that sum to 1. Raises `BadOption`."""
    shares: dict[str, float] = {}
    for part in text.split(","):
        name, _, share = part.partition("=")
        try:
            shares[name.strip()] = float(share)
        except ValueError as error:
            raise BadOption(
                "--split", f"needs name=share, for example train=0.98,validation=0.02, not '{part}'"
            ) from error
    if not set(shares) <= set(SPLITS) or min(shares.values()) < 0 or not math.isclose(sum(shares.values()), 1):
        raise BadOption("--split", f"needs shares of {', '.join(SPLITS)} that sum to 1, not '{text}'")
    return shares


def made_splits(text: str) -> list[str]:
    """The splits that get photos. Raises `BadOption`."""
    return [name for name, share in parse_split(text).items() if share > 0]


def split_of(sha256: str, shares: dict[str, float]) -> str:
    """By the photo's content, so that a photo never changes sides, whatever its name, the seed or the other photos."""
    place, total = int(sha256[:13], 16) / 16**13, 0.0
    for name, share in shares.items():
        total += share
        if place < total:
            return name
    return next(reversed(shares))


def photo_row(config: PlanConfig, one: Scanned, format: str, shares: dict[str, float]) -> dict[str, object]:
    """One row of PHOTO_SCHEMA."""
    width, height = stored_size(one.width, one.height, config.size, config.square)
    return {
        "input": one.photo.input,
        "clean_path": one.photo.path.encode("utf-8", "surrogateescape"),
        "clean_offset": one.photo.offset,
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
    """The pairs of `--include`. Raises `BadManifest`, `NoPairs`; a pair with bad files is left out with its reason."""
    inputs, rows, bad = [], [], []
    for number, manifest in enumerate(config.include):
        inputs.append(Input(Kind.TABLE, str(manifest.absolute())))
        pairs = read_manifest(manifest)
        photos = [Photo(0, pair.clean, f"pair-{index}") for index, pair in enumerate(pairs)]
        halves = [Photo(0, pair.degraded, f"pair-{index}") for index, pair in enumerate(pairs)]
        looks = zip(pairs, _looks(inputs[-1], photos), _looks(inputs[-1], halves), strict=True)
        for index, (pair, clean, degraded) in enumerate(looks):
            if isinstance(clean, Failure) or isinstance(degraded, Failure):
                bad += [one for one in (clean, degraded) if isinstance(one, Failure)]
            else:
                rows.append(_pair_row(config, pair, clean, format, first_input + number, f"{number}-{index:06d}"))
    return inputs, pa.Table.from_pylist(rows, PAIR_SCHEMA), bad


def _looks(source: Input, photos: Sequence[Photo]) -> Iterator[Scanned | Failure]:
    """One at a time: several pairs may share a clean photo, which is not a duplicate here."""
    for photo in photos:
        yield from scan_photos([source], [photo], threads=1)


def _pair_row(
    config: PlanConfig, pair: Pair, clean: Scanned, format: str, input: int, number: str
) -> dict[str, object]:
    row = photo_row(config, clean, format, {pair.split: 1.0})
    stem = re.sub(r"[^A-Za-z0-9_-]+", "_", Path(pair.degraded).stem)[-40:].strip("-_") or "pair"
    return row | {
        "input": input,
        "degraded_path": pair.degraded.encode("utf-8", "surrogateescape"),
        "caption": pair.caption or words().fallback_caption,
        "stem": f"{stem}-x{number}",
        "degradation": mix_name(parse_mix(pair.degradation)),
        "source": pair.source,
    }
