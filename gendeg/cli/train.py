"""gendeg train"""

from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from gendeg.configs import AutoencoderConfig, DiffusionConfig, StructureConfig

app = typer.Typer(no_args_is_help=True, help="Train the three networks; resume with the same command and --resume.")

Pairs = Annotated[list[Path], typer.Option("--pairs", help="Pair manifest; may be given several times.")]
Out = Annotated[Path, typer.Option(help="Folder of the run: checkpoints, log.csv, sheets, the result.")]
Vae = Annotated[str, typer.Option(help="Folder of a trained autoencoder, or of a model that has one.")]
Steps = Annotated[int, typer.Option(min=1, help="Optimiser steps.")]
BatchSize = Annotated[int, typer.Option(min=1, help="Crops per process and micro step.")]
Accumulate = Annotated[int, typer.Option(min=1, help="Micro steps per optimiser step.")]
Size = Annotated[int, typer.Option(min=16, help="Side of the crops in pixels.")]
LearningRate = Annotated[float, typer.Option(help="Peak of the schedule: linear warm-up, then half a cosine.")]
Warmup = Annotated[int, typer.Option(min=0, help="Steps of warm-up.")]
Precision = Annotated[Literal["no", "fp16", "bf16"], typer.Option(help="Mixed precision.")]
Seed = Annotated[int, typer.Option(min=0, help="Of everything random in the run.")]
Workers = Annotated[int, typer.Option(min=1, help="Threads that prepare batches.")]
SheetEvery = Annotated[int, typer.Option(min=1, help="Steps between sample sheets.")]
CheckpointEvery = Annotated[int, typer.Option(min=1, help="Steps between checkpoints.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on from the newest checkpoint of this folder.")]
Init = Annotated[str, typer.Option(help="Weights to start from: a folder of the same kind of model.")]
Cpu = Annotated[bool, typer.Option("--cpu", help="Use the CPU even where there is a GPU.")]
Preset = Annotated[Literal["bundled", "smoke"], typer.Option(help="Sizes of networks that start from nothing.")]
Compile = Annotated[bool, typer.Option("--compile", help="torch.compile; needs a C++ compiler.")]


@app.command(epilog="Example: gendeg train autoencoder --pairs pairs/manifest.jsonl --out runs/ae --steps 1000")
def autoencoder(
    pairs: Pairs,
    out: Out,
    steps: Steps = 1000,
    batch_size: BatchSize = 16,
    accumulate: Accumulate = 1,
    size: Size = 128,
    learning_rate: LearningRate = AutoencoderConfig.learning_rate,
    warmup: Warmup = 100,
    precision: Precision = "bf16",
    seed: Seed = 0,
    workers: Workers = 2,
    sheet_every: SheetEvery = 500,
    checkpoint_every: CheckpointEvery = 250,
    resume: Resume = False,
    init: Init = "",
    cpu: Cpu = False,
    preset: Preset = "bundled",
    compile: Compile = False,
) -> None:
    """Train the bundled sizes' autoencoder on both halves of the pairs."""
    config = _config(AutoencoderConfig, locals())
    from gendeg.jobs.train_autoencoder import train_autoencoder

    train_autoencoder(config)


@app.command(epilog="Example: gendeg train diffusion --pairs pairs/manifest.jsonl --vae runs/ae --out runs/diffusion")
def diffusion(
    pairs: Pairs,
    out: Out,
    vae: Vae = "",
    steps: Steps = 3000,
    batch_size: BatchSize = 32,
    accumulate: Accumulate = 1,
    size: Size = 128,
    learning_rate: LearningRate = DiffusionConfig.learning_rate,
    warmup: Warmup = 100,
    precision: Precision = "bf16",
    seed: Seed = 0,
    workers: Workers = 2,
    sheet_every: SheetEvery = 500,
    checkpoint_every: CheckpointEvery = 250,
    resume: Resume = False,
    init: Init = "",
    cpu: Cpu = False,
    preset: Preset = "bundled",
    compile: Compile = False,
) -> None:
    """Train UNet, conditioner and text encoder at the bundled sizes (--vae), or go on with a model (--init)."""
    config = _config(DiffusionConfig, locals())
    from gendeg.jobs.train_diffusion import train_diffusion

    train_diffusion(config)


@app.command(epilog="Example: gendeg train structure --pairs pairs/manifest.jsonl --vae runs/ae --out runs/structure")
def structure(
    pairs: Pairs,
    out: Out,
    vae: Vae = "",
    steps: Steps = 1000,
    batch_size: BatchSize = 16,
    accumulate: Accumulate = 1,
    size: Size = 128,
    learning_rate: LearningRate = StructureConfig.learning_rate,
    warmup: Warmup = 100,
    precision: Precision = "bf16",
    seed: Seed = 0,
    workers: Workers = 2,
    sheet_every: SheetEvery = 500,
    checkpoint_every: CheckpointEvery = 250,
    resume: Resume = False,
    init: Init = "",
    cpu: Cpu = False,
    preset: Preset = "bundled",
    compile: Compile = False,
) -> None:
    """Train the network that puts the photo's detail back after decoding."""
    config = _config(StructureConfig, locals())
    from gendeg.jobs.train_structure import train_structure

    train_structure(config)


def _config(kind: type[Any], options: dict[str, Any]) -> Any:
    """The options whose names the config knows; everything else keeps the config's default."""
    known = {field.name for field in fields(kind)}
    return kind(**{name: tuple(v) if name == "pairs" else v for name, v in options.items() if name in known})
