"""A trained model's folder → the Hugging Face hub."""

from pathlib import Path
from typing import Any

from gendeg.jobs.upload import upload
from gendeg.model.weights import check_folder


def push_model(folder: Path, name: str, private: bool = False, api: Any = None) -> str:
    """Upload a whole model, return its address. Raises `BadModel`, and what `upload` raises."""
    check_folder(folder)
    return upload(folder, name, "model", private, api=api)
