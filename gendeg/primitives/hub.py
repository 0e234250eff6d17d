"""A folder → a repository of the Hugging Face hub, by its resumable upload."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from gendeg.primitives.errors import BadOption, UploadFailed


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
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    api = api or HfApi()
    try:
        url = api.create_repo(name, repo_type=kind, private=private, exist_ok=True)
        api.upload_folder(repo_id=name, repo_type=kind, folder_path=folder, ignore_patterns=list(ignore))
    except HFValidationError as error:
        raise BadOption("NAME", f"must be user/name, not '{name}' ({error})") from error
    except (*HfHubHTTPError.__bases__, OSError) as error:  # type: ignore[misc]  # bases: errors of its HTTP library
        raise UploadFailed(name, str(error)) from error
    return str(url)
