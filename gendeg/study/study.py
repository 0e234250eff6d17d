"""gendeg restore study: does this data help a restorer? (GenDeg, section 5; arXiv 2502.12600; arXiv 2208.13133)

Recipe → plan of runs → data → trainings and tests → numbers with intervals → one page. The same command again goes on
from where it was, and changes no number; another recipe, or other inputs, need another folder.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gendeg.primitives.files import atomic_write, write_json
from gendeg.primitives.folders import claim, refuse_foreign, says
from gendeg.primitives.lock import FolderLock
from gendeg.report.html import render_page
from gendeg.study.config import StudyConfig
from gendeg.study.data import StudyPhotos, find_study_photos, make_data
from gendeg.study.numbers import study_numbers
from gendeg.study.page import study_page
from gendeg.study.plan import PLAN, open_plan, plan_runs
from gendeg.study.real import missing_sources
from gendeg.study.recipe import StudyRecipe, read_study
from gendeg.study.transfer import transfer_numbers, transfer_tasks
from gendeg.study.tsne import embed_degradations
from gendeg.study.work import Study, missing_runs, run_all

RESULTS, PAGE, LOCK = "results.json", "index.html", ".lock.json"


@dataclass(frozen=True)
class Studied:
    """The page, every number on it, and how many trainings (task transfer is one) this call made."""

    page: Path
    results: dict[str, Any]
    made: int


def study(config: StudyConfig) -> Studied:
    """Everything that is not done yet, then `results.json` and `index.html` below `config.out`.

    Raises `ForeignFolder`, `BadManifest`, `BadOption`, `MissingPath`, `NotEnoughPhotos`, `DifferentRun` where the
    folder was begun with another recipe or other inputs, `FolderInUse`, `RunsFailed` when a worker was killed, and what
    building and training raise.
    """
    recipe = read_study(config)
    ours = says(config.out / PLAN, "fingerprint") is not None
    refuse_foreign(config.out, "study", ours)
    photos = find_study_photos(recipe.data)
    claim(config.out, "study", ours)
    with FolderLock(config.out / LOCK, config.out):
        return _study(config, recipe, photos)


def _study(config: StudyConfig, recipe: StudyRecipe, photos: StudyPhotos) -> Studied:
    runs = plan_runs(recipe)
    plan = open_plan(config, recipe, photos, runs)
    if missing := missing_sources(recipe.data):
        print(
            f"gendeg: not tested on {', '.join(missing)} (unseen_sources): no pair of that source is for testing",
            file=sys.stderr,
        )
    make_data(config, recipe, photos)
    whole = Study(config, recipe)
    made = run_all(config, transfer_tasks(whole, photos) + missing_runs(whole, runs))
    results = study_numbers(whole, plan, runs)
    results["tsne"] = embed_degradations(whole)
    results["transfer"] = transfer_numbers(whole)
    write_json(config.out / RESULTS, results)
    atomic_write(config.out / PAGE, render_page(study_page(whole, results)))
    return Studied(config.out / PAGE, results, made)
