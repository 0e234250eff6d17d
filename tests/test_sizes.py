"""Loose limits for the sizes of DESIGN.md, section 8, and that the tests lie where the code lies."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LONGEST_FILE = 510  # lines; the aim is 150
LONGEST_FUNCTION = 60  # lines with docstring; the aim is 5 to 20
NOT_ROOMS = {"golden", "slow"}


def too_large(root: Path) -> list[str]:
    """Files and functions below `root` beyond the limits, one line each."""
    found = []
    for path in sorted(root.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        lines = len(text.splitlines())
        if lines > LONGEST_FILE:
            found.append(f"{path.relative_to(root.parent)}: {lines} lines, limit {LONGEST_FILE}; split it by duty")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > LONGEST_FUNCTION:
                    place = f"{path.relative_to(root.parent)}:{node.lineno} {node.name}"
                    found.append(f"{place}: {length} lines, limit {LONGEST_FUNCTION}; name its parts")
    return found


@pytest.mark.parametrize("folder", ["gendeg", "tests", "benchmarks"])
def test_files_and_functions_stay_small(folder: str) -> None:
    assert too_large(ROOT / folder) == [], "\n" + "\n".join(too_large(ROOT / folder))


@pytest.mark.parametrize("lines, expected", [(60, 0), (61, 1), (511, 2)])
def test_limits_are_exact(tmp_path: Path, lines: int, expected: int) -> None:
    (tmp_path / "a.py").write_text("def f():\n" + "    pass\n" * (lines - 1))
    assert len(too_large(tmp_path)) == expected


def test_every_file_says_what_it_does() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for folder in ("gendeg", "tests", "benchmarks")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if path.stat().st_size and not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert silent == [], "without a docstring on the first line"


def test_tests_mirror_the_rooms() -> None:
    rooms = {path.name for path in (ROOT / "gendeg").iterdir() if path.is_dir()}
    folders = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir() and not path.name.startswith("_")}
    assert folders - rooms - NOT_ROOMS == set()
