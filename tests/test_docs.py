"""What the pages say can be typed: commands, options and imports exist, links and anchors lead somewhere."""

import re
from pathlib import Path

import pytest
import typer
import yaml

import gendeg
from gendeg.cli.app import app
from tests.pages import (
    PYTHON,
    ROOT,
    broken_links,
    has,
    known_options,
    leaves,
    lines_of,
    read,
    wrong_with,
    wrong_with_python,
)

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_command_of_a_page_is_understood(path: Path) -> None:
    page = read(path.read_text(encoding="utf-8"))
    wrong = {line: why for line in lines_of(page) if (why := wrong_with(line))}
    assert not wrong


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_options_and_names_in_the_text_exist(path: Path) -> None:
    page, known = read(path.read_text(encoding="utf-8")), known_options()
    spans = re.findall(r"`([^`\n]+)`", page.prose)
    spans = [
        span for span in spans if not re.match(r"(accelerate|torchrun|pip|python|uvx|pipx|docker|tensorboard)\b", span)
    ]
    wrong = [word for span in spans for word in re.findall(r"(?<!\S)--[a-z][a-z-]*", span) if word not in known]
    wrong += [span for span in spans if re.fullmatch(r"gendeg(\.\w+)+", span) and not has(span)]
    files = r"(manifests|benchmarks|prompts|docs|tests)/[\w./-]+"
    wrong += [span for span in spans if re.fullmatch(files, span) and not (ROOT / span).exists()]
    assert not wrong


def missing_files(text: str, *folders: Path) -> list[str]:
    """Names such as `build/plan.py` or plan.py in a text that lie in none of these folders."""
    names = re.findall(r"(?<![\w./<*-])(?:[\w-]+/)*[a-z_]\w*\.py\b", text)
    return [name for name in names if not any((folder / name).exists() for folder in folders)]


def test_files_that_contributing_names_are_there() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    names = ("config", "command", "page", "synthesize", "build", "train", "generate", "ask")
    of_any_room = {f"{name}.py" for name in names}
    assert [name for name in missing_files(text, ROOT / "gendeg", ROOT) if name not in of_any_room] == []


def test_files_that_docstrings_name_are_there() -> None:
    wrong = []
    for path in sorted((ROOT / "gendeg").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        said = " ".join(re.findall(r'"""(.*?)"""', text, re.DOTALL) + re.findall(r"#(.*)", text))
        wrong += [f"{path.name}: {name}" for name in missing_files(said, path.parent, ROOT / "gendeg", ROOT)]
    assert wrong == []


@pytest.mark.parametrize("text, expected", [("see `build/plan.py`", 0), ("see build/plans.py", 1)])
def test_a_missing_file_is_seen(text: str, expected: int) -> None:
    assert len(missing_files(text, ROOT / "gendeg")) == expected


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_python_of_a_page_compiles_and_imports_what_exists(path: Path) -> None:
    blocks = [block for block in read(path.read_text(encoding="utf-8")).blocks if block.language == PYTHON]
    wrong = {block.line: found for block in blocks if (found := wrong_with_python(block.text))}
    assert not wrong


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_and_anchors_of_a_page_lead_somewhere(path: Path) -> None:
    assert not broken_links(path.read_text(encoding="utf-8"), path)


@pytest.mark.parametrize("command", [path for path, _ in leaves(typer.main.get_command(app))])
def test_every_command_stands_on_a_page(command: str) -> None:
    lines = [line for path in PAGES for line in lines_of(read(path.read_text(encoding="utf-8")))]
    assert any(f"gendeg {command} " in f"{line} " for line in lines), f"gendeg {command} is on no page"


def test_every_page_opens_with_a_command() -> None:
    for path in sorted((ROOT / "docs").glob("*.md")):
        page = read(path.read_text(encoding="utf-8"))
        assert page.blocks and page.blocks[0].line < 6, f"{path.name} does not open with a command"


def test_the_readme_is_short_and_leads_to_every_page() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 200 and len(text.split()) <= 1800
    linked = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md"))
    missing = [path.name for path in (ROOT / "docs").glob("*.md") if f"](docs/{path.name}" not in linked]
    assert not missing


def test_the_citation_is_of_this_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == gendeg.__version__
    assert f"## {gendeg.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_issue_forms_are_yaml() -> None:
    forms = list((ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml"))
    assert forms and all({"name", "description", "body"} <= set(yaml.safe_load(form.read_text())) for form in forms)


# --- the checks themselves ---


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("gendeg synth photo.jpg --no-such-option", "No such option"),
        ("gendeg sint photo.jpg", "No such command"),
        ("gendeg pairs draw x", "No such command"),
        ("gendeg synth photo.jpg --format bmp", "bmp"),
        ("gendeg synth photo.jpg --variants many", "valid integer"),
        ("gendeg build photos/", "--out"),
        ("accelerate launch -m gendeg build photos/ --oat gends/", "No such option"),
        ("accelerate launch train.py", "starts no gendeg"),
        ("gendeg pairs caption photos/ --out c.jsonl && gendeg build c.jsonl --uot gends/", "No such option"),
        ("make no-such-target", "make has no"),
        ("make study CLAEN=/photos", "CLAEN"),
        ("python benchmarks/none.py", "no such file"),
        ("python benchmarks/samplers.py --wrong 3", "--wrong"),
        ("pip install 'gendeg[none]'", "no extra none"),
        ("gendog synth", "unknown command"),
    ],
)
def test_a_wrong_command_is_seen(line: str, says: str) -> None:
    assert says in wrong_with(line)


@pytest.mark.parametrize(
    "line",
    [
        "gendeg evaluate gap --synthetic gends/ --real real/  # a comment with --no-such-option",
        "gendeg synth photos/ --type all --json | jq .mu",
        "gendeg train diffusion --preset paper ...",
        "PIP_EXTRA_INDEX_URL=https://x make setup",
        "torchrun --nproc_per_node 2 -m gendeg build photos/ --out gends/ --device cpu",
    ],
)
def test_a_right_command_passes(line: str) -> None:
    assert wrong_with(line) == ""


def test_wrong_links_anchors_and_imports_are_seen(tmp_path: Path) -> None:
    (tmp_path / "other.md").write_text("# A *good* heading, here\n\n```bash\n# not a heading\n```\n")
    text = (
        "# Top\n[a](other.md) [b](none.md) [c](other.md#a-good-heading-here) [d](other.md#not-a-heading) [e](#top) "
        "[f](#bottom) [g](https://x.org/none) ![p](none.jpg)\n"
    )
    (tmp_path / "page.md").write_text(text)
    assert broken_links(text, tmp_path / "page.md") == ["none.md", "other.md#not-a-heading", "#bottom", "none.jpg"]
    assert wrong_with_python("from gendeg import load_pipeline, none\nimport nonesuch") == ["gendeg.none", "nonesuch"]
    with pytest.raises(SyntaxError):
        wrong_with_python("pairs = = 1")


def test_blocks_are_told_from_prose() -> None:
    page = read(
        "text\n\n    gendeg synth --out x \\\n        --json\n\n- a list\n    goes on\n\n```bash\ngendeg plan\n```\n"
    )
    assert [block.language for block in page.blocks] == ["", "bash"]
    assert list(lines_of(page)) == ["gendeg synth --out x  --json", "gendeg plan"]
