"""Is this the run that it was? What a folder was begun with is kept in it, and what is done is not done again."""

import json
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gendeg.primitives.errors import DifferentRun
from gendeg.primitives.files import atomic_write, ensure_writable, read_json_object, write_json

CONFIG = "config.json"
DONE = "done"


def describe(config: Any) -> dict[str, Any]:
    """A config (a dataclass) as it stands in a folder's `config.json`."""
    described: dict[str, Any] = json.loads(json.dumps(asdict(config), default=str))
    return described


Changes = dict[str, tuple[Any, Any]]
"""Name → (then, now)."""


def changed(before: Mapping[str, Any], now: Mapping[str, Any], free: AbstractSet[str] = frozenset()) -> Changes:
    """What is asked now and was not before, but for the free ones. What was not known then was as if off."""
    asked = {name: (before.get(name), now[name]) for name in sorted(now) if name not in free}
    return {name: (then, value) for name, (then, value) in asked.items() if then != value and (name in before or value)}


def same_run(folder: Path, described: Mapping[str, Any], free: AbstractSet[str] = frozenset()) -> bool:
    """Whether a folder was begun, and with these settings; False where it was not begun. It is not written to.

    Raises `DifferentRun` where its `config.json` says other settings than these, but for the free ones.
    """
    path = folder / CONFIG
    if not path.exists():
        return False
    if other := changed(read_json_object(path), described, free):
        raise DifferentRun(folder, other)
    return True


def once(mark: Path, make: Callable[[], object]) -> dict[str, Any]:
    """What `make()` tells, if that is a dict. The file `mark` keeps it; written last, it says that this is done."""
    if not mark.exists():
        ensure_writable(mark.parent)
        told = make()
        if isinstance(told, dict):
            write_json(mark, told)
        else:
            atomic_write(mark, "")
    return read_json_object(mark) if mark.stat().st_size else {}
