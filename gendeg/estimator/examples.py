"""Clean photos and pairs → what the estimator learns from: features of degraded and clean views, and what is true."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from gendeg.estimator.config import EstimatorConfig
from gendeg.estimator.features import SIDE, features
from gendeg.estimator.network import CLEAN, KINDS
from gendeg.intensity.measure import measure_intensity
from gendeg.pairs.crops import random_view
from gendeg.pairs.pair import Pair, open_pairs
from gendeg.pairs.photo import Photo
from gendeg.pairs.photos import open_photos, open_real
from gendeg.pairs.split import TEST, TRAIN, VALIDATION
from gendeg.physics import SIMULATORS
from gendeg.primitives.errors import BadImage, SizesDiffer
from gendeg.primitives.images import U8Image, u8_to_unit, unit_to_u8
from gendeg.primitives.kinds import Degradation
from gendeg.primitives.parallel import in_processes, per_core
from gendeg.primitives.progress import track
from gendeg.primitives.rng import for_sample

MEASURED, HELD_OUT = 0.1, 0.15
"""Shares of photos: for the report, where no table says what is for testing, and for the intervals."""
SIMULATED, PAIRS, REAL = "simulated", "pairs", "real photos"


@dataclass(frozen=True)
class Example:
    """One view of one photo. `origin` is SIMULATED, PAIRS, or REAL, of which no mu and sigma are known."""

    features: Float[np.ndarray, " features"]
    label: int  # a number of KINDS, or CLEAN
    mu: float
    sigma: float
    origin: str
    split: str


@dataclass(frozen=True)
class Task:
    """One photo and the kinds that it is degraded in, or one pair, which has its kind."""

    source: Photo | Pair
    split: str
    kinds: tuple[Degradation, ...]
    seed: int


def make_examples(config: EstimatorConfig) -> list[Example]:
    """Every view of every photo and pair; one that cannot be read is left out.

    The kinds go round over all photos. Raises as `open_photos` and `open_pairs`.
    """
    tasks = []
    for number, photo in enumerate(open_photos(config.clean)):
        first, last = number * config.per_image, (number + 1) * config.per_image
        kinds = tuple(KINDS[index % len(KINDS)] for index in range(first, last))
        tasks.append(Task(photo, _split(photo.split, photo.stem, config.seed), kinds, config.seed))
    for pair in open_pairs(config.pairs) if config.pairs else ():
        if pair.degradation in KINDS:
            name = os.path.basename(pair.photo)
            tasks.append(Task(pair, _split(pair.split, name, config.seed), (), config.seed))
    made = in_processes(_examples, tasks, per_core(config.workers))
    return [one for some in track(made, "measuring", total=len(tasks), wanted=config.progress) for one in some]


def real_examples(config: EstimatorConfig) -> list[Example]:
    """Real degraded photos, as they are; none that belong to a split that is learnt from. Raises as `open_real`."""
    assert config.real is not None
    photos = [(kind, one) for kind, some in open_real(config.real, TEST).items() for one in some if kind in KINDS]
    made = in_processes(_real_example, photos, per_core(config.workers))
    return [one for some in track(made, "measuring", total=len(photos), wanted=config.progress) for one in some]


def _real_example(photo: tuple[str, Photo]) -> list[Example]:
    try:
        return [Example(features(photo[1].image()), list(map(str, KINDS)).index(photo[0]), 0.0, 0.0, REAL, TEST)]
    except BadImage:
        return []


def _split(said: str, name: str, seed: int) -> str:
    """A test photo stays one; of the others some are held out for the intervals, by photo."""
    if said in (TEST, VALIDATION):
        return said
    drawn = float(for_sample(seed, name, "estimator").uniform())
    if drawn < HELD_OUT:
        return VALIDATION
    return TEST if not said and drawn < HELD_OUT + MEASURED else TRAIN


def _examples(task: Task) -> list[Example]:
    try:
        return list(_of_pair(task, task.source) if isinstance(task.source, Pair) else _of_photo(task, task.source))
    except (BadImage, SizesDiffer):
        return []


def _of_pair(task: Task, pair: Pair) -> Iterator[Example]:
    """The same random view of both halves, once degraded and once clean."""
    seed = int(for_sample(task.seed, pair.name, "estimator").integers(2**32))
    clean, degraded = (random_view(half, SIDE, np.random.default_rng(seed)) for half in pair.read())
    yield _example(clean, degraded, KINDS.index(Degradation(pair.degradation)), PAIRS, task.split)
    yield _example(clean, clean, CLEAN, PAIRS, task.split)


def _of_photo(task: Task, photo: Photo) -> Iterator[Example]:
    """A view for each kind, as strong as drawn, and one that stays clean."""
    whole = photo.image()
    for number, kind in enumerate(task.kinds):
        generator = for_sample(task.seed, f"{photo.stem}/{number}", "estimator")
        clean = random_view(whole, SIDE, generator)
        degraded = unit_to_u8(SIMULATORS[kind](u8_to_unit(clean), float(generator.uniform()), generator))
        yield _example(clean, degraded, KINDS.index(kind), SIMULATED, task.split)
    clean = random_view(whole, SIDE, for_sample(task.seed, photo.stem, "estimator"))
    yield _example(clean, clean, CLEAN, SIMULATED, task.split)


def _example(clean: U8Image, degraded: U8Image, label: int, origin: str, split: str) -> Example:
    mu, sigma = measure_intensity(clean, degraded)
    return Example(features(degraded), label, mu, sigma, origin, split)


def arrays(examples: Sequence[Example]) -> tuple[
    Float[np.ndarray, "n features"], Int[np.ndarray, " n"], Float[np.ndarray, "n 2"]
]:  # fmt: skip
    """Features, classes, and the roots of mu and sigma."""
    return (
        np.stack([one.features for one in examples]),
        np.array([one.label for one in examples], dtype=np.int64),
        np.sqrt([(one.mu, one.sigma) for one in examples]),
    )
