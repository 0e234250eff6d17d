"""A trained model's folder → the Hugging Face hub, by its resumable upload."""

from pathlib import Path
from typing import Any

from gendeg.model.weights import check_folder
from gendeg.primitives.errors import UploadFailed


def push_model(folder: Path, name: str, private: bool = False, api: Any = None) -> str:
    """Create the model repository if need be, upload, return its address.

    `api` is a `huggingface_hub.HfApi` (one of its own by default). Raises `BadModel`, `UploadFailed`.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    check_folder(folder)
    api = api or HfApi()
    try:
        url = api.create_repo(name, repo_type="model", private=private, exist_ok=True)
        api.upload_folder(repo_id=name, repo_type="model", folder_path=folder)
    except (HfHubHTTPError, OSError) as error:
        raise UploadFailed(name, str(error)) from error
    return str(url)
