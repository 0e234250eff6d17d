"""The recipe of a study: a TOML file whose tables are the settings below; what is missing keeps its default."""

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from gendeg.primitives.errors import BadManifest, BadMix, BadOption, UnknownDegradation
from gendeg.primitives.files import data_root
from gendeg.primitives.kinds import Degradation, mix_name, parse_mixes
from gendeg.restore.config import RestoreTrainConfig
from gendeg.study.config import StudyConfig
from gendeg.study.mixtures import parse_mixture
from gendeg.training.presets import read_settings, read_tables


@dataclass(frozen=True)
class DataRecipe:
    """[data]: where pictures come from. Paths are relative to the folder that the command runs in."""

    clean: str = ""  # photos: a folder, a .txt list, or a .csv with a column split; --clean says it too
    test_clean: str = ""  # photos to test on; empty: rows of split test, or a fifth of the photos, by their names
    pairs: tuple[str, ...] = ()  # real pairs: manifests, datasets, or .csv tables with rows of kind pair; --pairs
    generated: str = ""  # a dataset that gendeg build made; empty: it is built here
    unseen_sources: tuple[str, ...] = ()  # of the pairs: never trained on, tested on
    unseen_whole: bool = True  # with all of their pairs; false: of split test only (which a row must say)
    photos: int = 0  # photos to train on, half of them for each arm; 0: all
    test_photos: int = 40
    size: int = 128  # pixels of the simulated and generated squares
    real_size: int = 256  # short side that larger real pairs are brought to; 0: as they are
    types: str = "all"
    existing_per_photo: int = 6
    strengths: tuple[float, float] = (0.45, 0.65)  # of the existing simulators, 0 to 1
    width: float = 0.15  # share of every other parameter's range that they draw from
    unseen_strengths: tuple[float, float] = (0.1, 1.0)  # of the strangers
    model: str = "bundled"
    generated_per_photo: int = 6
    sample_steps: int = 0  # of the model; 0: its own
    tolerance: float = 0.05  # of the build's filter, as in BuildConfig
    structure: float = 0.15
    seed: int = 0


@dataclass(frozen=True)
class ArmsRecipe:
    """[arms]: the experiment of the paper, and how much of the generated data it takes."""

    seeds: tuple[int, ...] = (0, 1, 2)
    shares: tuple[float, ...] = (0.02, 0.1, 0.2, 0.5)  # of the generated samples, between none and all
    physics: bool = False  # two arms more: simulators in the model's place, on the same photos at the same mu and sigma


@dataclass(frozen=True)
class MixturesRecipe:
    """[mixtures]: existing and generated data in other proportions, beside the arms of the same seeds."""

    seeds: tuple[int, ...] = ()  # among those of [arms]; empty: all of them
    mixtures: tuple[str, ...] = ()  # as study/mixtures.py reads them: "existing=0.25", "snow=2,strength=0.5:1"


@dataclass(frozen=True)
class ComplexityRecipe:
    """[complexity]: derainers against the number of backgrounds and the range of the rain."""

    seeds: tuple[int, ...] = (0, 1, 2)
    steps: int = 0  # of these trainings; 0: as [train] says
    pairs: int = 512  # of every training set
    backgrounds: tuple[int, ...] = (8, 32, 128, 512)
    ranges: tuple[tuple[float, float, float], ...] = (
        (0.55, 0.6, 0.0), (0.5, 0.65, 0.1), (0.35, 0.8, 0.4), (0.1, 1.0, 1.0),
    )  # fmt: skip
    """Lowest and highest strength, and width as in [data]; from narrow to full."""
    fixed_range: int = 1  # which of them, where the backgrounds vary
    fixed_backgrounds: int = 128  # where the range varies


@dataclass(frozen=True)
class PriorRecipe:
    """[content_prior]: the restorer as it is and through a frozen autoencoder, on unseen rain and unseen noise."""

    seeds: tuple[int, ...] = (0, 1, 2)
    autoencoder: str = "bundled"
    noise: float = 0.06  # deviation of the Gaussian noise that is trained on, of unit range (15 / 255)
    unseen_noise: tuple[str, ...] = ("gaussian=0.12", "gaussian=0.2", "poisson=0.05", "speckle=0.3", "salt_pepper=0.03")
    strengths: tuple[float, float] = (0.5, 0.65)  # of the rain that is trained on
    width: float = 0.1
    steps: int = 0  # of these trainings; 0: as [train] says
    test_photos: int = 0  # of each source; 0: all


@dataclass(frozen=True)
class TransferRecipe:
    """[transfer]: gendeg restore transfer --compare, on real photos without pairs."""

    type: str = "rain"
    real: str = ""  # real degraded photos, as for gendeg evaluate; --real; empty: the section says so
    share: float = 0.1
    seeds: int = 3
    steps: int = 200
    teacher_steps: int = 100
    distill_steps: int = 100


@dataclass(frozen=True)
class ResultsRecipe:
    """[results]"""

    draws: int = 1000  # of the bootstraps
    embedded: int = 20  # images of each degradation and origin that t-SNE shows
    pictures: int = 2  # of each degradation and origin on the page
    seed: int = 0


TABLES: dict[str, type[Any]] = {
    "data": DataRecipe,
    "train": RestoreTrainConfig,
    "arms": ArmsRecipe,
    "mixtures": MixturesRecipe,
    "complexity": ComplexityRecipe,
    "content_prior": PriorRecipe,
    "transfer": TransferRecipe,
    "results": ResultsRecipe,
}
OWN = ("pairs", "out", "seed", "resume", "cpu", "tracker", "workers", "init", "content_prior", "detail_path")
"""Settings of a training that the study makes itself."""


UNTOLD = (("arms", "physics", False), ("data", "unseen_whole", True), ("mixtures", "", "none"))
"""Settings that came later: a study without them is what it was before there were any."""


@dataclass(frozen=True)
class StudyRecipe:
    """All tables. Sections without a table are not studied: None."""

    path: Path
    data: DataRecipe
    arms: ArmsRecipe
    results: ResultsRecipe
    train: dict[str, Any] = field(default_factory=dict)
    mixtures: MixturesRecipe | None = None
    complexity: ComplexityRecipe | None = None
    content_prior: PriorRecipe | None = None
    transfer: TransferRecipe | None = None

    def described(self) -> dict[str, Any]:
        """`table.setting` → value, of everything that numbers depend on."""
        every = asdict(self)
        tables = {name: every[name] for name in TABLES}
        return {
            f"{name}.{key}": list(value) if isinstance(value, tuple) else value
            for name, table in tables.items()
            for key, value in (table or {"": "none"}).items()
            if (name, key, value) not in UNTOLD
        }


def read_study(config: StudyConfig) -> StudyRecipe:
    """The recipe, with what the command line says over it. Raises `MissingPath`, `BadManifest`, `BadOption`."""
    tables = read_tables(_find(config.recipe), TABLES, "unknown table {}; known are {}")
    for name, table in tables.items():
        tables[name] = read_settings(config.recipe, name, table, TABLES[name], OWN if name == "train" else ())
    pairs = tuple(map(str, config.pairs)) if config.pairs else None
    given = {"clean": config.clean, "test_clean": config.test_clean, "pairs": pairs}
    data = tables.get("data", {}) | {name: value for name, value in given.items() if value is not None}
    if not data.get("clean"):
        raise BadOption("--clean", "is needed: clean photos (a folder, a .txt list, or a .csv table of paths)")
    kinds = {mix_name(mix) for mix in parse_mixes(data.get("types", "all"))}
    if Degradation.RAIN not in kinds and {"complexity", "content_prior"} & set(tables):
        raise BadManifest(config.recipe, 0, "[complexity] and [content_prior] need rain among the types of [data]")
    if "transfer" in tables and config.real is not None:
        tables["transfer"]["real"] = config.real
    made: dict[str, Any] = {name: TABLES[name](**table) for name, table in tables.items() if name != "train"}
    empty: dict[str, Any] = {"arms": ArmsRecipe(), "results": ResultsRecipe()}
    recipe = StudyRecipe(config.recipe, **empty | made | {"data": DataRecipe(**data)}, train=tables.get("train", {}))
    _check_mixtures(recipe)
    return recipe


def _check_mixtures(recipe: StudyRecipe) -> None:
    """Raises `BadManifest` for mixtures that cannot be read, are there twice, or ask for what the study has not."""
    told, data, known = recipe.mixtures, recipe.data, set(map(mix_name, parse_mixes(recipe.data.types)))
    if told is None:
        return
    try:
        mixtures = [parse_mixture(text) for text in told.mixtures]
        for mixture in mixtures:
            odd = {name for name, _ in mixture.kinds} - known
            if odd and not data.generated:
                raise BadMix(mixture.text, f"has {min(odd)}, which [data] types has not")
            existing = mixture.existing and (data.existing_per_photo or data.pairs)
            if not existing and not mixture.leaves(known):
                raise BadMix(mixture.text, "leaves nothing to train on")
    except UnknownDegradation as error:
        raise BadManifest(recipe.path, 0, f"[mixtures] {error}") from None
    if len({replace(one, text="") for one in mixtures}) < len(mixtures):
        raise BadManifest(recipe.path, 0, "[mixtures] has a mixture twice")
    if odd_seeds := sorted(set(told.seeds) - set(recipe.arms.seeds)):
        raise BadManifest(recipe.path, 0, f"[mixtures] seeds must be among those of [arms], {odd_seeds[0]} is not")


def _find(path: Path) -> Path:
    """A file, or the name of one in manifests/recipes."""
    named = data_root("manifests") / "recipes" / f"{path}.toml"
    return named if not path.exists() and named.is_file() else path
