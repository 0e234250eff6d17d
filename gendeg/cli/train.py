"""gendeg train"""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

EXAMPLE = "Example: gendeg train diffusion --pairs pairs/manifest.jsonl --vae runs/ae --out runs/diffusion"

ONLY_DIFFUSION = {"base", "gradient_checkpointing", "prediction", "weights"}


def train(
    network: Annotated[Literal["autoencoder", "diffusion", "structure"], typer.Argument(help="What to train.")],
    pairs: Annotated[list[Path], typer.Option(help="Pair manifest; may be given several times.")],
    out: Annotated[Path, typer.Option(help="Folder of the run: checkpoints, log.csv, sheets, the result.")],
    vae: Annotated[str | None, typer.Option(help="Folder of a trained autoencoder, or of a model with one.")] = None,
    init: Annotated[str | None, typer.Option(help="Weights to start from: a folder of the same kind.")] = None,
    base: Annotated[
        str | None, typer.Option(help="Fine-tune Stable Diffusion 1.5 or its like: folder, hub id.")
    ] = None,
    gradient_checkpointing: Annotated[
        bool | None, typer.Option("--gradient-checkpointing", help="Less memory, a third more time.")
    ] = None,
    preset: Annotated[Literal["bundled", "smoke"] | None, typer.Option(help="Sizes of fresh networks.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Optimiser steps.")] = None,
    batch_size: Annotated[int | None, typer.Option(min=1, help="Crops per process and micro step.")] = None,
    accumulate: Annotated[int | None, typer.Option(min=1, help="Micro steps per optimiser step.")] = None,
    size: Annotated[int | None, typer.Option(min=16, help="Side of the crops in pixels.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Peak: linear warm-up, then half a cosine.")] = None,
    warmup: Annotated[int | None, typer.Option(min=0, help="Steps of warm-up.")] = None,
    precision: Annotated[Literal["no", "fp16", "bf16"] | None, typer.Option(help="Mixed precision.")] = None,
    weights: Annotated[str | None, typer.Option(help="Draw kinds or sources more often: rain=2,haze=0.5.")] = None,
    prediction: Annotated[
        Literal["sample", "v_prediction", "epsilon"] | None, typer.Option(help="What a new UNet says; default: sample.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of everything random in the run.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Threads that prepare batches.")] = None,
    sheet_every: Annotated[int | None, typer.Option(min=1, help="Steps between sample sheets.")] = None,
    checkpoint_every: Annotated[int | None, typer.Option(min=1, help="Steps between checkpoints.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from this folder's newest checkpoint.")] = False,
    cpu: Annotated[bool, typer.Option("--cpu", help="Use the CPU even where there is a GPU.")] = False,
    compile: Annotated[bool, typer.Option("--compile", help="torch.compile; needs a C++ compiler.")] = False,
) -> None:
    """Train one of the three networks. What is not given keeps that network's default (gendeg/configs.py)."""
    options: dict[str, Any] = {name: value for name, value in locals().items() if value is not None}
    del options["network"]
    _check(network, options)
    from gendeg.configs import AutoencoderConfig, DiffusionConfig, StructureConfig

    options["pairs"] = tuple(pairs)
    if network == "autoencoder":
        from gendeg.jobs.train_autoencoder import train_autoencoder

        train_autoencoder(AutoencoderConfig(**options))
    elif network == "diffusion":
        from gendeg.jobs.train_diffusion import train_diffusion

        train_diffusion(DiffusionConfig(**options))
    else:
        from gendeg.jobs.train_structure import train_structure

        train_structure(StructureConfig(**options))


def _check(network: str, options: dict[str, Any]) -> None:
    """Raises `BadOption` for an autoencoder that is missing, or given where none is used."""
    from gendeg.primitives.errors import BadOption

    if network == "autoencoder" and "vae" in options:
        raise BadOption("--vae", "is for diffusion and structure; to go on with an autoencoder use --init")
    for name in ONLY_DIFFUSION & set(options):
        if network != "diffusion":
            raise BadOption(f"--{name.replace('_', '-')}", "is for diffusion only")
    if network == "structure" and "vae" not in options:
        raise BadOption("--vae", "is needed: the folder of a trained autoencoder, or of a model with one")
    if network == "diffusion" and len({"vae", "init", "base"} & set(options)) != 1:
        raise BadOption("--vae", "is needed to start anew, --base to fine-tune, --init to go on; give one of the three")
