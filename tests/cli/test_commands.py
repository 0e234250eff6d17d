"""The command line from outside: help, exit codes, one-line errors."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from gendeg.cli.app import BUILD, MAKE, PANELS, RESTORE, app
from tests.pages import wrong_with


def run(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "gendeg", *arguments], capture_output=True, text=True, cwd=cwd)


def commands() -> list[str]:
    """Every command, with its group: `synth`, `pairs simulate` …"""

    def walk(command: object, name: str) -> list[str]:
        children = getattr(command, "commands", None)
        if children is None:
            return [name]
        return [leaf for key, child in children.items() for leaf in walk(child, f"{name} {key}".strip())]

    return walk(typer.main.get_command(app), "")


def test_help_imports_neither_torch_nor_diffusers() -> None:
    code = (
        "import sys\n"
        "sys.argv = ['gendeg', '--help']\n"
        "from gendeg.cli import main\n"
        "try:\n    main()\n"
        "except SystemExit as stop:\n    assert not stop.code, stop.code\n"
        "heavy = {'torch', 'diffusers', 'transformers', 'datasets', 'accelerate'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "synth" in done.stdout


def test_alone_it_says_three_commands_and_not_a_wall() -> None:
    done = run()
    lines = [line for line in done.stdout.splitlines() if line.startswith("  gendeg ")]
    assert done.returncode == 0 and done.stderr == "" and len(lines) == 3 and len(done.stdout.splitlines()) < 10
    assert all(wrong_with(line.split("  ")[1]) == "" for line in lines)


def test_help_lists_every_command_by_what_one_wants() -> None:
    shown = run("--help").stdout
    places = [shown.index(f"─ {panel} ─") for panel in PANELS]
    assert places == sorted(places)
    parts = [shown[begin:end] for begin, end in zip(places, [*places[1:], len(shown)], strict=True)]
    between = dict(zip(PANELS, parts, strict=True))
    assert "│ synth" in between[MAKE] and "│ verify" in between[BUILD] and "│ restore" in between[RESTORE]
    assert len(re.findall(r"^│ [a-z]+ ", shown, re.M)) == len(typer.main.get_command(app).commands)


@pytest.mark.parametrize("command", commands())
def test_every_command_has_help_with_an_example(command: str) -> None:
    from typer.testing import CliRunner

    shown = CliRunner().invoke(app, [*command.split(), "--help"], terminal_width=200)
    assert shown.exit_code == 0
    assert f"gendeg {command}" in " ".join(shown.output.split()), "no example"
    assert typer.main.get_command(app) is not None


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["synth", "--type", "fog"], 2, "mean haze? Choose from haze, rain, snow, motion_blur, low_light, raindrop"),
        (["synth", "--type", "grain+haze"], 2, "unknown degradation 'grain'; did you mean rain?"),
        (["build", "x", "--out", "y", "--types", "dark"], 2, "did you mean low_light?"),
        (["pairs", "ingest", "x", "--out", "y", "--type", "blur"], 2, "did you mean motion_blur?"),
        (["train", "distill", "--pairs", "x", "--out", "y", "--types", "drops"], 2, "did you mean raindrop?"),
        (["synth", "--type", "haze+haze"], 2, "haze twice"),
        (["synth", "--type", "haze+rain+snow+low-light"], 2, "two or three"),
        (["synth", "--type", "haze=1.4"], 2, "'haze=1.4': an intensity must lie in [0, 1], got 1.4"),
        (["synth", "--type", "haze=x"], 2, "not a number"),
        (["synth", "--intensity", "1.2"], 2, "[0, 1]"),
        (["synth", "--intensity", "nan"], 2, "finite"),
        (["synth", "--intensity", "strong"], 2, "not a number"),
        (["synth", "--mu", "0.8", "--dry-run"], 2, "[0, 0.7]"),
        (["synth", "--mu", "nan", "--dry-run"], 2, "finite number"),
        (["synth", "--mu", "0.1", "--sigma", "0.5", "--dry-run"], 2, "[0, 0.4]"),
        (["synth", "--sigma", "0.1"], 2, "--mu"),
        (["synth", "--like", "x.jpg", "--intensity", "0.5"], 2, "--intensity: does not go with --like"),
        (["synth", "--like", "x.jpg", "--mu", "0.1"], 2, "does not go with --mu"),
        (["synth", "--like", "x.jpg", "--type", "rain+haze"], 2, "one of haze, rain"),
        (["synth", "--estimator", "x.safetensors"], 2, "goes with --like"),
        (["synth", "--like", "no/such/photo.jpg"], 1, "no such file or folder"),
        (["synth", "--guidance-text", "nan"], 2, "finite number"),
        (["synth", "--no-such-option"], 2, "No such option: --no-such-option"),
        (["synth", "--variants", "0"], 2, "gendeg synth --help"),
        (["sint"], 2, "gendeg --help"),
        (["synth", "no/such/photo.jpg"], 1, "no such file or folder"),
        (["synth", ".", "--dry-run"], 1, "no images"),
        (["synth", "--model", "no/such/model/here"], 1, "no such model folder"),
        (["train", "unet", "--pairs", "x", "--out", "y"], 2, "gendeg train --help"),
        (["train", "distill", "--preset", "paper", "--pairs", ".", "--out", "y"], 2, "paper has nothing for distill"),
        (["train", "diffusion", "--pairs", ".", "--out", "y"], 2, "--init"),
        (["train", "structure", "--pairs", ".", "--out", "y"], 2, "trained autoencoder"),
        (["train", "autoencoder", "--pairs", ".", "--vae", "z", "--out", "y"], 2, "--init"),
        (["train", "diffusion", "--pairs", ".", "--init", "z", "--residual", "--out", "y"], 2, "structure only"),
        (["train", "autoencoder", "--pairs", "none.jsonl", "--out", "y"], 1, "no such file"),
        (["train", "diffusion", "--pairs", ".", "--init", "z", "--types", "haze", "--out", "y"], 2, "--clean"),
        (["train", "autoencoder", "--pairs", ".", "--weights", "rain=2", "--out", "y"], 2, "--clean"),
        (["train", "structure", "--pairs", ".", "--vae", "z", "--clean", ".", "--out", "y"], 2, "and diffusion only"),
        (["pairs", "show", "none.jsonl"], 1, "no such file"),
        (["pairs", "simulate", "none", "--out", "x"], 1, "no such file"),
        (["pairs", "caption", "none.jsonl"], 1, "no such file"),
        (["pairs", "caption", "."], 2, "--out captions.jsonl"),
        (["pairs", "caption", ".", "--out", "x.csv"], 2, "must end in .jsonl"),
        (["priors", "import", "none", "--out", "x"], 1, "no such file"),
        (["priors", "show", "--plot", "x.jpg"], 2, "must end in .png"),
        (["evaluate", "--clean", "none", "--out", "x"], 1, "no such file"),
        (["evaluate", "--clean", "none", "--out", "x", "--intensity", "2"], 2, "[0, 1]"),
        (["calibrate", "--clean", "none", "--out", "x"], 1, "no such file"),
        (["calibrate", "user/name", "--clean", ".", "--out", "x"], 1, "model's folder"),
        (["bundle", "none", "--recipe", "none.toml", "--out", "x"], 1, "no such file"),
    ],
)
def test_bad_input_is_one_clear_line_and_an_exit_code(
    tmp_path: Path, arguments: list[str], code: int, says: str
) -> None:
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1


def options_of(command: str) -> list[str]:
    found = typer.main.get_command(app)
    for word in command.split():
        found = found.commands.get(command) or found.commands[word] if hasattr(found, "commands") else found
    return [option for one in found.params for option in one.opts]


TYPED = [name for name in commands() if {"--type", "--types"} & set(options_of(name))]


def test_the_commands_that_take_types() -> None:
    assert {"synth", "build", "plan", "train", "train distill", "pairs ingest", "evaluate gap"} <= set(TYPED)


@pytest.mark.parametrize("command", TYPED)
@pytest.mark.parametrize("option", ["--type", "--types"])
def test_type_and_types_are_one_option_and_the_help_shows_one(command: str, option: str) -> None:
    from typer.testing import CliRunner

    assert len({"--type", "--types"} & set(options_of(command))) == 1
    told = CliRunner().invoke(app, [*command.split(), f"{option}=haze", "--no-such-option"])
    assert "No such option: --no-such-option" in told.output and "--type" not in told.output.partition("(")[0]


REFUSED = [
    (["synth", "none.jpg"], "no such file or folder"), (["synth", "--out", "file/x"], "Not a directory"),
    (["synth", "--out", "file"], "cannot be written"), (["synth", "run", "--dry-run"], "no photo in it"),
    (["synth", "--model", "run"], "did you mean run/model?"), (["synth", "--model", "none"], "no such model folder"),
    (["synth", "--model", "physics", "--steps", "3"], "goes with a network"),
    (["synth", "--like", "none.jpg"], "no such file"), (["synth", "--like", "file", "--estimator", "none"], "no such"),
    (["play", "--model", "run"], "did you mean run/model?"), (["play", "--port", "{port}"], "choose another --port"),
    (["build", "none", "--out", "x"], "no such file"), (["build", ".", "--out", "x", "--split", "x"], "--split"),
    (["build", ".", "--out", "x", "--model", "run"], "did you mean run/model?"),
    (["build", ".", "--out", "file/x"], "cannot be written"), (["plan", ".", "--out", "x", "--types", "x"], "unknown"),
    (["evaluate", "run", "--clean", ".", "--out", "x"], "did you mean run/model?"),
    (["calibrate", "run", "--clean", ".", "--out", "x"], "did you mean run/model?"),
    (["train", "distill", "--model", "run", "--pairs", ".", "--out", "x"], "did you mean run/model?"),
    (["train", "diffusion", "--init", "bundled", "--pairs", ".", "--out", "x", "--short-side", "64"], "--size 128"),
    (["train", "structure", "--model", "run", "--pairs", ".", "--out", "x"], "did you mean run/model?"),
    (["train", "diffusion", "--init", "run", "--pairs", ".", "--out", "x"], "did you mean run/model?"),
    (["train", "diffusion", "--init", "bundled", "--pairs", "none", "--out", "x"], "no such file"),
    (["restore", "eval", "run", "--pairs", "none", "--out", "x"], "no such file"),
]  # fmt: skip


def test_what_can_be_refused_without_torch_is(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "run/model").mkdir(parents=True)
    (tmp_path / "run/model/model_index.json").write_text("{}")
    code = (
        "import sys, contextlib, io, json, socket\n"
        "from gendeg.cli import main\n"
        "taken = socket.create_server(('127.0.0.1', 0))\n"
        "for arguments, says in json.loads(sys.argv[1]):\n"
        "    arguments = [one.format(port=taken.getsockname()[1]) for one in arguments]\n"
        "    with contextlib.redirect_stderr(io.StringIO()) as told:\n"
        "        try:\n            main(arguments)\n"
        "        except SystemExit as stop:\n            assert stop.code in (1, 2), (arguments, stop.code)\n"
        "    assert says in told.getvalue(), (arguments, told.getvalue())\n"
        "    assert 'torch' not in sys.modules, arguments\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(REFUSED)], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "run"]


@pytest.mark.parametrize("name", ["Physics", "PHYSICS"])
def test_our_own_models_are_known_in_any_case_in_a_dry_run_and_in_earnest(tmp_path: Path, name: str) -> None:
    assert run("synth", "--model", name, "--dry-run", cwd=tmp_path).returncode == 0
    done = run("synth", "--model", name, "--size", "32", "--out", "made", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert {json.loads(line)["model"] for line in done.stdout.splitlines()} == {"physics"}


def test_dry_run_says_what_would_be_made_and_makes_nothing(tmp_path: Path) -> None:
    done = run("synth", "--type", "all", "--intensity", "0.2,0.8", "--variants", "2", "--dry-run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == len(set(lines)) == 2 * 6 * 2 * 2
    assert any("china.motion_blur.i080.s1.png" in line for line in lines)
    assert list(tmp_path.iterdir()) == []
