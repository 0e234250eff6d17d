"""Runs of several stages: each in its own folder, done once, gone on with where it was interrupted."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from accelerate import PartialState

from gendeg.configs import TrainConfig
from gendeg.primitives.files import read_json_object, write_json
from gendeg.primitives.once import describe, same_run
from gendeg.training.state import FREE_TO_CHANGE

Settings = TypeVar("Settings", bound=TrainConfig)
MARK = "done.json"


def run_once(config: Settings, work: Callable[[Settings], dict[str, Any]]) -> dict[str, Any]:
    """What `work(config)` tells; where the stage's mark says that it is done, what it told then.

    An interrupted stage is called again with `resume`. Every process calls this, and the main one writes the mark.
    Raises `DifferentRun` where the stage was done or begun with other settings.
    """
    mark = config.out / MARK
    if mark.exists():
        same_run(config.out, describe(config), FREE_TO_CHANGE)
        return read_json_object(mark)
    told = work(replace(config, resume=(config.out / "config.json").exists()))
    state = PartialState()
    state.wait_for_everyone()
    if state.is_main_process:
        write_json(mark, told)
    state.wait_for_everyone()
    return read_json_object(mark)
