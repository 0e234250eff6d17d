"""Pairs simulated while a model trains on them, so that no crop is seen twice: clean photos → views, in processes."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import UInt8

from gendeg.intensity.direction import Direction, measure_direction
from gendeg.intensity.measure import Intensity, measure_intensity
from gendeg.pairs.crops import random_view
from gendeg.pairs.pair import Pair, measured, open_pairs
from gendeg.pairs.photo import Photo
from gendeg.pairs.photos import open_photos
from gendeg.physics import degrade
from gendeg.primitives.errors import BadOption, NoPairs
from gendeg.primitives.images import U8Image, resize_short_side, u8_to_unit, unit_to_u8
from gendeg.primitives.kinds import Mix, mix_name, parse_mix, parse_mixes
from gendeg.primitives.parallel import processes
from gendeg.primitives.rng import for_sample
from gendeg.prompts import words
from gendeg.training.config import FreshConfig
from gendeg.training.examples import Deal, crop_pair, has_pairs, parse_weights, shuffled

Crop = UInt8[np.ndarray, "_ _ 3"]
SHARED = 2
"""Crops that are cut from one simulated picture: reading and simulating it cost as much as training on one."""
REMEMBERED = 512 << 20
"""Bytes of decoded photos that a process keeps."""
LARGEST = 3
"""Photos are kept at this many times the view's side at most: views are never larger than the short side."""


@dataclass(frozen=True)
class Seen:
    """One square of a pair as it was made or read, and what was measured in it."""

    clean: U8Image
    degraded: U8Image
    degradation: str
    caption: str
    intensity: Intensity
    direction: Direction


@dataclass(frozen=True)
class Recipe:
    """What is simulated, of which photos, with which chances; and the pairs that take their turn between."""

    photos: tuple[Photo, ...]
    mixes: tuple[Mix, ...]
    chances: tuple[float, ...]
    pairs: tuple[Pair, ...]
    deal: Deal
    simulated: float
    view: int
    seed: int
    flips: bool


def training_pairs(config: FreshConfig) -> list[Pair]:
    """What is trained on beside simulated pairs, if any; a manifest may then hold pairs for the sheets only.

    Raises `NoPairs` where there is nothing to simulate from either.
    """
    try:
        return measured(open_pairs(config.pairs, "train")) if config.pairs or not config.clean else []
    except NoPairs:
        if config.clean:
            return []
        raise


def fresh_recipe(config: FreshConfig, pairs: Sequence[Pair]) -> Recipe:
    """Raises `NoImages`, `MissingPath`; `BadOption` for weights of nothing that is there."""
    photos = tuple(open_photos(config.clean, split="train"))
    mixes = tuple(parse_mixes(config.types))
    weights = parse_weights(config.weights)
    of_pairs = {name: weight for name, weight in weights.items() if has_pairs(pairs, name)}
    odd = set(weights) - set(of_pairs) - {mix_name(mix) for mix in mixes}
    if odd:
        raise BadOption("--weights", f"nothing that is simulated, and no pair, has the name '{min(odd)}'")
    drawn = [weights.get(mix_name(mix), 1.0) for mix in mixes]
    chances = tuple(one / sum(drawn) for one in drawn)
    deal = Deal(pairs, config.seed, of_pairs)
    simulated = config.simulated if pairs else 1.0
    return Recipe(photos, mixes, chances, tuple(pairs), deal, simulated, config.view, config.seed, config.flips)


class FreshPairs:
    """Simulates in processes of its own, below the priority of what trains. A view depends on its number only."""

    def __init__(self, recipe: Recipe, workers: int):
        self._pool = processes(workers, _start, recipe)

    def views(self, numbers: Sequence[int], size: int) -> list[Seen]:
        """Crops of `size` pixels, one a number. Raises `BadImage` when a photo cannot be read."""
        return self._pool.submit(_views, tuple(numbers), size).result()

    def close(self) -> None:
        """Its processes end with what they are at."""
        self._pool.shutdown(wait=False, cancel_futures=True)


_RECIPE: Recipe | None = None


def _start(recipe: Recipe) -> None:
    global _RECIPE
    _RECIPE = recipe


def _views(numbers: tuple[int, ...], size: int) -> list[Seen]:
    assert _RECIPE is not None
    return [simulated_view(_RECIPE, number, size) for number in numbers]


def simulated_view(recipe: Recipe, number: int, size: int) -> Seen:
    """The `number`-th crop of the run's stream: of a simulated picture, `SHARED` of each, or of a pair."""
    generator = for_sample(recipe.seed, number, "fresh crop")
    if for_sample(recipe.seed, number // SHARED, "fresh or pair").uniform() < recipe.simulated:
        clean, degraded, mix = _picture(recipe, number // SHARED)
        clean, degraded = crop_pair(clean, degraded, size, generator, recipe.flips)
        caption = words().fallback_caption
    else:
        placed = recipe.pairs[recipe.deal(number)]
        clean, degraded = _zoomed(*placed.read(), size, generator)
        clean, degraded = crop_pair(clean, degraded, size, generator, recipe.flips)
        mix, caption = parse_mix(placed.degradation), placed.caption
    clean, degraded = np.ascontiguousarray(clean), np.ascontiguousarray(degraded)
    measured = measure_intensity(clean, degraded)
    return Seen(clean, degraded, mix_name(mix), caption, measured, measure_direction(clean, degraded, mix))


def _zoomed(clean: U8Image, degraded: U8Image, size: int, generator: np.random.Generator) -> tuple[Crop, Crop]:
    """Half of the time shrunk to a random short side of at least `size`, so that a crop shows more of the picture."""
    short = min(clean.shape[:2])
    if short <= size or generator.uniform() < 0.5:
        return clean, degraded
    side = int(generator.integers(size, short + 1))
    return resize_short_side(clean, side), resize_short_side(degraded, side)


@lru_cache(maxsize=4)
def _picture(recipe: Recipe, number: int) -> tuple[U8Image, U8Image, Mix]:
    generator = for_sample(recipe.seed, number, "fresh")
    photo = _photo(recipe.photos[shuffled(len(recipe.photos), number, recipe.seed)], LARGEST * recipe.view)
    clean = random_view(photo, recipe.view, generator)
    mix = recipe.mixes[int(generator.choice(len(recipe.mixes), p=recipe.chances))]
    degraded = unit_to_u8(degrade(u8_to_unit(clean), mix, float(generator.uniform()), generator))
    return clean, degraded, mix


_PHOTOS: dict[Photo, U8Image] = {}


def _photo(one: Photo, most: int) -> U8Image:
    if one not in _PHOTOS:
        photo = one.image()
        photo = resize_short_side(photo, most) if min(photo.shape[:2]) > most else photo
        if sum(kept.nbytes for kept in _PHOTOS.values()) + photo.nbytes > REMEMBERED:
            _PHOTOS.clear()
        _PHOTOS[one] = photo
    return _PHOTOS[one]
