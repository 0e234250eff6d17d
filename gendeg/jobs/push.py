"""gendeg push: a finished dataset → the Hugging Face hub, by its resumable upload."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gendeg.jobs.finish import finish
from gendeg.primitives.errors import BadOption, UploadFailed
from gendeg.shards.description import read_description
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
    """What would be uploaded. Raises `NotADataset`, `IncompleteDataset`."""
    from huggingface_hub.utils import filter_repo_objects

    layout = Layout(folder)
    finish(layout, read_description(layout))
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    files = list(filter_repo_objects(names, ignore_patterns=list(PRIVATE)))
    return Upload(files, sum((folder / name).stat().st_size for name in files))


def push(folder: Path, name: str, private: bool = False, api: Any = None) -> str:
    """Creates the dataset repository if need be and uploads; returns its address. Again after a break, it goes on.

    `api` is a `huggingface_hub.HfApi` (one of its own by default). Raises `NotADataset`, `IncompleteDataset`,
    `UploadFailed`, `BadOption` for a name that the hub does not allow.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    plan_upload(folder)
    api = api or HfApi()
    try:
        url = api.create_repo(name, repo_type="dataset", private=private, exist_ok=True)
        api.upload_folder(repo_id=name, repo_type="dataset", folder_path=folder, ignore_patterns=list(PRIVATE))
    except HFValidationError as error:
        raise BadOption("NAME", f"must be user/name, not '{name}' ({error})") from error
    except (*HfHubHTTPError.__bases__, OSError) as error:  # type: ignore[misc]  # bases: errors of its HTTP library
        raise UploadFailed(name, str(error)) from error
    return str(url)
