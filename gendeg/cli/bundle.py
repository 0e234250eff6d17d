"""gendeg bundle"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from gendeg.cli.errors import SOME_FAILED

EXAMPLE = "Example: gendeg bundle photos/ --recipe manifests/recipes/bundled.toml --out runs/bundled"


def bundle(
    clean: Annotated[list[Path], typer.Argument(help="Clean photos, folders of them, or a .txt list of paths.")],
    recipe: Annotated[Path, typer.Option(help="What to make, step by step.")],
    out: Annotated[Path, typer.Option(help="Folder for every step's results; the same command again goes on.")],
    install: Annotated[
        bool, typer.Option("--install", help="Put the model and its priors into this checkout.")
    ] = False,
) -> int:
    """Make a model from nothing but clean photos: simulate, train three networks, fit priors, export."""
    from gendeg.jobs.bundle import run_recipe

    model = run_recipe(tuple(clean), recipe, out, install)
    failures = out / "pairs" / "failures.jsonl"
    print(f"model in {model}; try it: gendeg synth --model {model}", file=sys.stderr)
    if failures.exists():
        print(f"some photos could not be read: {failures}", file=sys.stderr)
    return SOME_FAILED if failures.exists() else 0
