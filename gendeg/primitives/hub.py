"""A folder, or files one by one → a repository of the Hugging Face hub."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from gendeg.primitives.errors import BadOption, UploadFailed

HUB = "hf:"
"""Before the name of a dataset of the hub (or of one that `save_to_disk` wrote)."""


def upload(
    folder: Path,
    name: str,
    kind: Literal["dataset", "model"],
    private: bool,
    ignore: Sequence[str] = (),
    api: Any = None,
) -> str:
    """Create the repository `name` (user/name) if need be and upload; returns its address. After a break, it goes on.

    `ignore` are patterns of files that stay; `api` is a `huggingface_hub.HfApi` (one of its own by default). Raises
    `UploadFailed`, `BadOption` for a name that the hub does not allow.
    """
    from huggingface_hub import HfApi

    api = api or HfApi()
    with told(name):
        url = api.create_repo(name, repo_type=kind, private=private, exist_ok=True)
        api.upload_folder(repo_id=name, repo_type=kind, folder_path=folder, ignore_patterns=list(ignore))
    return str(url)


@contextmanager
def told(name: str) -> Iterator[None]:
    """What the hub and the network raise within, as `UploadFailed`, or `BadOption` for a name that is not allowed."""
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        yield
    except HFValidationError as error:
        raise BadOption("NAME", f"must be user/name, not '{name}' ({error})") from error
    except (*HfHubHTTPError.__bases__, OSError) as error:  # type: ignore[misc]  # bases: errors of its HTTP library
        raise UploadFailed(name, str(error)) from error


def check_name(name: str) -> None:
    """Raises `BadOption` for a name that the hub does not allow."""
    from huggingface_hub.utils import validate_repo_id

    with told(name):
        validate_repo_id(name)


def commit(api: Any, name: str, message: str, files: Mapping[str, bytes | Path], gone: Sequence[str] = ()) -> None:
    """Files (their bytes, or where they lie) into a dataset's repository in one step, and others out of it.

    Raises `UploadFailed`.
    """
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    steps = [CommitOperationAdd(path, data if isinstance(data, bytes) else str(data)) for path, data in files.items()]
    with told(name):
        api.create_commit(
            name, [*steps, *map(CommitOperationDelete, gone)], commit_message=message, repo_type="dataset"
        )


def fetch(api: Any, name: str, path: str, folder: Path) -> Path | None:
    """A file of a dataset's repository, brought into `folder`; None where there is none. Raises `UploadFailed`."""
    from huggingface_hub.errors import RemoteEntryNotFoundError

    with told(name):
        try:
            return Path(api.hf_hub_download(name, path, repo_type="dataset", local_dir=folder))
        except RemoteEntryNotFoundError:
            return None
