"""gendeg push: a finished dataset → the Hugging Face hub: its shards, and beside them its pairs as Parquet.

The Parquet files get a repository of their own. `datasets`, and with it the hub's viewer, takes one loader for a whole
repository, which the files of its first config decide: Parquet configs beside tars would be opened as tars.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from gendeg.build.finish import finish, parquet_card, unfinished
from gendeg.build.parquet import PlannedFile, kinds_of, plan_files, write_file
from gendeg.primitives.errors import BadManifest, CannotRead, IncompleteDataset, OutputNotWritable
from gendeg.primitives.files import read_json_object
from gendeg.primitives.hub import check_name, commit, fetch, told, upload
from gendeg.primitives.progress import track
from gendeg.shards.description import Description, missing_shards, read_description
from gendeg.shards.layout import Layout

PRIVATE = (".gendeg/lock.json", ".gendeg/inputs.json", ".gendeg/logs/**", ".gendeg/left_out.jsonl", "**/.*.tmp",
           ".*.tmp", ".cache/**")  # fmt: skip
"""Stays at home: who worked on it, and where the photos are on this machine."""


@dataclass(frozen=True)
class Upload:
    """Files as the hub gets them, with the repository in front, and their bytes (of Parquet files: at most)."""

    files: list[str]
    bytes: int


def plan_upload(folder: Path, name: str) -> Upload:
    """What `push` would upload; writes nothing. Raises `NotADataset`, `IncompleteDataset`, `BadOption`."""
    from huggingface_hub.utils import filter_repo_objects

    check_name(name)
    layout = Layout(folder)
    description = _whole(layout)
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    files = list(filter_repo_objects(sorted(there.union(unfinished(layout, description))), ignore_patterns=[*PRIVATE]))
    size = sum((folder / one).stat().st_size for one in there.intersection(files))
    return Upload([f"{name}/{one}" for one in files], size)


def _whole(layout: Layout) -> Description:
    """What the dataset is. Raises `NotADataset`, `IncompleteDataset`."""
    description = read_description(layout)
    if missing := missing_shards(layout, description):
        raise IncompleteDataset(layout.root, len(missing))
    return description


def push(folder: Path, name: str, private: bool = False, api: Any = None) -> str:
    """Uploads a finished dataset and returns its address. Again after a break, it goes on.

    Raises `NotADataset`, `IncompleteDataset`, and what `upload` raises.
    """
    _finished(Layout(folder))
    return upload(folder, name, "dataset", private, PRIVATE, api)


def _finished(layout: Layout) -> Description:
    """What the dataset is, once its last step is done. Raises `NotADataset`, `IncompleteDataset`."""
    description = read_description(layout)
    if missing_shards(layout, description) or unfinished(layout, description):
        finish(layout, description)
    return description


# --- as Parquet ---

NOTES = ".gendeg/parquet.json"
"""Beside the Parquet files: what is in each that has arrived. It comes in the same commit as its file."""

Notes = dict[str, dict[str, Any]]


def twin(name: str) -> str:
    """The repository of the Parquet files. Raises `BadOption` where it, or `name`, is not allowed."""
    check_name(name)
    check_name(f"{name}-parquet")
    return f"{name}-parquet"


def plan_parquet(folder: Path, name: str) -> Upload:
    """What `push_parquet` would upload, where nothing has arrived yet; writes nothing. As `plan_upload`."""
    layout = Layout(folder)
    description = _whole(layout)
    planned = plan_files(layout, description)
    names = [*(file.name for file in planned), NOTES, "README.md", *(["preview.png"] if planned else [])]
    return Upload([f"{twin(name)}/{one}" for one in names], sum(file.bytes for file in planned))


def push_parquet(folder: Path, name: str, private: bool = False, api: Any = None) -> str:
    """Uploads the pairs as Parquet, file by file, beside the dataset `name`; returns the address.

    A file is written to the system's temporary folder, uploaded, and deleted; nothing is written to the dataset's.
    Again after a break, or when shards have changed, only what the hub does not have is made. Raises `NotADataset`,
    `IncompleteDataset`, `DamagedDataset`, `OutputNotWritable`, and what `upload` raises.
    """
    from huggingface_hub import HfApi

    layout, api, beside = Layout(folder), api or HfApi(), twin(name)
    description = _finished(layout)
    planned, kinds = plan_files(layout, description), kinds_of(description)
    with told(beside):
        url = str(api.create_repo(beside, repo_type="dataset", private=private, exist_ok=True))
    with _room() as opened:
        place = Path(opened)
        notes = _notes(api, beside, place)
        for file in track(planned, "uploading Parquet files", total=len(planned)):
            if notes.get(file.name, {}).get("digest") != file.digest:
                smaller = write_file(layout, file, kinds, place / "rows.parquet")
                notes[file.name] = {"digest": file.digest, "rows": file.rows, "smaller": smaller}
                commit(api, beside, f"Add {file.name}", {file.name: place / "rows.parquet", NOTES: _text(notes)})
    _close(layout, description, planned, notes, api, name)
    return url


def _room() -> TemporaryDirectory[str]:
    try:
        return TemporaryDirectory(prefix="gendeg-parquet-")
    except OSError as error:
        raise OutputNotWritable(Path("TMPDIR"), error.strerror or str(error)) from error


def _close(
    layout: Layout, description: Description, planned: list[PlannedFile], notes: Notes, api: Any, name: str
) -> None:
    """The card, last of all: until then it speaks of what is there. Files of an earlier state of the dataset go."""
    gone = sorted(set(notes) - {file.name for file in planned})
    kept = {file.name: notes[file.name] for file in planned}
    smaller = sum(note["smaller"] for note in kept.values())
    files: dict[str, bytes | Path] = {NOTES: _text(kept), "README.md": parquet_card(layout, description, name, smaller)}
    if layout.picture.is_file():
        files["preview.png"] = layout.picture
    commit(api, twin(name), "Describe the pairs", files, gone)


def _notes(api: Any, name: str, place: Path) -> Notes:
    """What the hub says that it has; nothing, where these are not our notes."""
    path = fetch(api, name, NOTES, place)
    try:
        files = read_json_object(path)["files"] if path else {}
        return {key: {"digest": str(note["digest"]), "rows": int(note["rows"]), "smaller": int(note["smaller"])}
                for key, note in files.items()}  # fmt: skip
    except (BadManifest, CannotRead, KeyError, TypeError, ValueError, AttributeError):
        return {}


def _text(notes: Notes) -> bytes:
    return (json.dumps({"files": notes}, indent=1, sort_keys=True) + "\n").encode()
