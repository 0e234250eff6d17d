"""Writing model folders, whole or not at all."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from gendeg.primitives.disk import NO_MODES, do_without
from gendeg.primitives.errors import OutputNotWritable


def write_folder(folder: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a folder beside the place, then put it there: an interruption leaves no half model.

    What was there is replaced. Raises `OutputNotWritable`.
    """
    partial = folder.with_name(f".{folder.name}.partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.parent.mkdir(parents=True, exist_ok=True)
        write(partial)
        for weights in partial.rglob("*.safetensors"):
            _open_to_readers(weights)
        for config in (*partial.rglob("config.json"), *partial.rglob("model_index.json")):
            _forget_place(config)
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(partial, folder)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise OutputNotWritable(folder, error.strerror or str(error)) from error


def _open_to_readers(weights: Path) -> None:
    """They are written for their owner only."""
    do_without("permissions of files", NO_MODES, lambda: weights.chmod(0o644))


def _forget_place(config: Path) -> None:
    """A model that is passed on does not tell where its parts lay on this machine."""
    values = json.loads(config.read_text(encoding="utf-8"))
    if values.pop("_name_or_path", None) is not None:
        config.write_text(json.dumps(values, indent=2, sort_keys=True) + "\n", encoding="utf-8")
