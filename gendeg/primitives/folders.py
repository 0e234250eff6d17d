"""Whose a folder is: gendeg writes into new and empty ones and into those it has marked, and into nobody else's."""

import json
import os
import re
from contextlib import suppress
from pathlib import Path

from gendeg.primitives.errors import ForeignFolder, OutputNotWritable
from gendeg.primitives.files import atomic_write, ensure_writable, is_temporary, notes_of
from gendeg.primitives.kinds import Degradation

SIDE, LOCK = ".gendeg", "lock.json"
MARK = Path(SIDE) / "made_by.json"
DATASET = Path(SIDE) / "config.json"  # of a dataset that was begun before there were marks
BUILD = "build"
HALVES = ("clean", "degraded")
SIMULATORS = ("simulated", "strangers")
"""The sources that pairs of our simulators name."""
LONGEST_ROW = 1 << 20  # bytes
RECORDS, SHEET = "records.jsonl", "sheet.png"
"""What `synth` writes beside its images."""
_KIND = f"(?:{'|'.join(Degradation)})"
DEGRADED = re.compile(rf".+\.{_KIND}(?:\+{_KIND})*\.[im]\d+(?:-\d+)*\.s\d+\.(png|jpg|webp)")
"""Names of the images that `synth` writes, which no camera gives."""
NOBODYS = {".DS_Store", "Thumbs.db", "desktop.ini", "lost+found"}
"""What operating systems put into folders by themselves."""


def claim(folder: Path, job: str, ours: bool = False) -> None:
    """Makes the folder that job's (build, evaluate, …), by a mark in it, before anything else is written there.

    `ours`: something in it says already that it is, such as the settings of a run of an earlier version. Raises
    `ForeignFolder` for one that holds anything and is not, and `OutputNotWritable`.
    """
    refuse_foreign(folder, job, ours)
    if not maker_of(folder):
        ensure_writable(folder / SIDE)
        atomic_write(folder / MARK, json.dumps({"made_by": f"gendeg {job}"}) + "\n")


def refuse_foreign(folder: Path, job: str, ours: bool = False) -> None:
    """Raises as `claim`, and writes nothing."""
    maker = maker_of(folder)
    if maker not in ("", job):
        raise ForeignFolder(folder, f"what gendeg {maker} made")
    if not maker and not ours and (found := _somebodys(folder)) and not maker_of(folder):  # by now: another process
        raise ForeignFolder(folder, found)


def maker_of(folder: Path) -> str:
    """The job whose mark it bears, or that it is the dataset of; never by a name alone. Empty: nobody's of ours."""
    made_by = says(folder / MARK, "made_by")
    if isinstance(made_by, str) and made_by.startswith("gendeg "):
        return made_by.removeprefix("gendeg ")
    return BUILD if says(folder / DATASET, "fingerprint") else ""


def release(folder: Path) -> None:
    """Takes the mark away again, where something else says whose the folder is."""
    (folder / MARK).unlink(missing_ok=True)
    with suppress(OSError):  # it holds something else too
        (folder / SIDE).rmdir()


def is_ours(folder: Path) -> bool:
    """Whether what lies in it is no photo of somebody's but made by us."""
    return is_claimed(folder) or _is_synthesized(folder)


def is_claimed(folder: Path) -> bool:
    """Whether it is a job's own, as a folder that `synth` wrote into is not."""
    return bool(maker_of(folder)) or _is_simulated(folder)


def _is_simulated(folder: Path) -> bool:
    """A half of simulated pairs: the manifest beside it names it, and our simulators as where its pairs come from."""
    if folder.name not in HALVES:
        return False
    row = _first_row(folder.parent / "manifest.jsonl")
    return row.get("source") in SIMULATORS and str(row.get(folder.name)).startswith(f"{folder.name}/")


def _is_synthesized(folder: Path) -> bool:
    """Nothing but what `synth` wrote: images by their names, beside the list of what was asked of them."""
    if not {"key", "clean_path", "seed"} <= set(_first_row(folder / RECORDS)):
        return False
    try:
        return {name for name in _names(folder) if not DEGRADED.fullmatch(name)} <= {RECORDS, SHEET}
    except OutputNotWritable:
        return False


def _first_row(path: Path) -> dict[str, object]:
    """Of JSON lines; nothing where there are none."""
    if not path.is_file():  # a pipe would wait for ever
        return {}
    try:
        with open(path, "rb") as stream:
            row = json.loads(stream.readline(LONGEST_ROW))
    except (OSError, ValueError, RecursionError):
        return {}
    return row if isinstance(row, dict) else {}


def says(path: Path, field: str) -> object:
    """A field of a JSON file; None where there is no such file, or it is something else."""
    return notes_of(path).get(field)


def _somebodys(folder: Path) -> str:
    """The first thing in a folder that is not ours; nothing for one that is empty or not there."""
    if not os.path.lexists(folder):
        return ""
    names = _names(folder)
    if names == [SIDE] and (folder / SIDE).is_dir() and _names(folder / SIDE) in ([], [LOCK]):
        return ""  # somebody has just begun: the lock tells who
    return names[0] if names else ""


def _names(folder: Path) -> list[str]:
    """Raises `OutputNotWritable` for what is no folder, or may not be looked into."""
    try:
        return sorted(name for name in os.listdir(folder) if name not in NOBODYS and not is_temporary(folder / name))
    except OSError as error:
        raise OutputNotWritable(folder, error.strerror or str(error)) from error
