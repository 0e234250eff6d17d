"""Whose a folder is: gendeg writes into new and empty ones and into those it has marked, and into nobody else's."""

import json
import os
from pathlib import Path

from gendeg.primitives.errors import BadManifest, CannotRead, ForeignFolder, MissingPath, OutputNotWritable
from gendeg.primitives.files import atomic_write, ensure_writable, is_temporary, read_json_object

SIDE = ".gendeg"
MARK = Path(SIDE) / "made_by.json"
DATASET = Path(SIDE) / "config.json"  # of a dataset that was begun before there were marks
MAKER = "gendeg"
NOBODYS = {".DS_Store", "Thumbs.db", "desktop.ini", "lost+found"}
"""What operating systems put into folders by themselves."""


def claim(folder: Path, ours: bool = False) -> None:
    """Makes the folder gendeg's, by a mark in it, before anything else is written there.

    `ours`: something in it says already that it is (a plan, or the settings of an earlier version's run). Raises
    `ForeignFolder` for one that holds anything and has neither, and `OutputNotWritable`.
    """
    if is_ours(folder):
        return
    if not ours and (found := _somebodys(folder)):
        raise ForeignFolder(folder, found)
    ensure_writable(folder / SIDE)
    atomic_write(folder / MARK, json.dumps({"made_by": MAKER}) + "\n")


def is_ours(folder: Path) -> bool:
    """The mark says so, or the description of a dataset; never a name alone."""
    return _says(folder / MARK, "made_by") == MAKER or bool(_says(folder / DATASET, "fingerprint"))


def _says(path: Path, field: str) -> object:
    try:
        return read_json_object(path).get(field)
    except (MissingPath, CannotRead, BadManifest):
        return None


def _somebodys(folder: Path) -> str:
    """The first thing in a folder that is not ours; nothing for one that is empty or not there."""
    if not os.path.lexists(folder):
        return ""
    names = _names(folder)
    if names == [SIDE] and (folder / SIDE).is_dir() and _names(folder / SIDE) in ([], ["lock.json"]):
        return ""  # somebody has just begun: the lock tells who
    return names[0] if names else ""


def _names(folder: Path) -> list[str]:
    """Raises `OutputNotWritable` for what is no folder, or may not be looked into."""
    try:
        return sorted(name for name in os.listdir(folder) if name not in NOBODYS and not is_temporary(folder / name))
    except OSError as error:
        raise OutputNotWritable(folder, error.strerror or str(error)) from error
