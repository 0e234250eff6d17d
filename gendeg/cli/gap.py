"""gendeg evaluate gap"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from gendeg.cli.errors import SOME_FAILED
from gendeg.configs import GapConfig
from gendeg.primitives.errors import BadOption

EXAMPLE = (
    "Example: gendeg evaluate gap --synthetic gends/ --also simulators=pairs/manifest.jsonl --real real/ --out runs/gap"
)


def gap(
    synthetic: Annotated[
        Path, typer.Option(help="A pair manifest, a dataset, or degraded images (haze/ …; gendeg synth's --out).")
    ],
    real: Annotated[
        Path, typer.Option(help="Real degraded photos: a folder each (haze/ …), or a .csv with degradation.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for gap.json and gap.html.")] = GapConfig.out,
    also: Annotated[
        list[str] | None, typer.Option(help="NAME=PLACE: up to three others beside it, as --synthetic.")
    ] = None,
    split: Annotated[str, typer.Option(help="Rows of a .csv that names splits.")] = GapConfig.split,
    type: Annotated[str, typer.Option(help="The degradation of folders that do not tell.")] = "",
    size: Annotated[int, typer.Option(min=64, help="Short side in pixels that all are brought to.")] = GapConfig.size,
    most: Annotated[int, typer.Option(min=0, help="Images of each set and degradation; 0: all.")] = GapConfig.most,
    draws: Annotated[int, typer.Option(min=1, help="Of the bootstrap.")] = GapConfig.draws,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same numbers.")] = 0,
    workers: Annotated[int, typer.Option(min=0, help="Threads; 0: one per core.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a gap.json that exists.")] = False,
) -> int:
    """Measure how far degraded images are from real ones: gradients, local contrast, frequencies, colours.

    Real photos have no clean half, so the degradation layer is estimated the same way on all sides (arXiv 2208.13133).
    One half of the real photos against the other is the scale.
    """
    others = tuple(_named(text) for text in also or ())
    from gendeg.jobs.gap import gap as run
    from gendeg.jobs.gap import tabulate

    config = GapConfig(synthetic, real, out, others, split, type, size, most, draws, seed, workers, overwrite)
    results = run(config)
    print(tabulate(results))
    for line in results["notes"]:
        print(f"gendeg: {line}", file=sys.stderr)
    print(f"open {out / 'gap.html'}; numbers in {out / 'gap.json'}", file=sys.stderr)
    return SOME_FAILED if results["failures"] else 0


def _named(text: str) -> tuple[str, Path]:
    name, equals, place = text.partition("=")
    if not name.strip() or not equals or not place:
        raise BadOption("--also", f"'{text}': write NAME=PLACE, such as simulators=pairs/manifest.jsonl")
    return name.strip(), Path(place)
