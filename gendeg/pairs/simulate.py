"""Clean photos → simulated pairs on disk, with their manifest: the existing synthetic data of the paper."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gendeg.intensity.ask import refuse_undirected
from gendeg.intensity.measure import measure_intensity
from gendeg.pairs.config import SimulateConfig
from gendeg.pairs.crops import random_view
from gendeg.pairs.pair import Pair, listed, write_manifest
from gendeg.pairs.photo import Photo as OnDisk
from gendeg.pairs.photos import open_photos
from gendeg.pairs.split import TRAIN, VALIDATION
from gendeg.physics import degrade
from gendeg.physics.narrow import NarrowGenerator
from gendeg.physics.strangers import stranger
from gendeg.primitives.errors import BadImage, BadOption
from gendeg.primitives.files import refuse_existing, write_jsonl
from gendeg.primitives.folders import SIMULATORS, claim, is_claimed, refuse_foreign, release
from gendeg.primitives.images import U8Image, UnitImage, u8_to_unit, unit_to_u8, write_image
from gendeg.primitives.kinds import Mix, has_direction, mix_name, parse_mixes
from gendeg.primitives.lock import held
from gendeg.primitives.parallel import in_processes, per_core
from gendeg.primitives.progress import track
from gendeg.primitives.records import Failure, refuse_foreign_failures
from gendeg.primitives.rng import for_sample
from gendeg.prompts import words

SIMULATE = "pairs simulate"  # the mark of the folders that it writes halves to
SIMULATED, STRANGERS = SIMULATORS
"""The families of simulators, and what their pairs name as their source."""


@dataclass(frozen=True)
class Task:
    """All variants of one photo."""

    photo: OnDisk
    split: str
    variants: tuple[tuple[int, Mix], ...]
    config: SimulateConfig


@dataclass(frozen=True)
class Simulated:
    """What a run made: the manifest's path, its pairs, and the photos that could not be read."""

    manifest: Path
    pairs: list[Pair]
    failures: list[Failure]


def simulate(config: SimulateConfig) -> Simulated:
    """Write `clean/`, `degraded/`, `manifest.jsonl` (and `failures.jsonl`, if any) below `config.out`.

    Strength is uniform in [0, 1] (or in `strengths`), so that mu and sigma cover what the published sources show. The
    files depend on the seed and the photos' names only, never on the number of workers. Raises `BadOption`,
    `OutputExists`, `ForeignFolder` for files of these names that are somebody's, and `FolderInUse`.
    """
    _check(config)
    manifest, listed = config.out / "manifest.jsonl", config.out / "failures.jsonl"
    refuse_existing(config.overwrite, manifest)
    halves = config.out / "clean", config.out / "degraded"
    for folder in halves:
        refuse_foreign(folder, SIMULATE, is_claimed(folder))
    refuse_foreign_failures(listed)
    tasks = plan_tasks(config)
    with held(config.out):
        refuse_existing(config.overwrite, manifest)  # of another run that has ended since
        return _simulate(config, tasks, halves, manifest, listed)


def _simulate(
    config: SimulateConfig, tasks: list[Task], halves: tuple[Path, Path], manifest: Path, listed: Path
) -> Simulated:
    for folder in halves:
        claim(folder, SIMULATE, is_claimed(folder))
    pairs: list[Pair] = []
    failures: list[Failure] = []
    results = in_processes(simulate_photo, tasks, min(per_core(config.workers), len(tasks)))
    for made in track(results, "simulating", total=len(tasks), wanted=config.progress):
        failures += [made] if isinstance(made, Failure) else []
        pairs += [] if isinstance(made, Failure) else made
    listed.unlink(missing_ok=True)  # an earlier run's
    if failures:
        write_jsonl(listed, (failure.as_row() for failure in failures))
    write_manifest(manifest, pairs)
    for folder in halves if pairs else ():
        release(folder)  # from now on the manifest tells whose they are
    return Simulated(manifest, pairs, failures)


def plan_tasks(config: SimulateConfig) -> list[Task]:
    """One task a photo; the mixes go round over all variants of all photos, so that each gets its share."""
    known = is_claimed(config.out / "clean")
    splits = (TRAIN, VALIDATION)
    found = open_photos(config.clean, split=splits, skip=lambda path: known and _is_own(path, config.out), gaps=True)
    mixes = parse_mixes(config.types)
    tasks = []
    for index, one in enumerate(found):
        numbers = range(index * config.per_image, (index + 1) * config.per_image)
        variants = tuple((number - numbers.start, mixes[number % len(mixes)]) for number in numbers)
        held_out = for_sample(config.seed, one.stem, "split").uniform() < config.validation
        split = one.split or (VALIDATION if held_out else TRAIN)
        tasks.append(Task(one, split, variants, config))
    return tasks


def _is_own(path: Path, out: Path) -> bool:
    """Whether a file found in a folder is what an earlier run wrote into `out`, beside the halves of its pairs."""
    names = ("sheet.png", "manifest.jsonl", "failures.jsonl")
    return path.name in names and os.path.realpath(path.parent) == os.path.realpath(out)


def simulate_photo(task: Task) -> list[Pair] | Failure:
    """Every variant of one photo; a photo that cannot be read is a failure with its reason."""
    try:
        photo = task.photo.image()
    except BadImage as error:
        return Failure.of(error, task.photo.name, key=task.photo.stem, seed=task.config.seed)
    return [_simulate_variant(task, photo, number, mix) for number, mix in task.variants]


def _simulate_variant(task: Task, photo: U8Image, number: int, mix: Mix) -> Pair:
    generator = for_sample(task.config.seed, f"{task.photo.stem}/{number}", "simulate")
    clean = random_view(photo, task.config.size, generator)
    degraded = unit_to_u8(_degrade(task.config, u8_to_unit(clean), mix, generator))
    name = f"{task.photo.stem}-v{number:02d}"
    places = f"clean/{name}.png", f"degraded/{name}-{mix_name(mix)}.png"
    for place, image in zip(places, (clean, degraded), strict=True):
        write_image(image, task.config.out / place, "png")
    mu, sigma = measure_intensity(clean, degraded)
    return listed(
        task.config.out,
        clean=places[0],
        degraded=places[1],
        degradation=mix_name(mix),
        source=task.config.family,
        split=task.split,
        caption=words().fallback_caption,
        mu=round(mu, 6),
        sigma=round(sigma, 6),
        width=clean.shape[1],
        height=clean.shape[0],
    )


def _degrade(config: SimulateConfig, clean: UnitImage, mix: Mix, generator: np.random.Generator) -> UnitImage:
    """By the family's simulators, at a strength and with parameters from the configured part of their ranges."""
    low, high = config.strengths
    strength = low + (high - low) * float(generator.uniform())
    narrowed = NarrowGenerator(generator, config.width)
    if config.family == SIMULATED:
        return degrade(clean, mix, strength, narrowed, config.direction if has_direction(mix) else None)
    return stranger(clean, mix, strength, narrowed)


def _check(config: SimulateConfig) -> None:
    """Raises `BadOption` for what no simulator can be asked for."""
    low, high = config.strengths
    if not 0.0 <= low <= high <= 1.0:
        raise BadOption("strengths", f"must rise within [0, 1], got {low:g} to {high:g}")
    if not 0.0 <= config.width <= 1.0:
        raise BadOption("width", f"must lie in [0, 1], got {config.width:g}")
    if config.direction is not None:
        if config.family == STRANGERS:
            raise BadOption("--direction", "strangers take none")
        refuse_undirected(parse_mixes(config.types))
    if config.family == STRANGERS and any(len(mix) > 1 for mix in parse_mixes(config.types)):
        raise BadOption("family", "strangers makes no mixes of two degradations")
