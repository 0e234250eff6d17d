"""Knobs of gendeg plan and gendeg build, and of all that goes on with a build; what cannot be asked by them."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from gendeg.primitives.errors import BadOption, MissingExtra
from gendeg.primitives.kinds import parse_types
from gendeg.primitives.options import (
    DEVICE,
    GUIDANCE_IMAGE,
    GUIDANCE_TEXT,
    MODEL,
    SAMPLER,
    SEED,
    STEPS,
    STRUCTURE_CORRECTION,
    argument,
    checked,
    option,
)


@dataclass(frozen=True)
class PlanConfig:
    """What decides every sample of a dataset before any model runs"""

    clean: tuple[str, ...] = argument(
        help="Folders, tars, images, tables (.txt .csv .jsonl .parquet), hf:NAME.", there=True
    )
    out: Path = option(help="The dataset's folder.")
    model: str = MODEL()
    types: str = option(
        "all", "Degradations and mixes (haze+rain, haze=0.6+rain), a comma list, all, or cdd11.",
        parse=checked(parse_types),
    )  # fmt: skip
    per_image: int | None = option(None, "Samples of each photo; the types go round. Default: 6.", min=1)
    samples: int = option(0, "Samples in all, spread over the photos; 0: by --per-image.", min=0)
    intensity: str = option(
        "prior",
        "prior (as the published sources are), a value 0.6, a range 0.2-0.8, or levels 0.1,0.5,0.9: "
        "every photo at each, of every type, with the same noise.",
    )
    direction: str = option(
        "prior", "Of streaks, flakes, the camera: prior (as learnt), degrees from the vertical, or a range -20..20."
    )
    priors: str = option("", "A folder of priors; default: those that come along.")
    split: str = option(
        "train=1", "Shares of train, validation, test; what a table says of a photo's split comes first."
    )
    size: int = option(0, "Scale the short side to this many pixels; 0: as it is.", min=0)
    square: bool = option(False, "Cut the middle square.")
    format: Literal["auto", "png", "jpg"] = option("auto", "Of the clean half; auto keeps JPEG files untouched.")
    include: tuple[Path, ...] = option(
        (), "Manifest of existing pairs, or a folder with one, to put beside (more than once).", there=True
    )
    column: str = option("", "The clean picture of a dataset's rows (or a tar's samples) that have several.")
    shard_size: int = option(500, "Samples in a tar: what one worker does at a time.", min=1)
    batch_size: int = option(
        0, "Images of one size made at a time; auto: as many as the GPU takes.", word="auto", min=1
    )
    seed: int = SEED(help="Same seed, same bytes.")
    progress: bool | None = None  # no option


PER_IMAGE, ATTEMPTS = 6, 3
"""Where neither is said, and the intensities are no levels: of these every photo gets all, with one noise."""


@dataclass(frozen=True)
class BuildConfig(PlanConfig):
    """gendeg plan, gendeg build: the plan and how it is carried out"""

    sampler: Literal["own", "paper", "fast"] = SAMPLER()
    steps: int | None = STEPS()
    guidance_text: float | None = GUIDANCE_TEXT()
    guidance_image: float | None = GUIDANCE_IMAGE()
    structure_correction: bool = STRUCTURE_CORRECTION()
    compile: bool = option(False, "torch.compile, for each size of photo; needs a compiler.", flag="--compile")
    precision: Literal["auto", "fp32", "fp16", "bf16"] = option("auto", "auto: fp16 on a GPU, fp32 elsewhere.")
    attempts: int | None = option(None, "Tries of a sample that the filter refuses. Default: 3; with levels: 1.", min=1)
    tolerance: float = option(0.05, "|mu measured - mu asked for| that passes; 1: any.")
    structure: float = option(0.15, "Least correlation of structure with the photo; -1: any.")
    license: str = option("other", "Licence of the dataset, for its card.")
    device: str = DEVICE()
    workers: int = option(
        0, "Threads of each process that read and encode; 0: its share of the cores, at least 4.", min=0
    )
    engine: Literal["local", "ray"] = option("local", "ray: every shard is a task of a Ray cluster.")
    grace: float = option(20.0, "Seconds a shard gets to finish after Ctrl-C or SIGTERM.", min=0)
    check_disk: bool = option(True, "Stop before the start when the disk has not enough room.")
    estimate: bool = option(True, "Time a few steps of the model for the hours.")
    dry_run: bool = option(False, "Plan, say what would be made, and stop.")


def check_config(config: BuildConfig) -> None:
    """Raises `BadOption`, `BadModel` and `MissingExtra` before anything is read or written."""
    from gendeg.intensity.ask import refuse_undirected
    from gendeg.intensity.draw import asks_direction, levels_of, statistics_of
    from gendeg.model.loading import check_model
    from gendeg.pairs.split import parse_split

    least = {"--per-image": config.per_image, "--shard-size": config.shard_size,
             "--attempts": config.attempts}  # fmt: skip
    for flag, value in least.items():
        if value is not None and value < 1:
            raise BadOption(flag, f"must be at least 1, got {value}")
    none = {"--samples": config.samples, "--size": config.size, "--batch-size": config.batch_size,
            "--workers": config.workers}  # fmt: skip
    for flag, value in none.items():
        if value < 0:
            raise BadOption(flag, f"must not be negative, got {value}")
    check_model(config.model)
    if config.engine == "ray" and find_spec("ray") is None:
        raise MissingExtra("ray", "ray")
    mixes = [wanted.mix for wanted in parse_types(config.types)]
    if asks_direction(config.direction):
        refuse_undirected(mixes)
    parse_split(config.split)
    statistics_of(config.intensity, config.priors)
    if levels_of(config.intensity):
        _check_graded(config)


def _check_graded(config: BuildConfig) -> None:
    """Levels of intensity say how many samples there are, and that those of a photo share their noise."""
    for flag, value in {"--per-image": config.per_image, "--samples": config.samples}.items():
        if value:
            raise BadOption(flag, "has no say beside levels of --intensity: every photo gets each, of every type")
    every = parse_types(config.types)
    if len({wanted.mix for wanted in every}) < len(every):
        raise BadOption("--types", "has a mix twice; of levels, each mix once")
    for wanted in every:
        if None not in wanted.own:
            raise BadOption("--types", f"{wanted.name} has its own intensities; levels would say nothing to it")
    if config.attempts not in (None, 1):
        raise BadOption("--attempts", "must be 1 with levels of --intensity: another try has other noise")
