"""Task transfer within a study: gendeg restore transfer --compare on the study's own pairs, and real photos."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from gendeg.configs import TransferConfig
from gendeg.jobs.restore_transfer import transfer
from gendeg.jobs.stages import write_json
from gendeg.jobs.study_data import EXISTING, REAL, STRANGE, StudyPhotos
from gendeg.jobs.study_work import Study, Task
from gendeg.primitives.device import choose_device
from gendeg.primitives.errors import MissingPath
from gendeg.primitives.files import atomic_write, read_json_object

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
    return [(FOLDER, _Transfer(study, clean))]


def transfer_numbers(study: Study) -> dict[str, Any]:
    """What the job told, or {absent: why}."""
    if study.recipe.transfer is None:
        return {"absent": "The recipe has no table [transfer]."}
    return read_json_object(_mark(study)) if study.recipe.transfer.real else {"absent": ABSENT}


def _mark(study: Study) -> Path:
    return study.config.out / FOLDER / "study.json"


class _Transfer:
    """The call, to be sent to the process."""

    def __init__(self, study: Study, clean: Path):
        self.study, self.clean = study, clean

    def __call__(self) -> None:
        study, table = self.study, self.study.recipe.transfer
        assert table is not None
        out = study.config.out / FOLDER
        trained = [place for place in (study.data / EXISTING, study.data / REAL) if place.exists()]
        told = transfer(
            TransferConfig(
                **asdict(table) | {"real": Path(table.real)}, pairs=tuple(trained), clean=self.clean, out=out,
                compare=True, test=(study.data / STRANGE,),
                batch_size=study.recipe.train.get("batch_size", 8), size=study.recipe.train.get("size", 64),
                seed=study.recipe.results.seed, draws=study.recipe.results.draws, workers=1,
                cpu=choose_device(study.config.device) == "cpu", progress=False,
            )
        )  # fmt: skip
        write_json(_mark(study), told)
