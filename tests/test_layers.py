"""Who may import whom (DESIGN.md, section 7): rooms import downwards only, and the light ones never load torch."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "gendeg"
TOP = "__init__"

BELOW: dict[str, set[str]] = {
    "primitives": set(),
    "configs": {"primitives"},
    "prompts": {"primitives"},
    "intensity": {"primitives", "prompts"},
    "physics": {"primitives"},
    "report": {"primitives", "metrics"},
    "pairs": {"primitives", "intensity"},
    "shards": {"primitives", "intensity"},
    "model": {"primitives", "intensity"},
    "metrics": {"primitives", "intensity"},
    "restore": {"primitives", "intensity", "model"},
    "training": {"primitives", "configs", "intensity", "prompts", "pairs"},
}
"""Room → the rooms that it may import; rooms meet only in jobs."""
BELOW["jobs"] = set(BELOW)
BELOW["cli"] = {"configs", "jobs", "primitives"}
BELOW["__main__"] = {"cli"}
BELOW[TOP] = set(BELOW)  # the lazy public names

LIGHT = {"primitives", "configs", "prompts", "intensity", "physics", "pairs", "cli", "__main__", TOP}
"""Rooms whose modules load without the heavy packages, so that `gendeg --help` and the workers of a pool start fast."""
HEAVY = {"torch", "diffusers", "transformers", "accelerate", "datasets"}


@dataclass(frozen=True)
class Import:
    """One imported name: where it stands, its dotted name, and whether loading the module runs it."""

    line: int
    target: str
    at_load: bool


def imports_of(path: Path, package: str) -> list[Import]:
    """Every import of a file, those inside functions too; relative ones made absolute. `package` holds the file."""
    found = []
    for node, at_load in _walk(ast.parse(path.read_text(encoding="utf-8")), at_load=True):
        if isinstance(node, ast.Import):
            found += [Import(node.lineno, alias.name, at_load) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: 1 - node.level or None] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            found += [Import(node.lineno, f"{module}.{alias.name}", at_load) for alias in node.names]
    return found


def _walk(node: ast.AST, at_load: bool) -> Iterator[tuple[ast.AST, bool]]:
    """Every node; the flag is False inside functions and below `if TYPE_CHECKING`."""
    yield node, at_load
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        at_load = False
    if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
        for line in node.body:
            yield from _walk(line, at_load=False)
        for line in node.orelse:
            yield from _walk(line, at_load)
        return
    for child in ast.iter_child_nodes(node):
        yield from _walk(child, at_load)


def offences(package: Path) -> list[str]:
    """One line for every import that the table forbids and for every room that it does not know."""
    found = []
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).with_suffix("").parts
        room, place = parts[0], f"{path.relative_to(package.parent)}"
        if room not in BELOW:
            found.append(f"{place}: unknown room '{room}'; say in BELOW (tests/test_layers.py) what it may import")
            continue
        for one in imports_of(path, ".".join([package.name, *parts[:-1]])):
            reason = _forbidden(package, room, one)
            if reason:
                found.append(f"{place}:{one.line}: {reason}")
    return list(dict.fromkeys(found))  # a statement of three names is one offence


def _forbidden(package: Path, room: str, one: Import) -> str:
    """Why this import may not stand in this room, or nothing."""
    first, *rest = one.target.split(".")
    if first != package.name:
        heavy = room in LIGHT and one.at_load and first in HEAVY
        return f"{room} must load without {first}; import it inside the function that needs it" if heavy else ""
    target = _room_of(package, rest)
    if target == room or (target == TOP and rest == ["__version__"]) or target in BELOW[room]:
        return ""
    return f"{room} may not import {target}; it may import {', '.join(sorted(BELOW[room])) or 'no other room'}"


def _room_of(package: Path, rest: list[str]) -> str:
    """`["model", "nafnet"]` → model; a name that is no module below the package belongs to its `__init__`."""
    is_module = rest and ((package / rest[0]).is_dir() or (package / f"{rest[0]}.py").is_file())
    return rest[0] if is_module else TOP


def test_imports_point_downwards() -> None:
    assert offences(PACKAGE) == [], "\n" + "\n".join(offences(PACKAGE))


def test_table_has_no_circles() -> None:
    """A room stands above everything it may import: some order of the rooms satisfies all of them."""
    placed: set[str] = set()
    while len(placed) < len(BELOW):
        ready = {room for room, below in BELOW.items() if room not in placed and below <= placed | {room}}
        assert ready, f"rooms in a circle: {sorted(set(BELOW) - placed)}"
        placed |= ready


@pytest.mark.parametrize(
    "place, text, expected",
    [
        ("primitives/a.py", "from gendeg.jobs import b", "primitives may not import jobs"),
        (
            "primitives/a.py",
            "def f():\n    import gendeg.jobs.b",
            "gendeg/primitives/a.py:2: primitives may not import",
        ),
        ("primitives/a.py", "from ..jobs import b", "primitives may not import jobs"),
        ("primitives/a.py", "from .. import jobs", "primitives may not import jobs"),
        ("physics/a.py", "import gendeg", "physics may not import __init__"),
        ("primitives/a.py", "import torch.nn", "primitives must load without torch"),
        ("cli/a.py", "try:\n    import diffusers\nexcept ImportError: pass", "cli must load without diffusers"),
        ("attic/a.py", "import json", "unknown room 'attic'"),
    ],
)
def test_each_kind_of_offence_is_seen(tmp_path: Path, place: str, text: str, expected: str) -> None:
    path = _package(tmp_path) / place
    path.parent.mkdir(exist_ok=True)
    path.write_text(text + "\n")
    (line,) = offences(tmp_path / "gendeg")
    assert expected in line


@pytest.mark.parametrize(
    "place, text",
    [
        ("jobs/a.py", "from gendeg.physics import haze\nfrom gendeg import __version__\nfrom . import b"),
        ("primitives/a.py", "def f():\n    import torch"),
        ("primitives/a.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import torch"),
        ("model/a.py", "import torch\nfrom ..primitives import files"),
    ],
)
def test_what_is_allowed_passes(tmp_path: Path, place: str, text: str) -> None:
    (_package(tmp_path) / place).write_text(text + "\n")
    assert offences(tmp_path / "gendeg") == []


def _package(folder: Path) -> Path:
    package = folder / "gendeg"
    for room in ("primitives", "jobs", "physics", "model", "cli"):
        (package / room).mkdir(parents=True)
        (package / room / "__init__.py").touch()
    (package / "jobs" / "b.py").touch()
    return package
