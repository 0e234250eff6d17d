"""The command line from outside: help, exit codes, one-line errors."""

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
        (["synth", "--type", "fog"], 2, "haze, rain, snow, motion_blur, low_light, raindrop"),
        (["synth", "--type", "fog+haze"], 2, "rain+haze"),
        (["synth", "--type", "haze+haze"], 2, "haze twice"),
        (["synth", "--type", "haze+rain+snow+low-light"], 2, "two or three"),
        (["synth", "--type", "haze=1.4+rain"], 2, "[0, 1]"),
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
        (["train", "diffusion", "--pairs", "x", "--out", "y"], 2, "--init"),
        (["train", "structure", "--pairs", "x", "--out", "y"], 2, "trained autoencoder"),
        (["train", "autoencoder", "--pairs", "x", "--vae", "z", "--out", "y"], 2, "--init"),
        (["train", "diffusion", "--pairs", "x", "--init", "z", "--residual", "--out", "y"], 2, "structure only"),
        (["train", "autoencoder", "--pairs", "none.jsonl", "--out", "y"], 1, "no such file"),
        (["train", "diffusion", "--pairs", "x", "--init", "z", "--types", "haze", "--out", "y"], 2, "--clean"),
        (["train", "autoencoder", "--pairs", "x", "--weights", "rain=2", "--out", "y"], 2, "--clean"),
        (["train", "structure", "--pairs", "x", "--vae", "z", "--clean", "c", "--out", "y"], 2, "and diffusion only"),
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
        (["calibrate", "user/name", "--clean", "none", "--out", "x"], 1, "model's folder"),
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


def test_dry_run_says_what_would_be_made_and_makes_nothing(tmp_path: Path) -> None:
    done = run("synth", "--type", "all", "--intensity", "0.2,0.8", "--variants", "2", "--dry-run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == len(set(lines)) == 2 * 6 * 2 * 2
    assert any("china.motion_blur.i080.s1.png" in line for line in lines)
    assert list(tmp_path.iterdir()) == []
