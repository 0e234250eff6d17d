"""gendeg pairs"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gendeg.cli.errors import ERROR, SOME_FAILED
from gendeg.configs import CaptionConfig, IngestConfig, SimulateConfig
from gendeg.primitives.errors import BadOption
from gendeg.primitives.kinds import parse_mixes

if TYPE_CHECKING:
    from gendeg.jobs.caption_pairs import Captions

MOST_MESSAGES = 20

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


@app.command(epilog="Example: gendeg pairs caption pairs/manifest.jsonl")
def caption(
    paths: Annotated[list[str], typer.Argument(help="Pair manifests; with --out: clean photos, or folders of them.")],
    out: Annotated[Path | None, typer.Option(help="For photos: a table (.jsonl) that gendeg build reads.")] = None,
    model: Annotated[
        str, typer.Option(help="An image-to-text model: folder or hub id; none: only the fallback.")
    ] = CaptionConfig.model,
    prompt: Annotated[
        str | None, typer.Option(help="How captions begin, or what a chat model is asked; '' for nothing.")
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Photos at a time.")] = CaptionConfig.batch_size,
    beams: Annotated[
        int, typer.Option(min=1, help="Beam search; 1 is faster and a little plainer.")
    ] = CaptionConfig.beams,
    tokens: Annotated[int, typer.Option(min=1, help="Longest caption.")] = CaptionConfig.tokens,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, mps.")] = "auto",
    cache: Annotated[Path | None, typer.Option(help="Where captions are kept; default: ~/.cache/gendeg.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Threads that read photos.")] = CaptionConfig.workers,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace captions, or a table, there already.")
    ] = False,
) -> int:
    """Say what the clean photos show, with BLIP-2 or another model, so that training and building read it."""
    from gendeg.jobs.caption_pairs import caption_manifests, caption_photos

    config = CaptionConfig(
        tuple(paths), out, model, prompt, batch_size, beams, tokens, device, cache, workers, overwrite
    )
    _refuse_photos_without_table(config)
    made = caption_photos(config, out) if out else caption_manifests(config)
    return _tell_captions(made, model)


@app.command(epilog="Example: gendeg pairs show pairs/manifest.jsonl")
def show(
    manifest: Annotated[Path, typer.Argument(help="A pair manifest.")],
    sheet: Annotated[
        Path | None, typer.Option(help="Where the contact sheet goes; default: beside the manifest.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace another picture there.")] = False,
) -> None:
    """Print counts and quantiles of mu and sigma per degradation and source, and draw a contact sheet."""
    from gendeg.jobs.show_pairs import show_pairs

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
