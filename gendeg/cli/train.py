"""gendeg train"""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

EXAMPLE = "Example: gendeg train diffusion --init bundled --pairs pairs/mine/manifest.jsonl --out runs/mine"

STARTS = {"autoencoder": ("init",), "diffusion": ("vae", "init", "base"), "structure": ("vae", "model")}
"""What a training may begin with: one of these, which takes the place of a preset's."""
UNSET: dict[str, Any] = {"resume": False, "extend": False}
"""Flags without an opposite: where they stand at this, they were not given."""
ONLY_DIFFUSION = {"base", "lora_rank", "cache_latents", "short_side", "gradient_checkpointing",
                  "push_to_hub", "sheet_photos"}  # fmt: skip
FRESH = {"clean", "simulated", "types", "weights"}


Network = Annotated[Literal["autoencoder", "diffusion", "structure"], typer.Argument(help="What to train.")]
Pairs = Annotated[list[Path], typer.Option(help="Pair manifest; may be given several times.")]
Out = Annotated[Path, typer.Option(help="Folder of the run: checkpoints, log.csv, sheets, the result.")]
Preset = Annotated[
    str | None, typer.Option(help="Settings to start from: paper, sd15-h100x8, bundled, smoke, or a .toml file.")
]
Init = Annotated[str | None, typer.Option(help="Go on from: bundled, or a folder of the same kind.")]
Base = Annotated[str | None, typer.Option(help="Fine-tune Stable Diffusion 1.5 or its like: folder, hub id.")]
Vae = Annotated[str | None, typer.Option(help="Folder of a trained autoencoder, or of a model with one.")]
Model = Annotated[str | None, typer.Option(help="Structure: learn to correct this model's images.")]
Residual = Annotated[
    bool | None, typer.Option("--residual/--no-residual", help="Structure: start from the photo + the decoded change.")
]
Sizes = Annotated[Literal["bundled", "smoke"] | None, typer.Option(help="Of networks that start fresh.")]
LoraRank = Annotated[int | None, typer.Option(min=0, help="Train low-rank changes only, of this rank; 0: all.")]
Steps = Annotated[int | None, typer.Option(min=1, help="Optimiser steps.")]
BatchSize = Annotated[int | None, typer.Option(min=1, help="Crops per process and micro step.")]
Accumulate = Annotated[int | None, typer.Option(min=1, help="Micro steps per optimiser step.")]
Size = Annotated[int | None, typer.Option(min=16, help="Side of the crops in pixels.")]
ShortSide = Annotated[int | None, typer.Option(min=0, help="Bring pairs to this short side before; 0: as they are.")]
CacheLatents = Annotated[
    bool | None,
    typer.Option("--cache-latents/--no-cache-latents", help="Encode all pairs once, to disk; else every crop anew."),
]
LearningRate = Annotated[float | None, typer.Option(help="Its peak, after a linear warm-up.")]
Schedule = Annotated[Literal["cosine", "constant"] | None, typer.Option(help="After the warm-up.")]
Warmup = Annotated[int | None, typer.Option(min=0, help="Steps of warm-up.")]
Optimizer = Annotated[
    Literal["adamw", "adamw8bit"] | None, typer.Option(help="adamw8bit: less memory; needs bitsandbytes.")
]
Precision = Annotated[Literal["no", "fp16", "bf16"] | None, typer.Option(help="Mixed precision.")]
GradientCheckpointing = Annotated[
    bool | None,
    typer.Option("--gradient-checkpointing/--no-gradient-checkpointing", help="Less memory, a third more time."),
]
Weights = Annotated[str | None, typer.Option(help="Draw kinds or sources more often: rain=2,haze=0.5.")]
Clean = Annotated[
    list[Path] | None, typer.Option(help="Photos to simulate pairs from while it trains; may be given several times.")
]
Simulated = Annotated[float | None, typer.Option(min=0, max=1, help="Share of examples that are simulated.")]
Types = Annotated[str | None, typer.Option(help="What is simulated: all,rain+haze,snow+haze.")]
Seed = Annotated[int | None, typer.Option(min=0, help="Of everything random in the run.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Threads that prepare batches.")]
LogEvery = Annotated[int | None, typer.Option(min=1, help="Steps between rows of log.csv.")]
SheetEvery = Annotated[int | None, typer.Option(min=1, help="Steps between sheets, calibration, best/.")]
SheetPhotos = Annotated[int | None, typer.Option(min=1, help="Photos of each degradation on them.")]
CheckpointEvery = Annotated[int | None, typer.Option(min=1, help="Steps between checkpoints.")]
Tracker = Annotated[
    str | None, typer.Option(help="tensorboard (default), wandb, mlflow ..., as accelerate knows them; none.")
]
PushToHub = Annotated[str | None, typer.Option(help="Upload the model as user/name when it is done.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on from this folder's newest checkpoint.")]
Extend = Annotated[bool, typer.Option("--extend", help="With --resume: to more --steps than it was begun with.")]
Cpu = Annotated[bool | None, typer.Option("--cpu/--no-cpu", help="Use the CPU even where there is a GPU.")]
Compile = Annotated[bool | None, typer.Option("--compile/--no-compile", help="torch.compile; needs a C++ compiler.")]


def train(
    network: Network, pairs: Pairs, out: Out, preset: Preset = None, init: Init = None, base: Base = None,
    vae: Vae = None, model: Model = None, residual: Residual = None, sizes: Sizes = None, lora_rank: LoraRank = None,
    steps: Steps = None, batch_size: BatchSize = None, accumulate: Accumulate = None, size: Size = None,
    short_side: ShortSide = None, cache_latents: CacheLatents = None, learning_rate: LearningRate = None,
    schedule: Schedule = None, warmup: Warmup = None, optimizer: Optimizer = None, precision: Precision = None,
    gradient_checkpointing: GradientCheckpointing = None, weights: Weights = None, clean: Clean = None,
    simulated: Simulated = None, types: Types = None,
    seed: Seed = None, workers: Workers = None, log_every: LogEvery = None, sheet_every: SheetEvery = None,
    sheet_photos: SheetPhotos = None, checkpoint_every: CheckpointEvery = None, tracker: Tracker = None,
    push_to_hub: PushToHub = None, resume: Resume = False, extend: Extend = False, cpu: Cpu = None,
    compile: Compile = None,
) -> None:  # fmt: skip
    """Train one of the three networks. What is not given keeps the preset's or that network's default.

    Every setting, also of a preset's file, is explained in gendeg/configs/.
    """
    given = _given(dict(locals()))
    from gendeg.configs import AutoencoderConfig, DiffusionConfig, StructureConfig

    options = _with_preset(network, preset, given) | {"pairs": tuple(pairs)}
    _check(network, options)
    _check_fresh(network, given)
    if clean:
        options["clean"] = tuple(clean)
    if network == "autoencoder":
        from gendeg.jobs.train_autoencoder import train_autoencoder

        train_autoencoder(AutoencoderConfig(**options))
    elif network == "diffusion":
        from gendeg.jobs.published_training import refuse_other_numbers
        from gendeg.jobs.train_diffusion import train_diffusion

        if options.get("published"):
            refuse_other_numbers(options)
        train_diffusion(DiffusionConfig(**options))
    else:
        from gendeg.jobs.train_structure import train_structure

        train_structure(StructureConfig(**options))


def _given(options: dict[str, Any]) -> dict[str, Any]:
    """What stands on the command line, a 0 and a --no-… too: it goes over the preset."""
    unset = dict.fromkeys(options) | UNSET
    return {name: v for name, v in options.items() if v is not unset[name] and name not in ("network", "preset")}


def _with_preset(network: str, name: str | None, given: dict[str, Any]) -> dict[str, Any]:
    """What the preset says, and what was given over it; a start that is given takes the place of the preset's."""
    if name is None:
        return given
    from gendeg.jobs.recipe import preset

    table = preset(name).settings(network)
    if any(start in given for start in STARTS[network]):
        table = {key: value for key, value in table.items() if key not in STARTS[network]}
    return table | given


def _check(network: str, options: dict[str, Any]) -> None:
    """Raises `BadOption` for a start that is missing, or given where none is used."""
    from gendeg.primitives.errors import BadOption

    if network == "autoencoder" and "vae" in options:
        raise BadOption("--vae", "is for diffusion and structure; to go on with an autoencoder use --init")
    for name in sorted(ONLY_DIFFUSION & set(options)):
        if network != "diffusion":
            raise BadOption(f"--{name.replace('_', '-')}", "is for diffusion only")
    for name in sorted(FRESH & set(options)):
        if network == "structure":
            raise BadOption(f"--{name}", "is for autoencoder and diffusion only")
    if network != "structure" and "model" in options:
        raise BadOption("--model", "is for structure only; to go on with a model use --init")
    if network != "structure" and "residual" in options:
        raise BadOption("--residual", "is for structure only")
    starts = [name for name in STARTS[network] if options.get(name)]
    if network == "structure" and len(starts) != 1:
        raise BadOption("--vae", "or --model is needed: a trained autoencoder, or the model whose images to correct")
    if network == "diffusion" and len(starts) != 1:
        raise BadOption("--vae", "is needed to start anew, --base to fine-tune, --init to go on; give one of the three")


def _check_fresh(network: str, given: dict[str, Any]) -> None:
    """Raises `BadOption` for what is said of simulated pairs where none are made."""
    from gendeg.primitives.errors import BadOption

    needless = {"simulated", "types"} | ({"weights"} if network == "autoencoder" else set())
    for name in sorted(needless & set(given)):
        if "clean" not in given:
            raise BadOption(f"--{name}", "is of pairs that are simulated on the way: give their photos with --clean")
