"""A config's fields as options and as settings: what is given, what is refused, and in which words."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
import typer
from typer.testing import CliRunner

from gendeg.primitives.errors import BadOption
from gendeg.primitives.options import argument, as_setting, command, option


@dataclass(frozen=True)
class Small:
    photos: tuple[Path, ...] = argument(help="Photos.")
    strengths: tuple[float, ...] = option((0.5, 1.0), "How strong.", flag="--strength", min=0, max=1)
    steps: int | None = option(None, "Steps.", min=1)
    format: Literal["", "png", "jpg"] = option("", "Format.")
    also: tuple[str, ...] = option((), "Others.", parse=str.upper)
    fast: bool = option(False, "Fast.")
    exact: bool = option(True, "Exact.")
    hidden: tuple[tuple[int, float], ...] = ()
    shares: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Other(Small):
    steps: int | None = 3
    more: float = option(0.0, "More.")


def run(*arguments: str, configs: tuple[type, ...] = (Small,), given: bool = False) -> tuple[Any, str]:
    """What the command received, or the error; and what it printed."""
    received: list[Any] = []
    app = typer.Typer()
    if given:

        @app.command()
        @command(*configs)
        def one(given: dict[str, Any], last: bool = False) -> None:
            received.append(given)
    else:

        @app.command()
        @command(*configs)
        def two(config: Small) -> None:
            received.append(config)

    shown = CliRunner().invoke(app, arguments, terminal_width=200)
    return (received or [shown.exception])[0], shown.output


def test_a_command_receives_its_config() -> None:
    config, _ = run("a.png", "b", "--strength", "0,.3", "--format", "jpg", "--also", "x", "--also", "y", "--no-exact")
    assert config == Small((Path("a.png"), Path("b")), (0.0, 0.3), None, "jpg", ("X", "Y"), exact=False)
    assert run("a")[0] == Small((Path("a"),))


def test_of_a_preset_only_what_stands_on_the_command_line_is_changed() -> None:
    assert run("a", given=True)[0] == {"photos": (Path("a"),)}
    both = (Small, Other)
    assert run("a", "--no-fast", "--more", "0", "--strength", "0", "--format", "png", configs=both, given=True)[0] == {
        "photos": (Path("a"),), "strengths": (0.0,), "format": "png", "fast": False, "more": 0.0
    }  # fmt: skip


def test_help_has_ranges_and_defaults_and_another_default_keeps_the_words() -> None:
    shown = run("--help", configs=(Other,))[1]
    for words in ("[default: 0.5,1]", "[x>=1]", "Steps. [default: 3]", "<png|jpg>", "[default: exact]", "--strength "):
        assert words in shown, words
    assert "--no-fast" not in shown and "hidden" not in shown
    shown = run("--help", configs=(Small, Other), given=True)[1]
    assert "--no-fast" in shown and "[default: 3]" not in shown and "[default: exact]" not in shown


@pytest.mark.parametrize(
    ("text", "says"),
    [("2", r"--strength: must lie in \[0, 1\], got 2"), ("nan", "finite"), ("x,1", "'x' is not a number")],
)
def test_a_bad_list_of_numbers_names_its_option(text: str, says: str) -> None:
    error = run("a", "--strength", text)[0]
    assert isinstance(error, BadOption)
    with pytest.raises(BadOption, match=says):
        raise error


@dataclass(frozen=True)
class Worded:
    count: int = option(0, "How many.", word="auto", min=1)


def test_a_word_stands_for_a_number_that_nobody_names() -> None:
    assert run("--count", "auto", configs=(Worded,))[0].count == 0 == run(configs=(Worded,))[0].count
    assert run("--count", "12", configs=(Worded,))[0].count == 12
    shown = run("--help", configs=(Worded,))[1]
    assert "INTEGER|auto" in shown and "[default: auto]" in shown
    for text, says in (("0", "or more"), ("some", "neither a whole number nor auto")):
        assert says in run("--count", text, configs=(Worded,))[1]


@pytest.mark.parametrize("text", ["nan", "inf", "-inf"])
def test_a_number_is_finite(text: str) -> None:
    error = run("a", f"--more={text}", configs=(Other,))[0]
    assert isinstance(error, BadOption) and "--more" in str(error) and "finite" in str(error)
    assert run("a", "--more=-1e9", configs=(Other,))[0].more == -1e9


@pytest.mark.parametrize(
    ("name", "value", "held"),
    [
        ("photos", ["a"], (Path("a"),)), ("strengths", [0, 0.5], (0, 0.5)), ("steps", 2, 2), ("format", "", ""),
        ("hidden", [[1, 2.0]], ((1, 2.0),)), ("fast", True, True), ("shares", {"a": 0.5}, {"a": 0.5}),
    ],
)  # fmt: skip
def test_a_setting_is_held_as_its_field_says(name: str, value: object, held: object) -> None:
    assert as_setting(Other, name, value) == held


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("photos", "a", "must be a list"), ("photos", [1], "must be a path, not 1"),
        ("strengths", [2], r"lie in \[0, 1\]"),
        ("steps", "many", "must be a whole number, not 'many'"), ("steps", 2.0, "whole"), ("steps", True, "whole"),
        ("steps", 0, "must be 1 or more, got 0"), ("format", "gif", "must be one of png, jpg, not 'gif'"),
        ("fast", 1, "must be true or false"), ("more", "x", "must be a number"), ("more", float("nan"), "finite"),
        ("shares", [1], "must be a table"), ("shares", {"a": "b"}, "must be a number"),
        ("hidden", [[1]], "must be a list of 2"), ("hidden", 3, "must be a list, not 3"),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_refused(name: str, value: object, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        as_setting(Other, name, value)
