"""gendeg push: a finished dataset → the Hugging Face hub, by its resumable upload."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gendeg.build.finish import finish, unfinished
from gendeg.primitives.errors import IncompleteDataset
from gendeg.primitives.hub import upload
from gendeg.shards.description import missing_shards, read_description
from gendeg.shards.layout import Layout

PRIVATE = (".gendeg/lock.json", ".gendeg/inputs.json", ".gendeg/logs/**", ".gendeg/left_out.jsonl", "**/.*.tmp",
           ".*.tmp", ".cache/**")  # fmt: skip
"""Stays at home: who worked on it, and where the photos are on this machine."""


@dataclass(frozen=True)
class Upload:
    """Files below the folder, as the hub gets them, and their bytes."""

    files: list[str]
    bytes: int


def plan_upload(folder: Path) -> Upload:
    """What would be uploaded; writes nothing. Raises `NotADataset`, `IncompleteDataset`."""
    from huggingface_hub.utils import filter_repo_objects

    layout = Layout(folder)
    description = read_description(layout)
    if missing := missing_shards(layout, description):
        raise IncompleteDataset(layout.root, len(missing))
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    files = list(filter_repo_objects(sorted(there.union(unfinished(layout, description))), ignore_patterns=[*PRIVATE]))
    return Upload(files, sum((folder / name).stat().st_size for name in there.intersection(files)))


def push(folder: Path, name: str, private: bool = False, api: Any = None) -> str:
    """Uploads a finished dataset and returns its address. Again after a break, it goes on.

    Raises `NotADataset`, `IncompleteDataset`, and what `upload` raises.
    """
    layout = Layout(folder)
    description = read_description(layout)
    if missing_shards(layout, description) or unfinished(layout, description):
        finish(layout, description)
    return upload(folder, name, "dataset", private, PRIVATE, api)
