"""Runs of several stages: each in its own folder, done once, gone on with where it was interrupted."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from accelerate import PartialState

from gendeg.configs import TrainConfig
from gendeg.primitives.files import atomic_write, read_json_object
from gendeg.training.state import describe, refuse_changes

Settings = TypeVar("Settings", bound=TrainConfig)
MARK = "done.json"


def run_once(config: Settings, work: Callable[[Settings], dict[str, Any]]) -> dict[str, Any]:
    """What `work(config)` tells; where the stage's mark says that it is done, what it told then.

    An interrupted stage is called again with `resume`. Every process calls this, and the main one writes the mark.
    Raises `DifferentRun` where the stage was done or begun with other settings.
    """
    mark = config.out / MARK
    if mark.exists():
        refuse_changes(config.out, describe(config))
        return read_json_object(mark)
    told = work(replace(config, resume=(config.out / "config.json").exists()))
    state = PartialState()
    state.wait_for_everyone()
    if state.is_main_process:
        write_json(mark, told)
    state.wait_for_everyone()
    return read_json_object(mark)


def write_json(path: Path, rows: Any) -> None:
    """Indented, whole or not at all."""
    atomic_write(path, json.dumps(rows, indent=1) + "\n")
