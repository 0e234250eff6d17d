"""gendeg bundle"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from gendeg.cli.errors import SOME_FAILED

EXAMPLE = "Example: gendeg bundle photos/ --recipe manifests/recipes/bundled.toml --out runs/bundled --minutes 60"


def bundle(
    clean: Annotated[list[Path], typer.Argument(help="Clean photos, folders of them, or a .txt list of paths.")],
    recipe: Annotated[Path, typer.Option(help="What to make, step by step.")],
    out: Annotated[Path, typer.Option(help="Folder for every step's results; the same command again goes on.")],
    minutes: Annotated[
        float, typer.Option(min=0, help="Fit the steps to this time on this machine; 0: as many as the recipe says.")
    ] = 0.0,
    pairs: Annotated[
        list[Path] | None, typer.Option(help="Manifest of real pairs to learn from too; may be given several times.")
    ] = None,
    weights: Annotated[str, typer.Option(help="Draw kinds or sources more often, beside the recipe's: gopro=2.")] = "",
    init: Annotated[str, typer.Option(help="Start from the weights of: bundled, or a model's folder.")] = "",
    install: Annotated[
        bool, typer.Option("--install", help="Put the model and its priors into this checkout.")
    ] = False,
) -> int:
    """Make a model from nothing but clean photos: train on pairs simulated meanwhile, fit priors, export."""
    from gendeg.configs import BundleConfig
    from gendeg.jobs.bundle import make_bundle

    model = make_bundle(BundleConfig(tuple(clean), recipe, out, minutes, tuple(pairs or ()), weights, init, install))
    failures = out / "photos" / "failures.jsonl"
    sheets = sorted((out / "diffusion").glob("sheet-*.png"))
    print(f"model in {model}, its sheet {sheets[-1]}; try it: gendeg synth --model {model}", file=sys.stderr)
    if failures.exists():
        print(f"some photos could not be read: {failures}", file=sys.stderr)
    return SOME_FAILED if failures.exists() else 0
