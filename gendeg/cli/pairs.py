"""gendeg pairs"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from gendeg.cli.errors import ERROR, SOME_FAILED
from gendeg.configs import IngestConfig, SimulateConfig
from gendeg.primitives.kinds import parse_mixes

app = typer.Typer(no_args_is_help=True, help="Make and look at (clean, degraded) pairs.")


@app.command(epilog="Example: gendeg pairs simulate photos/ --out pairs/ --types all --per-image 4")
def simulate(
    clean: Annotated[list[Path], typer.Argument(help="Clean photos, folders of them, or a .txt list of paths.")],
    out: Annotated[Path, typer.Option(help="Folder for clean/, degraded/ and manifest.jsonl.")],
    types: Annotated[str, typer.Option(help="Degradations and mixes in turn: a comma list, or all.")] = "all",
    per_image: Annotated[int, typer.Option(min=1, help="Pairs per photo.")] = 2,
    size: Annotated[int, typer.Option(min=0, help="Side of the square views; 0: whole photos.")] = 256,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same bytes, whatever the number of workers.")] = 0,
    validation: Annotated[float, typer.Option(min=0, max=1, help="Share of photos held out for sheets.")] = 0.05,
    workers: Annotated[int, typer.Option(min=0, help="Processes; 0: one per core.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a manifest that exists.")] = False,
) -> int:
    """Degrade photos by simple physics: pairs to train on, with their measured mu and sigma."""
    parse_mixes(types)
    from gendeg.jobs.simulate import simulate as run

    config = SimulateConfig(tuple(clean), out, types, per_image, size, seed, validation, workers, overwrite)
    made = run(config)
    for failure in made.failures:
        print(f"gendeg: {failure.message}", file=sys.stderr)
    print(f"{len(made.pairs)} pairs in {made.manifest}", file=sys.stderr)
    return (SOME_FAILED if made.pairs else ERROR) if made.failures else 0


@app.command(epilog="Example: gendeg pairs ingest /data/Rain13K --source rain13k --out pairs/rain13k")
def ingest(
    root: Annotated[str, typer.Argument(help="A folder, a tar, or hf:NAME (hub dataset or saved folder).")],
    out: Annotated[Path, typer.Option(help="Folder for manifest.jsonl and failures.jsonl.")],
    source: Annotated[str, typer.Option(help="A published dataset by name; or what to call your own pairs.")] = "",
    type: Annotated[str, typer.Option(help="The degradation, where the source does not tell.")] = "",
    degraded: Annotated[str, typer.Option(help="Folder, pattern {id}_rain, column, or ending of tar members.")] = "",
    clean: Annotated[str, typer.Option(help="The same for the clean half: {id}_clean.")] = "",
    side_by_side: Annotated[str, typer.Option(help="Both halves in one picture: clean-left or clean-right.")] = "",
    split: Annotated[str, typer.Option(help="Shares by clean photo, where the source does not tell.")] = "train=1",
    longest_shift: Annotated[float, typer.Option(min=0, help="Pixels; pairs further apart are kept out.")] = 3.0,
    workers: Annotated[int, typer.Option(min=0, help="Threads; 0: one per core.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a manifest that exists.")] = False,
) -> int:
    """Check pairs that exist already, and list the good ones: two folders, known datasets, tars, hub datasets."""
    from gendeg.jobs.ingest import ingest as run

    config = IngestConfig(
        out, root, source, type, clean, degraded, side_by_side, split, longest_shift, workers, overwrite
    )
    made = run(config)
    print(f"{len(made.pairs)} pairs in {made.manifest}", file=sys.stderr)
    for reason, count in made.reasons.items():
        print(f"gendeg: {count} kept out: {reason}", file=sys.stderr)
    return SOME_FAILED if made.failures else 0


@app.command(epilog="Example: gendeg pairs show pairs/manifest.jsonl")
def show(
    manifest: Annotated[Path, typer.Argument(help="A pair manifest.")],
    sheet: Annotated[
        Path | None, typer.Option(help="Where the contact sheet goes; default: beside the manifest.")
    ] = None,
) -> None:
    """Print counts and quantiles of mu and sigma per degradation and source, and draw a contact sheet."""
    from gendeg.jobs.show_pairs import show_pairs

    target = sheet or manifest.with_name("sheet.png")
    print(show_pairs(manifest, target))
    print(f"look at {target}", file=sys.stderr)
