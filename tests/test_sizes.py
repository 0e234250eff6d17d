"""The shape of the house: folders one can take in at a glance, names said once, tests that lie where the code lies."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CODE = ("gendeg", "tests", "benchmarks")
MOST_FILES = 25  # of a folder
NOT_ROOMS = {"golden", "slow"}


def crowded(package: Path) -> list[str]:
    """Folders of more modules than one takes in, one line each."""
    counts = {path.parent: len(list(path.parent.glob("[!_]*.py"))) for path in package.rglob("*.py")}
    return [
        f"{folder.relative_to(package.parent)}: {count} files, most {MOST_FILES}; two ideas live here"
        for folder, count in sorted(counts.items())
        if count > MOST_FILES
    ]


def said_twice(package: Path) -> list[str]:
    """Files that carry their folder's name as a prefix: `study/study_page.py` is `study/page.py`."""
    return [
        str(path.relative_to(package.parent))
        for path in sorted(package.rglob("*.py"))
        if path.stem.startswith(f"{path.parent.name}_")
    ]


def test_no_folder_is_crowded() -> None:
    assert crowded(ROOT / "gendeg") == []


def test_no_name_is_said_twice() -> None:
    assert said_twice(ROOT / "gendeg") == []


@pytest.mark.parametrize("names, expected", [(["page.py"], 0), (["study_page.py"], 1), (["studying.py"], 0)])
def test_a_prefix_is_seen(tmp_path: Path, names: list[str], expected: int) -> None:
    (tmp_path / "study").mkdir()
    for name in names:
        (tmp_path / "study" / name).touch()
    assert len(said_twice(tmp_path)) == expected


@pytest.mark.parametrize("files, expected", [(MOST_FILES, 0), (MOST_FILES + 1, 1)])
def test_a_crowd_is_seen(tmp_path: Path, files: int, expected: int) -> None:
    for number in range(files):
        (tmp_path / f"a{number}.py").touch()
    assert len(crowded(tmp_path)) == expected


def test_every_file_says_what_it_does() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for folder in CODE
        for path in sorted((ROOT / folder).rglob("*.py"))
        if path.stat().st_size and not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert silent == [], "without a docstring on the first line"


def test_tests_mirror_the_rooms() -> None:
    rooms = {path.name for path in (ROOT / "gendeg").iterdir() if path.is_dir()}
    folders = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir() and not path.name.startswith("_")}
    assert folders - rooms - NOT_ROOMS == set()
