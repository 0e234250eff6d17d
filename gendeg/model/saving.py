"""Writing model folders, whole or not at all, and without what people have put beside the model being lost."""

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from gendeg.primitives.disk import NO_MODES, do_without
from gendeg.primitives.errors import OutputNotWritable
from gendeg.primitives.files import notes_of

INDEX, CONFIG = "model_index.json", "config.json"
PARTS = re.compile(r"(config|generation_config|model_index)\.json|.*\.safetensors(\.index\.json)?")
"""What the libraries write into the top of a model's folder, beside the folders of its components."""


def write_folder(folder: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a folder beside the place, then put it there: an interruption leaves no half model.

    The model that was there is replaced; other files of that folder are kept. Raises `OutputNotWritable`.
    """
    partial, old = (folder.with_name(f".gendeg-{folder.name}.{what}") for what in ("partial", "old"))
    try:
        _settle(folder, old)
        shutil.rmtree(partial, ignore_errors=True)  # of a run that was stopped while it wrote
        partial.parent.mkdir(parents=True, exist_ok=True)
        write(partial)
        for weights in partial.rglob("*.safetensors"):
            _open_to_readers(weights)
        for config in (*partial.rglob(CONFIG), *partial.rglob(INDEX)):
            _forget_place(config)
        if folder.exists():
            os.replace(folder, old)
        os.replace(partial, folder)
        _settle(folder, old)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise OutputNotWritable(folder, error.strerror or str(error)) from error


def _open_to_readers(weights: Path) -> None:
    """They are written for their owner only."""
    do_without("permissions of files", NO_MODES, lambda: weights.chmod(0o644))


def _settle(folder: Path, old: Path) -> None:
    """Ends a replacement, also one that a kill has interrupted: back, or what is not the old model's goes over."""
    if not old.exists():
        return
    if not folder.exists():
        os.replace(old, folder)
        return
    components = _components(old)
    known = bool(components) or (old / CONFIG).is_file()  # else it is no model, and nothing tells what is not its own
    for entry in sorted(old.iterdir()) if known else ():
        ours = entry.name in components or (entry.is_file() and PARTS.fullmatch(entry.name))
        if not ours and not os.path.lexists(folder / entry.name):
            os.replace(entry, folder / entry.name)
    shutil.rmtree(old)


def _components(folder: Path) -> set[str]:
    """Folders that the pipeline's index names. Empty for what is no pipeline."""
    return {name for name, kind in notes_of(folder / INDEX).items() if isinstance(kind, list)}


def _forget_place(config: Path) -> None:
    """A model that is passed on does not tell where its parts lay on this machine."""
    values = json.loads(config.read_text(encoding="utf-8"))
    if values.pop("_name_or_path", None) is not None:
        config.write_text(json.dumps(values, indent=2, sort_keys=True) + "\n", encoding="utf-8")
