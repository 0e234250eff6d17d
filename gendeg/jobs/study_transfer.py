"""Task transfer within a study: gendeg restore transfer --compare on the study's own pairs, and real photos."""

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from gendeg.configs import TransferConfig
from gendeg.jobs.restore_transfer import transfer
from gendeg.jobs.study_data import EXISTING, REAL, STRANGE, StudyPhotos
from gendeg.jobs.study_work import Study, Task
from gendeg.primitives.device import choose_device
from gendeg.primitives.errors import MissingPath
from gendeg.primitives.files import atomic_write, read_json_object
from gendeg.primitives.once import once

FOLDER = "transfer"
ABSENT = "No real photos were given (--real: a folder for each degradation, or a table), and transfer learns from them."


def transfer_tasks(study: Study, photos: StudyPhotos) -> list[Task]:
    """The job, where it is wanted and not done. Raises `MissingPath`."""
    table = study.recipe.transfer
    if table is None or not table.real or _mark(study).exists():
        return []
    if not Path(table.real).exists():
        raise MissingPath(table.real)
    clean = study.data / "clean.txt"
    atomic_write(clean, "".join(f"{path.absolute()}\n" for path in photos.train))
    return [(FOLDER, partial(_transfer, study, clean))]


def transfer_numbers(study: Study) -> dict[str, Any]:
    """What the job told, or {absent: why}."""
    if study.recipe.transfer is None:
        return {"absent": "The recipe has no table [transfer]."}
    return read_json_object(_mark(study)) if study.recipe.transfer.real else {"absent": ABSENT}


def _mark(study: Study) -> Path:
    return study.config.out / FOLDER / "study.json"


def _transfer(study: Study, clean: Path) -> None:
    table, train = study.recipe.transfer, study.recipe.train
    assert table is not None
    trained = tuple(place for place in (study.data / EXISTING, study.data / REAL) if place.exists())
    given = asdict(table) | {name: train[name] for name in ("batch_size", "size") if name in train} | {
        "pairs": trained, "real": Path(table.real), "clean": clean, "out": study.config.out / FOLDER, "compare": True,
        "test": (study.data / STRANGE,), "seed": study.recipe.results.seed, "draws": study.recipe.results.draws,
        "workers": 1, "cpu": choose_device(study.config.device) == "cpu", "progress": False,
    }  # fmt: skip
    once(_mark(study), lambda: transfer(TransferConfig(**given)))
