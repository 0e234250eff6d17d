"""gendeg curate"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from gendeg.cli.errors import SOME_FAILED
from gendeg.configs import CurateConfig

EXAMPLE = "Example: gendeg curate pairs/manifest.jsonl gends/ --out curated.jsonl --samples 2000 --backgrounds 200"


def curate(
    data: Annotated[list[Path], typer.Argument(help="Pair manifests, and datasets that gendeg build made.")],
    out: Annotated[Path, typer.Option(help="The manifest of what is chosen (.jsonl).")],
    samples: Annotated[int, typer.Option(min=0, help="At most, shared among the degradations; 0: all.")] = 0,
    backgrounds: Annotated[int, typer.Option(min=0, help="Clean photos of each degradation, at most; 0: all.")] = 0,
    simplest: Annotated[float, typer.Option(help="Share of the photos, by simplicity, to choose from.")] = 1.0,
    balance: Annotated[
        bool, typer.Option("--balance", help="As many backgrounds as leave the degradations more to learn.")
    ] = False,
    range: Annotated[
        list[str] | None,
        typer.Option(help="mu=0.02:0.3; also sigma, density, width, length, direction, background, layer."),
    ] = None,
    split: Annotated[str, typer.Option(help="That is chosen from; others are kept as they are.")] = "train",
    autoencoder_steps: Annotated[int, typer.Option(min=0, help="Of the fourth measure; 0: without it.")] = 300,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same choice.")] = 0,
    workers: Annotated[int, typer.Option(min=0, help="Processes; 0: one per core.")] = 0,
    measures: Annotated[
        Path | None, typer.Option(help="Where measurements are kept for the next choice; default: beside --out.")
    ] = None,
    copy: Annotated[
        bool, typer.Option("--copy", help="Copy the images of manifests too; a dataset's always are.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a manifest that exists.")] = False,
) -> int:
    """Measure how complex backgrounds and degradations are, and choose pairs whose degradation is the harder half.

    Restorers learn whichever half is simpler (arXiv 2502.12600): few and simple backgrounds under varied degradations
    generalise better. Pairs out of a dataset are written beside the manifest as images: mind the size.
    """
    from gendeg.jobs.curate import curate as run
    from gendeg.jobs.curate import say

    config = CurateConfig(
        tuple(data), out, samples, backgrounds, simplest, balance, tuple(range or ()), split, autoencoder_steps, seed,
        workers, measures, copy, overwrite,
    )  # fmt: skip
    curated = run(config)
    table, talk = say(curated)
    print(table)
    for line in talk:
        print(line, file=sys.stderr)
    return SOME_FAILED if curated.bad else 0
