"""What a study will do, fixed before work starts: its runs, and plan.json, which a later call must agree with."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from gendeg.model.loading import model_folder
from gendeg.primitives.errors import DifferentRun
from gendeg.primitives.files import read_json_object, sha256_bytes, sha256_lines, sha256_of, write_json
from gendeg.primitives.once import changed
from gendeg.primitives.options import PHYSICS
from gendeg.study.config import StudyConfig
from gendeg.study.data import (
    EXISTING,
    GENERATED,
    PRIOR,
    REAL,
    STRANGE,
    WITHIN,
    StudyPhotos,
    data_digest,
    rain_name,
    rain_names,
)
from gendeg.study.mixtures import Mixture, parse_mixture
from gendeg.study.real import real_digest
from gendeg.study.recipe import StudyRecipe

SCHEMA = "gendeg-study-1"
PLAN = "plan.json"
BOTH = "existing+generated"
ARMS = (EXISTING, GENERATED, BOTH)
BESIDE = "existing+physics"
PLACES = ("data.clean", "data.test_clean", "data.pairs", "data.generated", "data.model", "transfer.real")
"""Settings that are paths: what lies there has its own digest, so a study may be moved with its inputs."""
CHECKPOINTS = 3  # of a training: an interrupted one loses at most a third


@dataclass(frozen=True)
class Part:
    """A set of data/, or a share of it: the first of its examples in an order that the run's seed draws."""

    place: str
    share: float = 1.0
    mixture: Mixture | None = None  # what chooses among the generated


@dataclass(frozen=True)
class StudyRun:
    """One restorer, trained and tested. `tests`: sets of data/; `noise`: kind=amount put on the clean halves."""

    name: str
    seed: int
    section: str
    parts: tuple[Part, ...]
    tests: tuple[str, ...]
    noise: str = ""
    unseen_noise: tuple[str, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def folder(self) -> str:
        return f"{self.name}-s{self.seed}"


def plan_runs(recipe: StudyRecipe) -> list[StudyRun]:
    """All trainings, in the order of their worth: if a study is stopped, the first sections are whole."""
    runs = [*_arms(recipe), *_shares(recipe), *_mixtures(recipe)]
    if recipe.complexity is not None:
        runs += _derainers(recipe)
    if recipe.content_prior is not None:
        runs += _priors(recipe)
    return runs


def _arms(recipe: StudyRecipe) -> list[StudyRun]:
    real = (Part(REAL),) if recipe.data.pairs else ()
    existing = ((Part(EXISTING),) if recipe.data.existing_per_photo else ()) + real
    generated = (Part(GENERATED),)
    simulators = (Part(PHYSICS),)
    parts = {EXISTING: existing, GENERATED: generated, BOTH: existing + generated, PHYSICS: simulators,
             BESIDE: existing + simulators}  # fmt: skip
    simulated = (WITHIN,) if recipe.data.existing_per_photo else ()
    tests = (*simulated, STRANGE, *((REAL,) if recipe.data.pairs else ()))
    return [StudyRun(arm, seed, "arms", parts[arm], tests) for seed in recipe.arms.seeds for arm in arms_of(recipe)]


def arms_of(recipe: StudyRecipe) -> tuple[str, ...]:
    """The names of the arms, in the order of tables."""
    return (*ARMS, PHYSICS, BESIDE) if recipe.arms.physics else ARMS


def compared(recipe: StudyRecipe) -> list[tuple[str, str]]:
    """Which arms are subtracted from which."""
    beside = [(BESIDE, EXISTING), (BOTH, BESIDE)] if recipe.arms.physics else []
    return [(BOTH, EXISTING), (GENERATED, EXISTING), *beside]


def _shares(recipe: StudyRecipe) -> list[StudyRun]:
    """Existing data and a share of the generated: none and all are arms already."""
    whole = [run for run in _arms(recipe) if run.name == BOTH]
    return [
        StudyRun(share_name(share), run.seed, "scaling", (*run.parts[:-1], Part(GENERATED, min(share, 1.0))), run.tests)
        for share in recipe.arms.shares
        for run in whole
    ]


def share_name(share: float) -> str:
    return f"existing+{share:g}generated"


def _mixtures(recipe: StudyRecipe) -> list[StudyRun]:
    """Existing and generated data as each mixture says."""
    told, seeds = recipe.mixtures, mixture_seeds(recipe)
    whole = [run for run in _arms(recipe) if run.name == BOTH and run.seed in seeds]
    mixtures = [parse_mixture(text) for text in told.mixtures] if told is not None else []
    runs = []
    for mixture in mixtures:
        for run in whole:
            existing = [replace(part, share=mixture.existing) for part in run.parts[:-1]]
            parts = (*existing, Part(GENERATED, mixture=mixture))
            runs.append(StudyRun(mixture_name(mixture.text), run.seed, "mixtures", parts, run.tests))
    return runs


def mixture_seeds(recipe: StudyRecipe) -> tuple[int, ...]:
    """Those of the mixtures' trainings."""
    return (recipe.mixtures.seeds if recipe.mixtures else ()) or recipe.arms.seeds


def mixture_name(text: str) -> str:
    """As a folder may be called."""
    return f"mixture-{''.join(text.split()).replace(':', '-')}"


def _derainers(recipe: StudyRecipe) -> list[StudyRun]:
    complexity = recipe.complexity
    assert complexity is not None
    steps = {"steps": complexity.steps} if complexity.steps else {}
    return [
        StudyRun(name, seed, "complexity", (Part(name),), (STRANGE,), settings=steps)
        for seed in complexity.seeds
        for name in (rain_name(count, number) for count, number in rain_names(complexity))
    ]


def _priors(recipe: StudyRecipe) -> list[StudyRun]:
    """Three networks on narrow rain, and on noise of one strength."""
    prior = recipe.content_prior
    assert prior is not None
    through = {"content_prior": "autoencoder", "autoencoder": prior.autoencoder}
    networks: dict[str, dict[str, Any]] = {
        "plain": {},
        "prior": through | {"detail_path": False},
        "prior+detail": through | {"detail_path": True},
    }
    runs = []
    for seed in prior.seeds:
        for name, settings in networks.items():
            steps = {"steps": prior.steps} if prior.steps else {}
            told: dict[str, Any] = {"settings": settings | steps}
            runs.append(StudyRun(f"rain-{name}", seed, "content_prior", (Part(PRIOR),), (WITHIN, STRANGE), **told))
            told |= {"noise": f"gaussian={prior.noise:g}", "unseen_noise": prior.unseen_noise}
            runs.append(StudyRun(f"noise-{name}", seed, "content_prior", (Part(PRIOR),), (WITHIN,), **told))
    return runs


# --- the plan on disk ---


def open_plan(
    config: StudyConfig, recipe: StudyRecipe, photos: StudyPhotos, runs: Sequence[StudyRun]
) -> dict[str, Any]:
    """Writes plan.json, or finds it and sees that it is the same study. Raises `DifferentRun` naming what differs."""
    plan = {
        "schema": SCHEMA,
        "settings": {name: value for name, value in recipe.described().items() if name not in PLACES},
        "inputs": _inputs(recipe, photos),
        "runs": [run.folder for run in runs],
    }
    plan["fingerprint"] = sha256_bytes(json.dumps(plan, sort_keys=True).encode())
    plan = json.loads(json.dumps(plan))
    path = config.out / PLAN
    if path.exists():
        earlier = read_json_object(path)
        if earlier.get("fingerprint") != plan["fingerprint"]:
            before, now = _told(earlier), _told(plan)
            raise DifferentRun(config.out, changed(before, dict.fromkeys(before) | now) or ["version of gendeg"])
        return plan
    write_json(path, plan)
    return plan


def _told(plan: dict[str, Any]) -> dict[str, Any]:
    """Settings and inputs, by name."""
    return plan.get("settings", {}) | {f"inputs ({name})": what for name, what in plan.get("inputs", {}).items()}


def _inputs(recipe: StudyRecipe, photos: StudyPhotos) -> dict[str, str]:
    data = recipe.data
    return {
        "photos": photos.digest(),
        "pairs": real_digest(data) if data.pairs else "",
        "model": "" if data.generated else _model_digest(data.model),
        "generated": data_digest(Path(data.generated)) if data.generated else "",
    }


def _model_digest(name: str) -> str:
    """SHA-256 over a local model's files; the name of one on the hub."""
    folder = model_folder(name)
    if not folder.is_dir():
        return name
    files = sorted(path for path in folder.rglob("*") if path.suffix in (".safetensors", ".json"))
    return sha256_lines(f"{path.relative_to(folder)} {sha256_of(path)}" for path in files)
