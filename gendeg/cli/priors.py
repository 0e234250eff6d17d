"""gendeg priors"""

import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="What intensity means: p(mu) and p(sigma | mu) of each degradation.")


@app.command(epilog="Example: gendeg priors fit pairs/manifest.jsonl --out my-priors/")
def fit(
    manifests: Annotated[list[Path], typer.Argument(help="Pair manifests.")],
    out: Annotated[Path, typer.Option(help="Folder for <degradation>/<source>.json.")],
) -> None:
    """Count the pairs of each degradation and source by mu and sigma."""
    from gendeg.jobs.fit_priors import fit_priors

    written = fit_priors(tuple(manifests), out)
    print(f"{len(written)} priors in {out}", file=sys.stderr)


@app.command(epilog="Example: gendeg priors show")
def show(
    folder: Annotated[Path | None, typer.Argument(help="A folder of priors; default: those that come along.")] = None,
) -> None:
    """Print mu and sigma at a few intensities, per degradation."""
    from gendeg.jobs.fit_priors import tabulate_priors

    print(tabulate_priors(folder))
