"""gendeg priors"""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from gendeg.configs import ImportPriorsConfig
from gendeg.primitives.options import command

app = typer.Typer(no_args_is_help=True, help="What intensity means: p(mu) and p(sigma | mu) of each degradation.")


@app.command(epilog="Example: gendeg priors fit pairs/manifest.jsonl --out my-priors/")
@command(ImportPriorsConfig, only=("out", "overwrite"))
def fit(manifests: Annotated[list[Path], typer.Argument(help="Pair manifests.")], given: dict[str, Any]) -> None:
    """Count the pairs of each degradation and source by mu and sigma."""
    from gendeg.jobs.fit_priors import fit_priors

    written = fit_priors(tuple(manifests), **given)
    print(f"{len(written)} priors in {given['out']}", file=sys.stderr)


@app.command("import", epilog="Example: gendeg priors import GenDeg/data/ --out my-priors/")
@command(ImportPriorsConfig)
def import_(config: ImportPriorsConfig) -> None:
    """Turn the authors' JSON histograms into priors, and compare their means with the published ones."""
    from gendeg.jobs.import_priors import import_priors

    made = import_priors(config)
    print(made.table)
    for line in made.warnings:
        print(f"gendeg: {line}", file=sys.stderr)
    print(f"{len(made.written)} priors in {config.out}", file=sys.stderr)


@app.command(epilog="Example: gendeg priors show my-priors/ --plot priors.png")
def show(
    folder: Annotated[Path | None, typer.Argument(help="A folder of priors; default: those that come along.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw p(mu) and sigma given mu: a .png, .svg or .pdf.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace another picture at --plot.")] = False,
) -> None:
    """Print mu and sigma at a few intensities, per degradation; draw the distributions."""
    from gendeg.jobs.fit_priors import plot_priors, tabulate_priors

    if plot:
        plot_priors(folder, plot, overwrite)
        print(f"look at {plot}", file=sys.stderr)
    print(tabulate_priors(folder))
