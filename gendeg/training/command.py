"""gendeg train, train distill"""

import sys
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from gendeg.primitives.errors import BadOption
from gendeg.primitives.options import command
from gendeg.primitives.parallel import world
from gendeg.training.config import AutoencoderConfig, DiffusionConfig, DistillConfig, StructureConfig

EXAMPLE = "Example: gendeg train diffusion --init bundled --pairs pairs/mine/manifest.jsonl --out runs/mine"
DISTILL_EXAMPLE = "Example: gendeg train distill --model runs/mine/model --pairs pairs/mine --steps 4 --out runs/fast"

CONFIGS: dict[str, type[Any]] = {
    "autoencoder": AutoencoderConfig, "diffusion": DiffusionConfig, "structure": StructureConfig
}  # fmt: skip
STARTS = {"autoencoder": ("init",), "diffusion": ("vae", "init", "base"), "structure": ("vae", "model")}
"""What a training may begin with: one of these, which takes the place of a preset's."""
INSTEAD = {"vae": "; to go on with an autoencoder use --init", "model": "; to go on with a model use --init"}

Network = Annotated[Literal["autoencoder", "diffusion", "structure"], typer.Argument(help="What to train.")]
Preset = Annotated[
    str | None, typer.Option(help="Settings to start from: paper, sd15-h100x8, bundled, smoke, or a .toml file.")
]


@command(*CONFIGS.values())
def train(network: Network, *, preset: Preset = None, given: dict[str, Any]) -> None:
    """Train one of the three networks. What is not given keeps the preset's or that network's default.

    Of a trained model one that needs a few network passes only: gendeg train distill.

    Every setting, also of a preset's file, is explained in gendeg/training/config.py.
    """
    options = _with_preset(network, preset, given)
    _check(network, given, options)
    config = CONFIGS[network](**options)
    if network == "autoencoder":
        from gendeg.training.autoencoder import train_autoencoder

        train_autoencoder(config)
    elif network == "diffusion":
        config.check_sides()
        from gendeg.training.diffusion import train_diffusion
        from gendeg.training.published import refuse_other_numbers

        if config.published:
            refuse_other_numbers(options)
        train_diffusion(config)
        _say_model(config.out)
    else:
        from gendeg.training.structure import train_structure

        train_structure(config)


@command(DistillConfig, without=("init", "sizes", "vae", "base"))
def distill(
    *,
    preset: Annotated[str | None, typer.Option(help="A .toml file: start from its table distill.")] = None,
    given: dict[str, Any],
) -> None:
    """Make a fast copy of a model: the student learns to do in --steps network passes what its teacher does in many.

    --steps and --guidance are of sampling, and built in: the student takes no others. --updates counts the steps of
    this training; so do the options that say updates. Its folder is used like any other model's.
    """
    options = _with_preset("distill", preset, given)
    _check("distill", given, options)
    config = DistillConfig(**options)
    config.check_sides()
    from gendeg.training.distill import train_distill

    train_distill(config)
    _say_model(config.out)


def _say_model(out: Path) -> None:
    """The last line, of the first process."""
    if world().rank == 0:
        print(f"model in {out / 'model'}; try: gendeg synth photo.jpg --model {out / 'model'}", file=sys.stderr)


def _with_preset(network: str, name: str | None, given: dict[str, Any]) -> dict[str, Any]:
    """What the preset says, and what was given over it; a start that is given takes the place of the preset's."""
    if name is None:
        return given
    from gendeg.training.presets import preset

    recipe = preset(name)
    if network not in recipe.tables:
        there = ", ".join(f"[{one}]" for one in recipe.tables)
        raise BadOption("--preset", f"{name} has nothing for {network}: no table [{network}] beside {there}")
    table = recipe.settings(network)
    starts = STARTS.get(network, ())
    if any(start in given for start in starts):
        table = {key: value for key, value in table.items() if key not in starts}
    return table | given


def _check(network: str, given: dict[str, Any], options: dict[str, Any]) -> None:
    """Raises `BadOption` for what another network is told, a start that is missing, or simulated pairs of no photos;
    `BadModel` for one that is none."""
    for name in given if network in CONFIGS else ():
        takers = [taker for taker, config in CONFIGS.items() if name in {one.name for one in fields(config)}]
        if network not in takers:
            raise BadOption(_flag(name), f"is for {' and '.join(takers)} only{INSTEAD.get(name, '')}")
    starts = [name for name in STARTS.get(network, ()) if options.get(name)]
    if network == "structure" and len(starts) != 1:
        raise BadOption("--vae", "or --model is needed: a trained autoencoder, or the model whose images to correct")
    if network == "diffusion" and len(starts) != 1:
        raise BadOption("--vae", "is needed to start anew, --base to fine-tune, --init to go on; give one of the three")
    needless = {"simulated", "types"} | ({"weights"} if network == "autoencoder" else set())
    for name in sorted(needless & set(given)):
        if "clean" not in given:
            raise BadOption(_flag(name), "is of pairs that are simulated on the way: give their photos with --clean")
    if started := options.get("init" if network == "diffusion" else "model"):
        from gendeg.model.loading import check_model

        check_model(started)


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"
