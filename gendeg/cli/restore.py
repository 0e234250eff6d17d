"""gendeg restore"""

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from gendeg.cli.errors import ERROR, SOME_FAILED
from gendeg.configs import RestoreApplyConfig, RestoreEvalConfig, RestoreTrainConfig
from gendeg.primitives.errors import BadOption

TRAIN_EXAMPLE = "Example: gendeg restore train --data gends/ --data pairs/manifest.jsonl --out runs/restorer"
APPLY_EXAMPLE = "Example: gendeg restore apply runs/restorer photos/ --out restored/"
EVAL_EXAMPLE = "Example: gendeg restore eval runs/restorer --pairs pairs/manifest.jsonl --out runs/scores"

app = typer.Typer(no_args_is_help=True, help="Restorers: train them on pairs, use them on photos, measure them.")

Data = Annotated[
    list[Path], typer.Option(help="A pair manifest, or a folder that gendeg build made; may be given several times.")
]
Out = Annotated[Path, typer.Option(help="Folder of the run: checkpoints, log.csv, psnr.csv, sheets, model/.")]
Model = Annotated[Path, typer.Argument(help="The --out of gendeg restore train, or its model/.")]
Tile = Annotated[int, typer.Option(min=16, help="Larger photos are restored in windows of this side, in pixels.")]
Overlap = Annotated[int, typer.Option(min=0, help="Pixels that neighbouring windows share.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]
Default = RestoreTrainConfig


@app.command(epilog=TRAIN_EXAMPLE)
def train(
    data: Data,
    out: Out,
    model: Annotated[Literal["nafnet", "swin", "promptir"], typer.Option(help="The network.")] = "nafnet",
    preset: Annotated[Literal["tiny", "paper"], typer.Option(help="Its sizes; tiny is for CPUs.")] = "tiny",
    init: Annotated[str, typer.Option(help="Go on from this restorer; --model and --preset do not count then.")] = "",
    content_prior: Annotated[
        Literal["autoencoder"] | None, typer.Option(help="Say the latent of a frozen autoencoder instead of pixels.")
    ] = None,
    autoencoder: Annotated[str, typer.Option(help="Which: bundled, or a folder with one.")] = Default.autoencoder,
    detail_path: Annotated[
        bool, typer.Option("--detail-path/--no-detail-path", help="Content prior: add a light residual to its image.")
    ] = True,
    weights: Annotated[str, typer.Option(help="Draw kinds or sources more often: rain=2,haze=0.5.")] = "",
    flips: Annotated[bool, typer.Option("--flips/--no-flips", help="Mirror every other crop.")] = True,
    steps: Annotated[int, typer.Option(min=1, help="Optimiser steps.")] = Default.steps,
    batch_size: Annotated[int, typer.Option(min=1, help="Crops per process and micro step.")] = Default.batch_size,
    accumulate: Annotated[int, typer.Option(min=1, help="Micro steps per optimiser step.")] = Default.accumulate,
    size: Annotated[int, typer.Option(min=16, help="Side of the crops in pixels.")] = Default.size,
    learning_rate: Annotated[float, typer.Option(help="Its peak, after a warm-up.")] = Default.learning_rate,
    schedule: Annotated[Literal["cosine", "constant"], typer.Option(help="After the warm-up.")] = "cosine",
    warmup: Annotated[int, typer.Option(min=0, help="Steps of warm-up.")] = Default.warmup,
    weight_decay: Annotated[float, typer.Option(min=0, help="AdamW's.")] = Default.weight_decay,
    precision: Annotated[Literal["no", "fp16", "bf16"], typer.Option(help="Mixed precision.")] = "no",
    seed: Annotated[int, typer.Option(min=0, help="Of everything random in the run.")] = 0,
    workers: Annotated[int, typer.Option(min=1, help="Threads that prepare batches.")] = Default.workers,
    memory: Annotated[int, typer.Option(min=0, help="Megabytes of pairs that are read once only.")] = Default.memory,
    held_out: Annotated[int, typer.Option(min=1, help="Validation crops behind psnr.csv.")] = Default.held_out,
    log_every: Annotated[int, typer.Option(min=1, help="Steps between rows of log.csv.")] = Default.log_every,
    sheet_every: Annotated[int, typer.Option(min=1, help="Steps between sheets and rows of psnr.csv.")] = 500,
    checkpoint_every: Annotated[int, typer.Option(min=1, help="Steps between checkpoints.")] = 250,
    tracker: Annotated[
        str, typer.Option(help="tensorboard, wandb ..., as accelerate knows them; none.")
    ] = "tensorboard",
    resume: Annotated[bool, typer.Option("--resume", help="Go on from this folder's newest checkpoint.")] = False,
    extend: Annotated[bool, typer.Option("--extend", help="With --resume: to more --steps than before.")] = False,
    cpu: Annotated[bool, typer.Option("--cpu", help="Use the CPU even where there is a GPU.")] = False,
    compile: Annotated[bool, typer.Option("--compile", help="torch.compile; needs a C++ compiler.")] = False,
) -> None:
    """Train one network for all degradations that the data holds: degraded → clean."""
    options: dict[str, Any] = {name: value for name, value in locals().items() if name != "data"}
    if content_prior is None and (autoencoder != Default.autoencoder or not detail_path):
        raise BadOption("--content-prior", "is what --autoencoder and --no-detail-path belong to: give it too")
    config = RestoreTrainConfig(**options | {"pairs": tuple(data), "content_prior": content_prior or ""})
    from gendeg.jobs.restore_train import train_restorer

    print(f"restorer in {train_restorer(config)}", file=sys.stderr)


@app.command(epilog=APPLY_EXAMPLE)
def apply(
    model: Model,
    paths: Annotated[list[Path], typer.Argument(help="Photos, or folders of them.")],
    out: Annotated[Path, typer.Option(help="Folder for the restored photos, restored.jsonl and sheet.png.")],
    tile: Tile = RestoreApplyConfig.tile,
    overlap: Overlap = RestoreApplyConfig.overlap,
    format: Annotated[Literal["png", "jpg", "webp"], typer.Option(help="Of the restored photos.")] = "png",
    device: Device = "auto",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace outputs that exist.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One row a line on stdout, nothing else.")] = False,
) -> int:
    """Restore photos of any size. Alpha is put on white; what cannot be read is said, and left out."""
    from gendeg.jobs.restore_apply import Restored, restore_photos

    made, failed = 0, 0
    for row in restore_photos(RestoreApplyConfig(model, tuple(paths), out, tile, overlap, format, device, overwrite)):
        if isinstance(row, Restored):
            made += 1
        else:
            failed += 1
            print(f"gendeg: {row.message}", file=sys.stderr)
        if as_json:
            print(row.to_json(), flush=True)
    print(f"{made} photos in {out}" + (f"; {failed} failed" if failed else ""), file=sys.stderr)
    return (SOME_FAILED if made else ERROR) if failed else 0


@app.command("eval", epilog=EVAL_EXAMPLE)
def evaluate(
    model: Model,
    pairs: Data,
    out: Annotated[Path, typer.Option(help="Folder for results.json and scores.jsonl.")],
    split: Annotated[Literal["train", "validation", "test"], typer.Option(help="Which pairs.")] = "test",
    lpips: Annotated[
        str, typer.Option(help="Folder with LPIPS's weights as safetensors; without it: not measured.")
    ] = "",
    draws: Annotated[int, typer.Option(min=1, help="Of the bootstrap over photos.")] = RestoreEvalConfig.draws,
    limit: Annotated[int, typer.Option(min=0, help="Pairs of each degradation and source, at random; 0: all.")] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Of the intervals, and of what --limit picks.")] = 0,
    tile: Tile = RestoreEvalConfig.tile,
    overlap: Overlap = RestoreEvalConfig.overlap,
    device: Device = "auto",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace results that exist.")] = False,
) -> int:
    """PSNR, SSIM, and for rain, snow and drops what is left (E_R) and what the rest suffered (E_B): before → after."""
    from gendeg.jobs.restore_report import report_restorer, tabulate_scores

    results = report_restorer(
        RestoreEvalConfig(
            model, tuple(pairs), out, split, lpips, draws, seed, limit, tile, overlap, device, overwrite
        )
    )  # fmt: skip
    print(tabulate_scores(results["summary"]))
    for failure in results["failures"]:
        print(f"gendeg: {failure['message']}", file=sys.stderr)
    print(f"numbers in {out / 'results.json'}, each image in {out / 'scores.jsonl'}", file=sys.stderr)
    return (SOME_FAILED if results["summary"] else ERROR) if results["failures"] else 0
