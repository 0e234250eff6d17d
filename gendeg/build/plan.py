"""gendeg plan: clean photos → every sample of a dataset, decided before any model runs."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gendeg.build.config import PER_IMAGE, PlanConfig
from gendeg.intensity.ask import in_one_pass, intensity_word, learnt_by
from gendeg.intensity.bins import MU_BINS, SIGMA_BINS
from gendeg.intensity.draw import Drawn, Statistics, directions_of, levels_of, statistics_of
from gendeg.primitives.kinds import KNOWN, Mix, Wanted, in_light, mix_name, parse_mix, parse_types
from gendeg.primitives.records import DECIMALS
from gendeg.primitives.rng import for_sample
from gendeg.prompts import make_prompt
from gendeg.shards.layout import ShardName
from gendeg.shards.plan import EXISTING, GENERATED, PARTS, PLAN_SCHEMA, PlannedShard, written_plan

WritePrompt = Callable[[str, Mix, Sequence[Mix]], str]
"""As `PromptWriter`."""
CHUNK = 4096  # photos whose samples are dealt out at a time


def write_plan(
    config: PlanConfig,
    photos: pa.Table,
    path: Path,
    pairs: pa.Table | None = None,
    write_prompt: WritePrompt = lambda caption, mix, passes: make_prompt(caption, mix),
) -> list[PlannedShard]:
    """Deals the samples out to shards and writes them. Memory holds the photos, and one shard of each kind and split.

    `pairs` are existing ones: photos whose `degraded_path` is set, with columns degradation and source. `write_prompt`
    makes prompts that the model reads whole.
    Raises `BadOption`, `NoPrior`, `OutputNotWritable`.
    """
    statistics = statistics_of(config.intensity, config.priors)
    numbers: dict[tuple[str, str], int] = defaultdict(int)
    with written_plan(path) as plan:
        for name, rows in _shards(config, photos, statistics, numbers, write_prompt):
            plan.add(name, rows)
        if pairs is not None:
            for name, rows in _existing_shards(config, pairs, numbers, write_prompt):
                plan.add(name, rows)
    return plan.shards


def _shards(
    config: PlanConfig,
    photos: pa.Table,
    statistics: Statistics,
    numbers: dict[tuple[str, str], int],
    write_prompt: WritePrompt,
) -> Iterator[tuple[ShardName, pa.Table]]:
    """Full shards as they fill, then the rest; so shards of one number hold the same photos, degraded differently."""
    mixes = parse_types(config.types)
    splits = photos.column("split").combine_chunks().dictionary_encode()
    codes, names = splits.indices.to_numpy(zero_copy_only=False), splits.dictionary.to_pylist()
    waiting: dict[tuple[int, int], list[np.ndarray]] = defaultdict(list)

    def shard(mix: int, split: int, samples: np.ndarray) -> tuple[ShardName, pa.Table]:
        name = _next_name(mix_name(mixes[mix].mix), names[split], numbers)
        return name, _sample_rows(config, photos, mixes[mix], name, samples, statistics, write_prompt)

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
    if levels := levels_of(config.intensity):
        return len(levels) * len(parse_types(config.types))
    return -(-config.samples // photos) if config.samples else config.per_image or PER_IMAGE


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
    config: PlanConfig,
    photos: pa.Table,
    wanted: Wanted,
    name: ShardName,
    samples: np.ndarray,
    statistics: Statistics,
    write_prompt: WritePrompt,
) -> pa.Table:
    """The rows of one shard, ordered by batch."""
    mix = wanted.mix
    rows = photos.take(pa.array(samples[:, 0]))
    turned = _turns(config, mix, name, samples)
    asked = _statistics(config, wanted, name, len(samples), statistics)
    caption = rows.column("caption").combine_chunks().dictionary_encode()
    passes = [] if in_one_pass(wanted, learnt_by(config.model)) else _singles(mix)
    prompts = pa.array([write_prompt(text, mix, passes) for text in caption.dictionary.to_pylist()], pa.string())
    key, noise = _names(config, mix, rows.column("stem"), samples, asked)
    columns = {
        "key": key,
        "noise": noise,
        "degradation": _constant(mix_name(mix), len(samples)),
        "origin": _constant(GENERATED, len(samples)),
        "prompt": prompts.take(caption.indices),
        **asked,
        "direction": directions_of(config.direction)(mix, turned),
        "seed": np.full(len(samples), config.seed),
    }
    return _finished(config, rows, columns)


def _singles(mix: Mix) -> list[Mix]:
    return [(kind,) for kind in in_light(mix)]


def _levels(mix: Mix, asked: Mapping[str, Any]) -> list[str]:
    """The intensity of each row as keys have it; of parts, of each of them, in the order of the mix's name."""
    rows = zip(asked["parts"].to_pylist(), asked["intensity"].tolist(), strict=True)
    each = [({part["degradation"]: part["intensity"] for part in parts}, whole) for parts, whole in rows]
    return [intensity_word(*([own[kind] for kind in mix] if own else [whole])) for own, whole in each]


def _statistics(
    config: PlanConfig, wanted: Wanted, name: ShardName, count: int, statistics: Statistics
) -> dict[str, object]:
    """The columns intensity, mu, sigma, source and parts: of the whole, or of each part, drawn by itself."""
    first = name.number * config.shard_size

    def draw(mix: Mix, own: float | None, purpose: str) -> tuple[dict[str, np.ndarray], pa.Array]:
        uniform = for_sample(config.seed, str(name), purpose).uniform(size=(count, 3))
        chosen = statistics if own is None else statistics_of(f"{own:.{DECIMALS}f}", config.priors)
        drawn, sources = chosen(mix, uniform, first)
        return {
            "intensity": np.round(drawn.intensity, DECIMALS),
            "mu": np.round(np.minimum(drawn.mu, MU_BINS.high), DECIMALS),
            "sigma": np.round(np.minimum(drawn.sigma, SIGMA_BINS.high), DECIMALS),
        }, _sources(drawn, sources)

    if in_one_pass(wanted, learnt_by(config.model)):
        columns, source = draw(wanted.mix, wanted.own[0] if len(wanted.mix) == 1 else None, "statistics")
        return columns | {"source": source, "parts": pa.array([[]] * count, PARTS)}
    each = [draw((k,), own, f"statistics/{k}") for k, own in zip(wanted.kinds, wanted.own, strict=True)]
    parts = [
        [
            {"degradation": str(kind)} | {column: float(values[row]) for column, values in one.items()}
            for kind, (one, _) in zip(wanted.kinds, each, strict=True)
        ]
        for row in range(count)
    ]
    sources = ["+".join(dict.fromkeys(names)) for names in zip(*(one.to_pylist() for _, one in each), strict=True)]
    intensity = np.round(np.mean([one["intensity"] for one, _ in each], axis=0), DECIMALS)
    return {
        "intensity": intensity, "mu": np.zeros(count), "sigma": np.zeros(count),
        "source": pa.array(sources, pa.string()), "parts": pa.array(parts, PARTS),
    }  # fmt: skip


def _names(
    config: PlanConfig, mix: Mix, stems: pa.ChunkedArray, samples: np.ndarray, asked: Mapping[str, Any]
) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
    """Keys, and the names that noise is drawn by: the key, or what the levels of a photo and degradation share."""
    series = pc.binary_join_element_wise(stems, pa.scalar(mix_name(mix).replace("+", "_")), "-")
    if levels_of(config.intensity):
        return pc.binary_join_element_wise(series, pa.array(_levels(mix, asked), pa.string()), "-"), series
    variants = pc.utf8_lpad(pa.array(samples[:, 1]).cast(pa.string()), 2, "0")
    key = pc.binary_join_element_wise(series, variants, "-")
    return key, key


def _turns(config: PlanConfig, mix: Mix, name: ShardName, samples: np.ndarray) -> np.ndarray:
    """Uniform draws for directions, one a sample; levels of one photo share theirs, wherever shards are cut."""
    if not levels_of(config.intensity):
        return for_sample(config.seed, str(name), "direction").uniform(size=len(samples))
    photo = samples[:, 0]
    return for_sample(config.seed, mix_name(mix), "direction").uniform(size=int(photo.max()) + 1)[photo]


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


def _existing_shards(
    config: PlanConfig, pairs: pa.Table, numbers: dict[tuple[str, str], int], write_prompt: WritePrompt
) -> Iterator[tuple[ShardName, pa.Table]]:
    """Existing pairs fill shards of their own, after the generated ones."""
    groups = defaultdict(list)
    for index, key in enumerate(
        zip(*(pairs.column(name).to_pylist() for name in ("degradation", "split")), strict=True)
    ):
        groups[key].append(index)
    for (degradation, split), indices in sorted(groups.items()):
        for start in range(0, len(indices), config.shard_size):
            rows = pairs.take(pa.array(indices[start : start + config.shard_size]))
            mix, count = parse_mix(degradation), len(rows)
            passes = [] if mix in KNOWN else _singles(mix)
            kind = pa.scalar(degradation.replace("+", "_"))
            captions = rows.column("caption").to_pylist()
            key = pc.binary_join_element_wise(rows.column("stem"), kind, "-")
            columns = {
                "key": key,
                "noise": key,
                "origin": _constant(EXISTING, count),
                "prompt": pa.array([write_prompt(caption, mix, passes) for caption in captions]),
                **{name: np.zeros(count) for name in ("intensity", "mu", "sigma")},
                "direction": np.full(count, np.nan),
                "parts": pa.array([[]] * count, PARTS),
                "seed": np.zeros(count, np.int64),
            }
            yield _next_name(degradation, split, numbers), _finished(config, rows, columns)
