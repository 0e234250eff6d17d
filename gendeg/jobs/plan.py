"""gendeg plan: clean photos → every sample of a dataset, decided before any model runs."""

import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float

from gendeg.configs import PlanConfig
from gendeg.intensity.bins import MU_BINS, SIGMA_BINS
from gendeg.intensity.draw import EVEN_EVERY, Drawer, Drawn
from gendeg.intensity.priors import load_priors
from gendeg.pairs.manifest import SPLITS, Pair, read_manifest
from gendeg.pairs.photos import Input, Kind, Photo
from gendeg.pairs.scan import Scanned, scan_photos
from gendeg.primitives.errors import BadOption, NoImages
from gendeg.primitives.files import IMAGE_EXTENSIONS
from gendeg.primitives.images import stored_size
from gendeg.primitives.kinds import Mix, mix_name, parse_mix, parse_mixes
from gendeg.primitives.progress import track
from gendeg.primitives.records import DECIMALS, Failure
from gendeg.primitives.rng import for_sample
from gendeg.prompts import make_prompt, words
from gendeg.shards.layout import ShardName
from gendeg.shards.plan import EXISTING, GENERATED, PLAN_SCHEMA, PlannedShard, PlanWriter

CHUNK = 4096  # photos whose samples are dealt out at a time

PHOTO_SCHEMA = pa.schema(
    [
        ("input", pa.int32()), ("clean_path", pa.binary()), ("clean_offset", pa.int64()), ("clean_length", pa.int64()),
        ("clean_sha256", pa.string()), ("keep", pa.bool_()), ("degraded_path", pa.binary()), ("caption", pa.string()),
        ("stem", pa.string()), ("split", pa.string()), ("width", pa.int32()), ("height", pa.int32()),
    ]
)  # fmt: skip
"""One row a photo, in the order of the plan. Of a sample of an existing pair it is the pair."""


@dataclass(frozen=True)
class Photos:
    """All photos that can be used, and those that cannot with the reason; the stored format of the clean half."""

    table: pa.Table
    left_out: list[Failure]
    format: str


@dataclass(frozen=True)
class Planned:
    """What a plan holds, in numbers."""

    shards: list[PlannedShard] = field(default_factory=list)

    @property
    def samples(self) -> int:
        return sum(shard.samples for shard in self.shards)


# --- photos ---


def look_at_photos(config: PlanConfig, inputs: Sequence[Input], photos: Sequence[Photo]) -> Photos:
    """Reads every photo once. Raises `NoImages` when none can be used, `BadOption` for impossible choices."""
    good: list[Scanned] = []
    bad: list[Failure] = []
    scanned = scan_photos(inputs, photos)
    for one in track(scanned, "looking at photos", total=len(photos), wanted=config.progress):
        good.append(one) if isinstance(one, Scanned) else bad.append(one)
    if not good:
        raise NoImages(config.clean[0], IMAGE_EXTENSIONS)
    format = choose_format(config, good)
    order = for_sample(config.seed, "photos", "order").permutation(len(good))
    shares = parse_split(config.split)
    rows = [_photo_row(config, good[number], format, shares) for number in order]
    return Photos(pa.Table.from_pylist(rows, PHOTO_SCHEMA), bad, format)


def choose_format(config: PlanConfig, good: Iterable[Scanned]) -> str:
    """One format for the whole dataset: readers make a column of each. Raises `BadOption`."""
    if config.format in ("png", "jpg"):
        return config.format
    if config.format != "auto":
        raise BadOption("--format", f"must be auto, png or jpg, not '{config.format}'")
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
            raise BadOption("--split", f"needs name=share, for example train=0.98,validation=0.02, not '{part}'") from error
    if not set(shares) <= set(SPLITS) or min(shares.values()) < 0 or not math.isclose(sum(shares.values()), 1):
        raise BadOption("--split", f"needs shares of {', '.join(SPLITS)} that sum to 1, not '{text}'")
    return shares


def split_of(sha256: str, shares: dict[str, float]) -> str:
    """By the photo's content, so that a photo never changes sides, whatever its name, the seed or the other photos."""
    place, total = int(sha256[:13], 16) / 16**13, 0.0
    for name, share in shares.items():
        total += share
        if place < total:
            return name
    return next(reversed(shares))


def _photo_row(config: PlanConfig, one: Scanned, format: str, shares: dict[str, float]) -> dict[str, object]:
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
        "split": split_of(one.sha256, shares),
        "width": width,
        "height": height,
    }


# --- samples ---


def write_plan(config: PlanConfig, photos: pa.Table, path: Path, pairs: pa.Table | None = None) -> Planned:
    """Deals the samples out to shards and writes them. Memory holds the photos, and one shard of each kind and split.

    `pairs` are existing ones: photos whose `degraded_path` is set, with columns degradation and source.
    Raises `BadOption`, `NoPrior`, `OutputNotWritable`.
    """
    statistics = statistics_of(config)
    writer = PlanWriter(path)
    try:
        numbers: dict[tuple[str, str], int] = defaultdict(int)
        for name, rows in _shards(config, photos, statistics, numbers):
            writer.add(name, rows)
        if pairs is not None:
            for name, rows in _existing_shards(config, pairs, numbers):
                writer.add(name, rows)
        writer.close()
    except BaseException:
        writer.abandon()
        raise
    return Planned(writer.shards)


Statistics = Callable[[Mix, Float[np.ndarray, "n 3"], int], tuple[Drawn, list[str]]]
"""(mix, uniform draws, number of the first) → statistics of n samples, and the names of the sources."""


def statistics_of(config: PlanConfig) -> Statistics:
    """`--intensity` as a function. Raises `BadOption`."""
    mode = config.intensity.strip()
    match = re.fullmatch(r"(\d*\.?\d+)(?:-(\d*\.?\d+))?", mode)
    if mode != "prior" and match is None:
        raise BadOption("--intensity", f"must be prior, a number or a range like 0.2-0.8, not '{mode}'")
    low, high = (float(match[1]), float(match[2] or match[1])) if match else (0.0, 1.0)
    if not 0 <= low <= high <= 1:
        raise BadOption("--intensity", f"must lie in [0, 1], not '{mode}'")

    def statistics(mix: Mix, uniform: Float[np.ndarray, "n 3"], first: int) -> tuple[Drawn, list[str]]:
        drawer = _drawer(mix, config.priors)
        names = [prior.source for prior in drawer.priors]
        if match is None:
            even = (np.arange(first, first + len(uniform)) + 1) % EVEN_EVERY == 0
            return drawer.from_priors(uniform, even), names
        if match[2] is None:
            return drawer.fixed(low, len(uniform)), names
        return drawer.between(low, high, uniform), names

    return statistics


@cache
def _drawer(mix: Mix, root: str) -> Drawer:
    return Drawer(load_priors(mix, Path(root) if root else None))


def _shards(
    config: PlanConfig, photos: pa.Table, statistics: Statistics, numbers: dict[tuple[str, str], int]
) -> Iterator[tuple[ShardName, pa.Table]]:
    """Full shards as they fill, then the rest; so shards of one number hold the same photos, degraded differently."""
    mixes = parse_mixes(config.types)
    splits = photos.column("split").combine_chunks().dictionary_encode()
    codes, names = splits.indices.to_numpy(zero_copy_only=False), splits.dictionary.to_pylist()
    waiting: dict[tuple[int, int], list[np.ndarray]] = defaultdict(list)

    def shard(mix: int, split: int, samples: np.ndarray) -> tuple[ShardName, pa.Table]:
        name = _next_name(mix_name(mixes[mix]), names[split], numbers)
        return name, _sample_rows(config, photos, mixes[mix], name, samples, statistics)

    for first in range(0, len(photos), CHUNK):
        photo, variant = _deal(config, first, min(first + CHUNK, len(photos)), len(photos))
        kind = (photo * _per_photo(config, len(photos)) + variant) % len(mixes)
        group = kind * len(names) + codes[photo]
        for number in np.unique(group):
            key = divmod(int(number), len(names))
            here = group == number
            waiting[key].append(np.stack([photo[here], variant[here]], axis=1))
        for key in sorted(waiting):
            samples = np.concatenate(waiting[key])
            whole = len(samples) - len(samples) % config.shard_size
            for start in range(0, whole, config.shard_size):
                yield shard(*key, samples[start : start + config.shard_size])
            waiting[key] = [samples[whole:]]
    for key in sorted(waiting):
        samples = np.concatenate(waiting[key])
        if len(samples):
            yield shard(*key, samples)


def _per_photo(config: PlanConfig, photos: int) -> int:
    """At most this many samples of one photo."""
    return -(-config.samples // photos) if config.samples else config.per_image


def _deal(config: PlanConfig, first: int, end: int, photos: int) -> tuple[np.ndarray, np.ndarray]:
    """(photo, variant) of every sample of the photos in [first, end); the first photos take what does not divide."""
    most = _per_photo(config, photos)
    with_most = config.samples - photos * (most - 1) if config.samples else photos
    counts = np.where(np.arange(first, end) < with_most, most, most - 1)
    photo = np.repeat(np.arange(first, end), counts)
    starts = np.repeat(np.cumsum(counts) - counts, counts)
    return photo, np.arange(len(photo)) - starts


def _next_name(degradation: str, split: str, numbers: dict[tuple[str, str], int]) -> ShardName:
    name = ShardName(degradation, split, numbers[degradation, split])
    numbers[degradation, split] += 1
    return name


def _sample_rows(
    config: PlanConfig, photos: pa.Table, mix: Mix, name: ShardName, samples: np.ndarray, statistics: Statistics
) -> pa.Table:
    """The rows of one shard, ordered by batch."""
    rows = photos.take(pa.array(samples[:, 0]))
    uniform = for_sample(config.seed, str(name), "statistics").uniform(size=(len(samples), 3))
    drawn, sources = statistics(mix, uniform, name.number * config.shard_size)
    caption = rows.column("caption").combine_chunks().dictionary_encode()
    prompts = pa.array([make_prompt(text, mix) for text in caption.dictionary.to_pylist()], pa.string())
    variants = pc.utf8_lpad(pa.array(samples[:, 1]).cast(pa.string()), 2, "0")
    kind = pa.scalar(mix_name(mix).replace("+", "_"))
    columns = {
        "key": pc.binary_join_element_wise(rows.column("stem"), kind, variants, "-"),
        "degradation": _constant(mix_name(mix), len(samples)),
        "origin": _constant(GENERATED, len(samples)),
        "prompt": prompts.take(caption.indices),
        "intensity": np.round(drawn.intensity, DECIMALS),
        "mu": np.round(np.minimum(drawn.mu, MU_BINS.high), DECIMALS),
        "sigma": np.round(np.minimum(drawn.sigma, SIGMA_BINS.high), DECIMALS),
        "source": _sources(drawn, sources),
        "seed": np.full(len(samples), config.seed),
    }
    return _finished(config, rows, columns)


def _sources(drawn: Drawn, names: list[str]) -> pa.Array:
    every = pa.array([*names, "+".join(names)], pa.string())  # the last one stands for −1: all of them
    return every.take(pa.array(np.where(drawn.source < 0, len(names), drawn.source)))


def _finished(config: PlanConfig, rows: pa.Table, columns: dict[str, object]) -> pa.Table:
    """Adds batch numbers, sorts by them, and puts the columns in the plan's order."""
    batch = batch_numbers(rows.column("width").to_numpy(), rows.column("height").to_numpy(), config.batch_size)
    columns |= {"batch": batch, "shard": np.zeros(len(rows), np.int32)}
    both = {field.name: columns.get(field.name, None) for field in PLAN_SCHEMA}
    arrays = [rows.column(name) if value is None else pa.array(value) if isinstance(value, np.ndarray) else value
              for name, value in both.items()]  # fmt: skip
    table = pa.table(arrays, names=list(both))
    return table.take(pa.array(np.argsort(batch, kind="stable")))


def batch_numbers(width: np.ndarray, height: np.ndarray, batch_size: int) -> np.ndarray:
    """Samples of one size go together, `batch_size` at a time, numbered by their first sample."""
    _, size = np.unique(width.astype(np.int64) << 32 | height, return_inverse=True)
    order = np.argsort(size, kind="stable")
    starts = np.r_[0, np.flatnonzero(np.diff(size[order])) + 1]
    rank = np.empty(len(size), np.int64)
    rank[order] = np.arange(len(size)) - np.repeat(starts, np.diff(np.r_[starts, len(size)]))
    group = size * (len(size) // batch_size + 1) + rank // batch_size
    _, first, inverse = np.unique(group, return_index=True, return_inverse=True)
    by_first = np.empty(len(first), np.int64)
    by_first[np.argsort(first)] = np.arange(len(first))
    return by_first[inverse].astype(np.int32)


def _constant(text: str, count: int) -> pa.Array:
    return pa.array([text]).take(pa.array(np.zeros(count, np.int32)))


# --- existing pairs ---

PAIR_SCHEMA = PHOTO_SCHEMA.append(pa.field("degradation", pa.string())).append(pa.field("source", pa.string()))


def look_at_pairs(config: PlanConfig, first_input: int, format: str) -> tuple[list[Input], pa.Table, list[Failure]]:
    """The pairs of `--include`. Raises `BadManifest`, `NoPairs`; a pair whose files are bad is left out with its reason."""
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
    row = _photo_row(config, clean, format, {pair.split: 1.0})
    stem = re.sub(r"[^A-Za-z0-9_-]+", "_", Path(pair.degraded).stem)[-40:].strip("-_") or "pair"
    return row | {
        "input": input,
        "degraded_path": pair.degraded.encode("utf-8", "surrogateescape"),
        "caption": pair.caption or words().fallback_caption,
        "stem": f"{stem}-x{number}",
        "degradation": mix_name(parse_mix(pair.degradation)),
        "source": pair.source,
    }


def _existing_shards(
    config: PlanConfig, pairs: pa.Table, numbers: dict[tuple[str, str], int]
) -> Iterator[tuple[ShardName, pa.Table]]:
    """Existing pairs fill shards of their own, after the generated ones."""
    groups = defaultdict(list)
    for index, key in enumerate(zip(*(pairs.column(name).to_pylist() for name in ("degradation", "split")), strict=True)):
        groups[key].append(index)
    for (degradation, split), indices in sorted(groups.items()):
        for start in range(0, len(indices), config.shard_size):
            rows = pairs.take(pa.array(indices[start : start + config.shard_size]))
            mix, count = parse_mix(degradation), len(rows)
            kind = pa.scalar(degradation.replace("+", "_"))
            captions = rows.column("caption").to_pylist()
            columns = {
                "key": pc.binary_join_element_wise(rows.column("stem"), kind, "-"),
                "origin": _constant(EXISTING, count),
                "prompt": pa.array([make_prompt(caption, mix) for caption in captions]),
                **{name: np.zeros(count) for name in ("intensity", "mu", "sigma")},
                "seed": np.zeros(count, np.int64),
            }
            yield _next_name(degradation, split, numbers), _finished(config, rows, columns)
