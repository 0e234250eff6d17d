"""The data of a study, a folder each below data/, with a done mark: existing, generated, within, strangers, real, rain.

existing    our simulators, narrow, over one half of the photos        (trained on)
generated   gendeg build over the other half                           (trained on)
physics     the same build with simulators in the model's place        (trained on, where the recipe says so)
within      the same narrow simulators over test photos                (tested on)
strangers   the second family of simulators over test photos           (tested on: out of distribution)
real        pairs that the recipe names, none larger than it says      (trained and tested on, by their splits)
backgrounds, rain-b<n>-r<i>, rain-prior                                (complexity, content prior)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gendeg.build.build import build
from gendeg.build.config import BuildConfig
from gendeg.pairs.config import SimulateConfig
from gendeg.pairs.crops import random_view
from gendeg.pairs.listers import Asked
from gendeg.pairs.photo import Photo
from gendeg.pairs.photos import find_photos, open_photos
from gendeg.pairs.simulate import STRANGERS, simulate
from gendeg.primitives.errors import NoPairs, NotEnoughPhotos
from gendeg.primitives.files import atomic_write, sha256_lines, sha256_of
from gendeg.primitives.images import write_image
from gendeg.primitives.kinds import parse_mixes
from gendeg.primitives.once import DONE, once
from gendeg.primitives.options import PHYSICS
from gendeg.primitives.rng import for_sample
from gendeg.shards.layout import Layout
from gendeg.study.config import StudyConfig
from gendeg.study.real import write_real
from gendeg.study.recipe import ComplexityRecipe, DataRecipe, StudyRecipe

TEST_SHARE = 5  # every fifth photo, where no table and no option says which are for testing
EXISTING, GENERATED, WITHIN, STRANGE, REAL, PRIOR = "existing", "generated", "within", "strangers", "real", "rain-prior"


@dataclass(frozen=True)
class StudyPhotos:
    """Clean photos by what they are for; no photo is in two of the three."""

    existing: tuple[Photo, ...]
    generated: tuple[Photo, ...]
    test: tuple[Photo, ...]

    @property
    def train(self) -> tuple[Photo, ...]:
        return self.existing + self.generated

    def digest(self) -> str:
        """SHA-256 over names and sizes: other when photos came, went, or changed."""
        groups = (self.existing, self.generated, self.test)
        between = f" {Path('/').stat().st_size}"
        return sha256_lines(
            line for group in groups for line in (*(f"{one.title} {one.length()}" for one in group), between)
        )


def find_study_photos(data: DataRecipe) -> StudyPhotos:
    """Which photos are for what, by their names and the seed. Raises `NotEnoughPhotos`, and as `open_photos`."""
    every = open_photos([data.clean], split="train")
    if data.test_clean:
        test = open_photos([data.test_clean], split="test", most=data.test_photos)
    elif any(photo.split for photo in find_photos([data.clean], Asked(hidden=True)).photos):
        test = open_photos([data.clean], split="test", most=data.test_photos)
    else:
        order = for_sample(data.seed, "photos", "test").permutation(len(every))
        chosen = {int(i) for i in order[: max(1, len(every) // TEST_SHARE)]}
        test = [one for i, one in enumerate(every) if i in chosen][: data.test_photos or None]
        every = [one for i, one in enumerate(every) if i not in chosen]
    tested = {one.name for one in test}
    every = [one for one in every if one.name not in tested]
    order = for_sample(data.seed, "photos", "halves").permutation(len(every))[: data.photos or None]
    mixed, half = [every[int(i)] for i in order], (len(order) + 1) // 2
    if len(mixed) < 2 or not test:
        raise NotEnoughPhotos(data.clean, len(mixed), len(test))
    return StudyPhotos(tuple(mixed[:half]), tuple(mixed[half:]), tuple(test))


def make_data(config: StudyConfig, recipe: StudyRecipe, photos: StudyPhotos) -> None:
    """Every set that is not there yet; a build that was interrupted goes on."""
    data, root = recipe.data, config.out / "data"
    narrow, types = {"strengths": data.strengths, "width": data.width}, data.types
    existing, test = (_files(config, group) for group in (photos.existing, photos.test))
    if data.existing_per_photo:
        _simulated(config, data, root / EXISTING, existing, types, data.existing_per_photo, **narrow)
    kinds = len(parse_mixes(types))
    _simulated(config, data, root / WITHIN, test, types, kinds, **narrow)
    wide = {"strengths": data.unseen_strengths, "family": STRANGERS}
    _simulated(config, data, root / STRANGE, test, types, kinds, **wide)
    if data.pairs:
        once(root / REAL / DONE, lambda: write_real(data, root / REAL))
    if recipe.complexity is not None:
        _rain_sets(config, data, recipe.complexity, photos)
    if recipe.content_prior is not None:
        prior = {"strengths": recipe.content_prior.strengths, "width": recipe.content_prior.width}
        _simulated(config, data, root / PRIOR, existing, "rain", 2, **prior)
    if not data.generated:
        once(root / GENERATED / DONE, lambda: _generated(config, data, root / GENERATED, photos, data.model))
    if recipe.arms.physics:
        once(root / PHYSICS / DONE, lambda: _generated(config, data, root / PHYSICS, photos, PHYSICS))


def _files(config: StudyConfig, photos: Sequence[Photo]) -> list[Path]:
    return [photo.as_file(config.out / "data" / "photos") for photo in photos]


def generated_place(config: StudyConfig, data: DataRecipe) -> Path:
    """The dataset of generated pairs: the recipe's own, or the one that was built here."""
    return Path(data.generated) if data.generated else config.out / "data" / GENERATED


def data_digest(place: Path) -> str:
    """SHA-256 of what tells a set's content: its manifest, or its dataset's description and plan."""
    if (place / "manifest.jsonl").is_file():
        return sha256_of(place / "manifest.jsonl")
    return sha256_of(Layout(place).config)


def rain_name(backgrounds: int, range_number: int) -> str:
    return f"rain-b{backgrounds}-r{range_number}"


def rain_names(complexity: ComplexityRecipe) -> list[tuple[int, int]]:
    """(backgrounds, range) of every training set of the section, each once."""
    along = [(count, complexity.fixed_range) for count in complexity.backgrounds]
    across = [(complexity.fixed_backgrounds, number) for number in range(len(complexity.ranges))]
    return list(dict.fromkeys(along + across))


def _simulated(
    config: StudyConfig, data: DataRecipe, out: Path, photos: Sequence[Path], types: str, per_image: int, **more: object
) -> None:
    told = {"size": data.size, "seed": data.seed, "validation": 0.0} | more
    settings = SimulateConfig(
        clean=tuple(photos), out=out, types=types, per_image=per_image, workers=config.workers, overwrite=True,
        progress=config.progress, **told,  # type: ignore[arg-type]
    )  # fmt: skip

    def make() -> None:
        if not simulate(settings).pairs:
            raise NoPairs(out / "manifest.jsonl")

    once(out / DONE, make)


def _generated(config: StudyConfig, data: DataRecipe, out: Path, photos: StudyPhotos, model: str) -> None:
    """`gendeg build`, which resumes by itself, over a list of this half of the photos."""
    names = out.parent / "generated.txt"
    atomic_write(names, "".join(f"{path.absolute()}\n" for path in _files(config, photos.generated)))
    build(
        BuildConfig(
            clean=(str(names),), out=out, types=data.types, per_image=data.generated_per_photo, size=data.size,
            square=True, seed=data.seed, model=model,
            steps=(data.sample_steps or None) if model != PHYSICS else None, device=config.device,
            shard_size=100, estimate=False, tolerance=data.tolerance, structure=data.structure,
            progress=config.progress,
        )
    )  # fmt: skip


def _rain_sets(config: StudyConfig, data: DataRecipe, complexity: ComplexityRecipe, photos: StudyPhotos) -> None:
    """Equally many pairs in each: rain of one range over some backgrounds; those of smaller sets lie in larger ones."""
    root = config.out / "data"
    most = max(count for count, _ in rain_names(complexity))
    crops = root / "backgrounds"
    once(crops / DONE, lambda: _backgrounds(data, photos.train, most, crops))
    for count, number in rain_names(complexity):
        low, high, width = complexity.ranges[number]
        chosen = [crops / f"b{index:04d}.png" for index in range(count)]
        more = {"strengths": (low, high), "width": width, "size": 0}
        each = max(1, complexity.pairs // count)
        _simulated(config, data, root / rain_name(count, number), chosen, "rain", each, **more)


def _backgrounds(data: DataRecipe, photos: Sequence[Photo], count: int, out: Path) -> None:
    """Square crops of the training photos, each photo in turn."""
    for index in range(count):
        generator = for_sample(data.seed, index, "background")
        view = random_view(photos[index % len(photos)].image(), data.size, generator)
        write_image(view, out / f"b{index:04d}.png", "png")
