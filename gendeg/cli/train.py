"""gendeg train"""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

EXAMPLE = "Example: gendeg train diffusion --init bundled --pairs pairs/mine/manifest.jsonl --out runs/mine"

STARTS = ("vae", "init", "base")
ONLY_DIFFUSION = {"base", "lora_rank", "cache_latents", "short_side", "gradient_checkpointing", "prediction", "weights",
                  "push_to_hub", "sheet_photos"}  # fmt: skip


def train(
    network: Annotated[Literal["autoencoder", "diffusion", "structure"], typer.Argument(help="What to train.")],
    pairs: Annotated[list[Path], typer.Option(help="Pair manifest; may be given several times.")],
    out: Annotated[Path, typer.Option(help="Folder of the run: checkpoints, log.csv, sheets, the result.")],
    preset: Annotated[
        str | None, typer.Option(help="Settings to start from: paper, sd15-h100x8, bundled, smoke, or a .toml file.")
    ] = None,
    init: Annotated[str | None, typer.Option(help="Go on from: bundled, or a folder of the same kind.")] = None,
    base: Annotated[
        str | None, typer.Option(help="Fine-tune Stable Diffusion 1.5 or its like: folder, hub id.")
    ] = None,
    vae: Annotated[str | None, typer.Option(help="Folder of a trained autoencoder, or of a model with one.")] = None,
    model: Annotated[str | None, typer.Option(help="Structure: learn to correct this model's images.")] = None,
    sizes: Annotated[Literal["bundled", "smoke"] | None, typer.Option(help="Of networks that start fresh.")] = None,
    lora_rank: Annotated[int | None, typer.Option(min=1, help="Train low-rank changes only, of this rank.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Optimiser steps.")] = None,
    batch_size: Annotated[int | None, typer.Option(min=1, help="Crops per process and micro step.")] = None,
    accumulate: Annotated[int | None, typer.Option(min=1, help="Micro steps per optimiser step.")] = None,
    size: Annotated[int | None, typer.Option(min=16, help="Side of the crops in pixels.")] = None,
    short_side: Annotated[int | None, typer.Option(min=16, help="Bring pairs to this short side before.")] = None,
    cache_latents: Annotated[
        bool | None, typer.Option("--cache-latents", help="Encode all pairs once, to disk; else every crop anew.")
    ] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Its peak, after a linear warm-up.")] = None,
    schedule: Annotated[Literal["cosine", "constant"] | None, typer.Option(help="After the warm-up.")] = None,
    warmup: Annotated[int | None, typer.Option(min=0, help="Steps of warm-up.")] = None,
    optimizer: Annotated[
        Literal["adamw", "adamw8bit"] | None, typer.Option(help="adamw8bit: less memory; needs bitsandbytes.")
    ] = None,
    precision: Annotated[Literal["no", "fp16", "bf16"] | None, typer.Option(help="Mixed precision.")] = None,
    gradient_checkpointing: Annotated[
        bool | None, typer.Option("--gradient-checkpointing", help="Less memory, a third more time.")
    ] = None,
    weights: Annotated[str | None, typer.Option(help="Draw kinds or sources more often: rain=2,haze=0.5.")] = None,
    prediction: Annotated[
        Literal["sample", "v_prediction", "epsilon"] | None, typer.Option(help="What a new UNet says; default: sample.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of everything random in the run.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Threads that prepare batches.")] = None,
    log_every: Annotated[int | None, typer.Option(min=1, help="Steps between rows of log.csv.")] = None,
    sheet_every: Annotated[int | None, typer.Option(min=1, help="Steps between sheets, calibration, best/.")] = None,
    sheet_photos: Annotated[int | None, typer.Option(min=1, help="Photos of each degradation on them.")] = None,
    checkpoint_every: Annotated[int | None, typer.Option(min=1, help="Steps between checkpoints.")] = None,
    tracker: Annotated[
        str | None, typer.Option(help="tensorboard (default), wandb, mlflow ..., as accelerate knows them; none.")
    ] = None,
    push_to_hub: Annotated[str | None, typer.Option(help="Upload the model as user/name when it is done.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from this folder's newest checkpoint.")] = False,
    cpu: Annotated[bool, typer.Option("--cpu", help="Use the CPU even where there is a GPU.")] = False,
    compile: Annotated[bool, typer.Option("--compile", help="torch.compile; needs a C++ compiler.")] = False,
) -> None:
    """Train one of the three networks. What is not given keeps the preset's or that network's default.

    Every setting, also of a preset's file, is explained in gendeg/configs.py.
    """
    given: dict[str, Any] = {name: value for name, value in locals().items() if value not in (None, False)}
    for name in ("network", "preset"):
        given.pop(name, None)
    from gendeg.configs import AutoencoderConfig, DiffusionConfig, StructureConfig

    options = _with_preset(network, preset, given) | {"pairs": tuple(pairs)}
    _check(network, options)
    if network == "autoencoder":
        from gendeg.jobs.train_autoencoder import train_autoencoder

        train_autoencoder(AutoencoderConfig(**options))
    elif network == "diffusion":
        from gendeg.jobs.train_diffusion import train_diffusion

        train_diffusion(DiffusionConfig(**options))
    else:
        from gendeg.jobs.train_structure import train_structure

        train_structure(StructureConfig(**options))


def _with_preset(network: str, name: str | None, given: dict[str, Any]) -> dict[str, Any]:
    """What the preset says, and what was given over it; a start that is given takes the place of the preset's."""
    if name is None:
        return given
    from gendeg.jobs.recipe import preset

    table = dict(preset(name).tables.get(network, {}))
    if any(start in given for start in STARTS):
        table = {key: value for key, value in table.items() if key not in STARTS}
    return table | given


def _check(network: str, options: dict[str, Any]) -> None:
    """Raises `BadOption` for a start that is missing, or given where none is used."""
    from gendeg.primitives.errors import BadOption

    if network == "autoencoder" and "vae" in options:
        raise BadOption("--vae", "is for diffusion and structure; to go on with an autoencoder use --init")
    for name in sorted(ONLY_DIFFUSION & set(options)):
        if network != "diffusion":
            raise BadOption(f"--{name.replace('_', '-')}", "is for diffusion only")
    if network != "structure" and "model" in options:
        raise BadOption("--model", "is for structure only; to go on with a model use --init")
    if network == "structure" and len({"vae", "model"} & set(options)) != 1:
        raise BadOption("--vae", "or --model is needed: a trained autoencoder, or the model whose images to correct")
    if network == "diffusion" and len(set(STARTS) & set(options)) != 1:
        raise BadOption("--vae", "is needed to start anew, --base to fine-tune, --init to go on; give one of the three")
