"""gendeg pairs"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gendeg.pairs.config import CaptionConfig, IngestConfig, SimulateConfig
from gendeg.primitives.errors import BadOption
from gendeg.primitives.exits import ERROR, SOME_FAILED
from gendeg.primitives.options import command

if TYPE_CHECKING:
    from gendeg.pairs.caption import Captions

MOST_MESSAGES = 20

app = typer.Typer(no_args_is_help=True, help="Make and look at (clean, degraded) pairs.")


@app.command(epilog="Example: gendeg pairs simulate photos/ --out pairs/ --types all --per-image 4")
@command(SimulateConfig)
def simulate(config: SimulateConfig) -> int:
    """Degrade photos by simple physics: pairs to train on, with their measured mu and sigma."""
    from gendeg.pairs.simulate import simulate as run

    made = run(config)
    for failure in made.failures:
        print(f"gendeg: {failure.message}", file=sys.stderr)
    print(f"{len(made.pairs)} pairs in {made.manifest}", file=sys.stderr)
    return (SOME_FAILED if made.pairs else ERROR) if made.failures else 0


@app.command(epilog="Example: gendeg pairs ingest /data/Rain13K --source rain13k --out pairs/rain13k")
@command(IngestConfig)
def ingest(config: IngestConfig) -> int:
    """Check pairs that exist already, and list the good ones: two folders, known datasets, tars, hub datasets."""
    from gendeg.pairs.ingest import ingest as run

    made = run(config)
    print(f"{len(made.pairs)} pairs in {made.manifest}", file=sys.stderr)
    for reason, count in made.reasons.items():
        print(f"gendeg: {count} kept out: {reason}", file=sys.stderr)
    if made.failures:
        print(f"gendeg: each is named in {config.out / 'failures.jsonl'}", file=sys.stderr)
    return SOME_FAILED if made.failures else 0


@app.command(epilog="Example: gendeg pairs caption pairs/manifest.jsonl")
@command(CaptionConfig)
def caption(config: CaptionConfig) -> int:
    """Say what the clean photos show, with BLIP-2 or another model, so that training and building read it."""
    from gendeg.pairs.caption import caption_manifests, caption_photos

    _refuse_photos_without_table(config)
    made = caption_photos(config, config.out) if config.out else caption_manifests(config)
    return _tell_captions(made, config.model)


@app.command(epilog="Example: gendeg pairs show pairs/manifest.jsonl")
def show(
    manifest: Annotated[Path, typer.Argument(help="A pair manifest.")],
    sheet: Annotated[
        Path | None, typer.Option(help="Where the contact sheet goes; default: beside the manifest.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace another picture there.")] = False,
) -> None:
    """Print counts and quantiles of mu and sigma per degradation and source, and draw a contact sheet."""
    from gendeg.pairs.show import show_pairs

    target = sheet or manifest.with_name("sheet.png")
    print(show_pairs(manifest, target, overwrite))
    print(f"look at {target}", file=sys.stderr)


def _refuse_photos_without_table(config: CaptionConfig) -> None:
    for path in config.paths:
        if config.out is None and Path(path).exists() and Path(path).suffix.lower() != ".jsonl":
            raise BadOption(
                "--out", f"{path} is no pair manifest; captions of photos go to a table: --out captions.jsonl"
            )


def _tell_captions(made: "Captions", model: str) -> int:
    """Counts on stderr. Photos that were left without words are an error, unless no model was asked for."""
    left = sum(made.left.values())
    counts = [made.counts.get(name, 0) for name in ("captioned", "cached", "kept")]
    print("{} captioned ({} photos), {} from the cache, {} had a caption, {} left as they were".format(
        counts[0], made.photos, *counts[1:], left), file=sys.stderr)  # fmt: skip
    for message in made.messages[:MOST_MESSAGES]:
        print(f"gendeg: {message}", file=sys.stderr)
    for reason, count in sorted(made.left.items()):
        print(f"gendeg: {count} left: {reason}", file=sys.stderr)
    for path in made.written:
        print(f"written: {path}", file=sys.stderr)
    return SOME_FAILED if left and model != "none" else 0
