"""gendeg restore study"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from gendeg.configs import StudyConfig

EXAMPLE = "Example: gendeg restore study --recipe ood --clean photos/ --pairs pairs/manifest.jsonl --out out/study"


def study(
    recipe: Annotated[Path, typer.Option(help="A .toml file, or the name of one in manifests/recipes.")] = Path("ood"),
    out: Annotated[Path, typer.Option(help="Folder of data, runs and page; the same command again goes on.")] = Path(
        "out/study"
    ),
    clean: Annotated[
        str | None, typer.Option(help="Clean photos: a folder, a .txt list, or a .csv with path and split columns.")
    ] = None,
    test_clean: Annotated[
        str | None, typer.Option(help="Other photos to test on; '': rows of split test, or a fifth.")
    ] = None,
    pairs: Annotated[
        list[Path] | None, typer.Option(help="Real pairs: manifests, datasets, or .csv tables; several times.")
    ] = None,
    real: Annotated[str | None, typer.Option(help="Real degraded photos without pairs, for task transfer.")] = None,
    workers: Annotated[int, typer.Option(min=0, help="Trainings at a time; 0: one per core, one on a GPU.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
) -> None:
    """Train restorers with and without generated data, test them in and out of distribution, and write a page."""
    from gendeg.jobs.study import study as run

    done = run(StudyConfig(recipe, out, clean, test_clean, tuple(pairs or ()), real, workers, device))
    claim = done.results["difference"]["claim"]
    gains, met = ", ".join(claim["better"]) or "no degradation", "met" if claim["met"] else "not met"
    print(f"{done.made} trainings made; on unseen sources generated data clearly helps {gains}")
    print(f"(the paper's claim, {claim['wanted']} degradations or more, is {met}; the page has every interval)")
    print(f"open {done.page}", file=sys.stderr)
