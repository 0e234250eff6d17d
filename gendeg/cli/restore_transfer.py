"""gendeg restore transfer"""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from gendeg.configs import TransferConfig
from gendeg.primitives.ranks import world

EXAMPLE = (
    "Example: gendeg restore transfer --pairs pairs/manifest.jsonl --real photos.csv --clean clean/ --type rain "
    "--out runs/transfer"
)


def transfer(
    pairs: Annotated[list[Path], typer.Option(help="Pair manifest or dataset; may be given several times.")],
    real: Annotated[Path, typer.Option(help="Real degraded photos: a folder for each degradation, or a table (.csv).")],
    clean: Annotated[Path, typer.Option(help="Photos without degradation: folder, .txt list, or table.")],
    type: Annotated[str, typer.Option(help="The degradation.")],
    out: Annotated[Path, typer.Option(help="Folder of the run; the same command again goes on there.")],
    share: Annotated[float, typer.Option(help="Of the pairs that fine-tuning may use.")] = TransferConfig.share,
    compare: Annotated[
        bool, typer.Option("--compare", help="Also train without transfer: on that share, and on all pairs.")
    ] = False,
    test: Annotated[
        list[Path] | None, typer.Option(help="Pairs to measure on: split test, or all where none is named.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Repetitions that are compared.")] = TransferConfig.seeds,
    model: Annotated[Literal["nafnet", "swin", "promptir"], typer.Option(help="Network.")] = "nafnet",
    preset: Annotated[Literal["tiny", "paper"], typer.Option(help="Its size.")] = "tiny",
    steps: Annotated[int, typer.Option(min=1, help="Of fine-tuning, in every arm.")] = TransferConfig.steps,
    teacher_steps: Annotated[int, typer.Option(min=1, help="Of each teacher.")] = TransferConfig.teacher_steps,
    distill_steps: Annotated[int, typer.Option(min=1, help="Of the student.")] = TransferConfig.distill_steps,
    batch_size: Annotated[int, typer.Option(min=1, help="Crops a process.")] = TransferConfig.batch_size,
    size: Annotated[int, typer.Option(min=16, help="Side of the crops in pixels.")] = TransferConfig.size,
    short_side: Annotated[
        int, typer.Option(min=0, help="Real photos are brought to it; 0: as they are.")
    ] = TransferConfig.short_side,
    scatter: Annotated[
        float, typer.Option(min=0, help="Widest scattering of the second teacher's photos, pixels.")
    ] = TransferConfig.scatter,
    learning_rate: Annotated[float, typer.Option(help="Its peak, in every stage.")] = TransferConfig.learning_rate,
    split: Annotated[str, typer.Option(help="Rows of a .csv that names splits.")] = TransferConfig.split,
    precision: Annotated[Literal["no", "fp16", "bf16"], typer.Option(help="Mixed precision.")] = "no",
    seed: Annotated[int, typer.Option(min=0, help="Of the first repetition.")] = TransferConfig.seed,
    workers: Annotated[int, typer.Option(min=1, help="Threads that prepare batches.")] = TransferConfig.workers,
    cpu: Annotated[bool, typer.Option("--cpu", help="Use the CPU even where there is a GPU.")] = False,
) -> None:
    """Learn from real photos without pairs first, then from a share of the pairs; --compare says what it was worth."""
    config = TransferConfig(
        tuple(pairs), real, clean, type, out, share=share, compare=compare, test=tuple(test or ()), seeds=seeds,
        model=model, preset=preset, steps=steps, teacher_steps=teacher_steps, distill_steps=distill_steps,
        batch_size=batch_size, size=size, short_side=short_side, scatter=scatter, learning_rate=learning_rate,
        split=split, precision=precision, seed=seed, workers=workers, cpu=cpu,
    )  # fmt: skip
    from gendeg.jobs.restore_transfer import transfer as run
    from gendeg.jobs.transfer_compare import tabulate

    told = run(config)
    if world().rank == 0:
        print(tabulate(told))
        print(f"numbers in {out / 'results.json'}, real photos in {out / 'real.png'}", file=sys.stderr)
