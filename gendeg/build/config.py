"""Knobs of gendeg plan and gendeg build, and all that goes on with a build."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gendeg.primitives.options import (
    DEVICE,
    GUIDANCE_IMAGE,
    GUIDANCE_TEXT,
    MODEL,
    SAMPLER,
    STEPS,
    STRUCTURE_CORRECTION,
    argument,
    option,
)


@dataclass(frozen=True)
class PlanConfig:
    """What decides every sample of a dataset before any model runs"""

    clean: tuple[str, ...] = argument(help="Folders, tars, images, tables (.txt .csv .jsonl .parquet), hf:NAME.")
    out: Path = option(help="The dataset's folder.")
    model: str = MODEL()
    types: str = option("all", "Degradations and mixes (haze+rain, haze=0.6+rain), a comma list, all, or cdd11.")
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
    include: tuple[Path, ...] = option((), "Manifest of existing pairs to put beside (more than once).")
    column: str = option("", "The clean picture of a dataset's rows (or a tar's samples) that have several.")
    shard_size: int = option(500, "Samples in a tar: what one worker does at a time.", min=1)
    batch_size: int = option(
        0, "Images of one size made at a time; auto: as many as the GPU takes.", word="auto", min=1
    )
    seed: int = option(0, "Same seed, same bytes.", min=0)
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
    workers: int = option(4, "Threads of each process that read and encode.", min=1)
    engine: Literal["local", "ray"] = option("local", "ray: every shard is a task of a Ray cluster.")
    grace: float = option(20.0, "Seconds a shard gets to finish after Ctrl-C or SIGTERM.", min=0)
    check_disk: bool = option(True, "Stop before the start when the disk has not enough room.")
    estimate: bool = option(True, "Time a few steps of the model for the hours.")
    dry_run: bool = option(False, "Plan, say what would be made, and stop.")
