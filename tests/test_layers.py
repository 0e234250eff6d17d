"""Who may import whom: the rooms of the package are a ladder, and what `gendeg --help` loads never loads torch."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "gendeg"
TOP = "__init__"

ROOMS = (
    "primitives", "prompts", "physics", "metrics", "intensity", "shards", "report", "model", "doctor", "drive", "pairs",
    "estimator", "synth", "play", "build", "curate", "priors", "export", "evaluate", "training", "bundle", "convert",
    "restore", "study", "cli", "__main__",
)  # fmt: skip
"""From the ground up: a room imports only rooms that stand before it. The package's own lazy names see all of them."""

LIGHT_ROOMS = {"primitives", "prompts", "physics", "intensity", "cli", "__main__", TOP}
LIGHT_FILES = {"command", "config"}
"""Modules that load without the heavy packages, nor through another module of ours, so that `gendeg --help` and the
workers of a pool start fast: whole rooms, and these files of every room."""
HEAVY = {"torch", "diffusers", "transformers", "accelerate", "datasets"}


@dataclass(frozen=True)
class Import:
    """One imported name: where it stands, its dotted name, and whether loading the module runs it."""

    line: int
    target: str
    at_load: bool


@cache
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
    """One line for every import that goes up the ladder or makes a light module heavy, and for every unknown room."""
    found = []
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).with_suffix("").parts
        place = f"{path.relative_to(package.parent)}"
        if parts[0] not in (*ROOMS, TOP):
            found.append(f"{place}: unknown room '{parts[0]}'; give it its place in ROOMS (tests/test_layers.py)")
            continue
        for one in imports_of(path, ".".join([package.name, *parts[:-1]])):
            reason = _upwards(package, parts[0], one) or _heavy(package, parts, one)
            if reason:
                found.append(f"{place}:{one.line}: {reason}")
    return list(dict.fromkeys(found))  # a statement of three names is one offence


def _upwards(package: Path, room: str, one: Import) -> str:
    """Why this import may not stand in this room, or nothing."""
    first, *rest = one.target.split(".")
    if first != package.name or room == TOP:
        return ""
    target = rest[0] if rest and _is_module(package / rest[0]) else TOP
    if target == room or (target == TOP and rest == ["__version__"]):
        return ""
    if target not in ROOMS or ROOMS.index(target) > ROOMS.index(room):
        return f"{room} may not import {target}, which does not stand before it"
    return ""


def _heavy(package: Path, parts: tuple[str, ...], one: Import) -> str:
    """Why a light module may not load this, or nothing."""
    if not one.at_load or not (parts[0] in LIGHT_ROOMS or parts[-1] in LIGHT_FILES):
        return ""
    name = _reached(package, one.target)
    return f"{'/'.join(parts)}.py must load without {name}; import it inside the function that needs it" if name else ""


@cache
def _reached(package: Path, target: str, seen: frozenset[Path] = frozenset()) -> str:
    """The heavy package that an import ends at, directly or through our own modules; or nothing."""
    first, *rest = target.split(".")
    if first != package.name:
        return first if first in HEAVY else ""
    for end in range(len(rest), 0, -1):
        path = package.joinpath(*rest[:end]).with_suffix(".py")
        if path.is_file():
            break
    else:
        return ""
    if path in seen:
        return ""
    below = (one for one in imports_of(path, ".".join([first, *rest[: end - 1]])) if one.at_load)
    return next((name for one in below if (name := _reached(package, one.target, seen | {path}))), "")


def _is_module(path: Path) -> bool:
    return path.is_dir() or path.with_suffix(".py").is_file()


def test_imports_point_downwards() -> None:
    assert offences(PACKAGE) == [], "\n" + "\n".join(offences(PACKAGE))


def test_the_ladder_has_a_rung_for_every_room_and_no_other() -> None:
    rooms = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    assert rooms | {path.stem for path in PACKAGE.glob("*.py")} - {TOP} == set(ROOMS)


@pytest.mark.parametrize(
    "place, text, expected",
    [
        ("primitives/a.py", "from gendeg.build import b", "primitives may not import build"),
        ("primitives/a.py", "def f():\n    import gendeg.build.b", "primitives/a.py:2: primitives may not import"),
        ("primitives/a.py", "from ..build import b", "primitives may not import build"),
        ("primitives/a.py", "from .. import build", "primitives may not import build"),
        ("model/a.py", "from gendeg.build.b import c", "model may not import build, which does not stand before it"),
        ("physics/a.py", "import gendeg", "physics may not import __init__"),
        ("primitives/a.py", "import torch.nn", "primitives/a.py must load without torch"),
        ("cli/a.py", "try:\n    import diffusers\nexcept ImportError: pass", "cli/a.py must load without diffusers"),
        ("build/command.py", "import torch", "build/command.py must load without torch"),
        ("build/command.py", "from gendeg.build.b import work", "build/command.py must load without torch"),
        ("build/config.py", "from gendeg.model import heavy", "build/config.py must load without torch"),
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
        ("build/a.py", "from gendeg.physics import haze\nfrom gendeg import __version__\nimport torch"),
        ("build/command.py", "def f():\n    from gendeg.build.b import work"),
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
    for room in ("primitives", "build", "physics", "model", "cli"):
        (package / room).mkdir(parents=True)
        (package / room / "__init__.py").touch()
    (package / "build" / "b.py").write_text("from gendeg.model.heavy import weigh\n")
    (package / "model" / "heavy.py").write_text("import torch\n")
    return package


def test_no_folder_of_tests_is_passed_over(pytestconfig: pytest.Config) -> None:
    """pytest leaves out folders by name, by default all that are called build."""
    folders = {path.parent.name for path in Path(__file__).parent.rglob("test_*.py")}
    skipped = pytestconfig.getini("norecursedirs")
    assert "build" in folders and not [name for name in folders for one in skipped if fnmatch(name, one)]
