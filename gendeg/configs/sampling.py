"""Knobs of the jobs that degrade photos: one run, a dataset, and its page."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gendeg.configs.shared import (
    DEVICE,
    GUIDANCE_IMAGE,
    GUIDANCE_TEXT,
    IMAGE_BATCH,
    IMAGE_SEED,
    MODEL,
    SAMPLER,
    STEPS,
    STRUCTURE_CORRECTION,
)
from gendeg.primitives.options import argument, option


@dataclass(frozen=True)
class SynthConfig:
    """gendeg synth"""

    paths: tuple[Path, ...] = argument((), "Photos or folders; none: two sample photos.")
    types: str = option("haze", "A degradation, a mix (rain+haze), a comma list, or all.", flag="--type")
    intensities: tuple[float, ...] = option(
        (0.5,), "How strong, in [0, 1]; a comma list makes one image each.", flag="--intensity", min=0, max=1
    )
    mu: float | None = option(None, "Instead of intensity: mean |clean - degraded|, [0, 0.7].")
    sigma: float | None = option(None, "With mu: its standard deviation, [0, 0.4].")  # None: the median given mu
    priors: str = option("", "What intensity means: a folder that `priors fit` wrote.")  # "": the packed ones
    variants: int = option(1, "Images per photo, type and intensity, with seeds S, S+1 ...", min=1)
    seed: int = IMAGE_SEED()
    caption: str = option("", "What the photo shows; the words of the degradation are added.", flag="--prompt")
    model: str = MODEL()
    sampler: Literal["own", "paper"] = SAMPLER()
    steps: int | None = STEPS()
    guidance_text: float | None = GUIDANCE_TEXT()
    guidance_image: float | None = GUIDANCE_IMAGE()
    structure_correction: bool = STRUCTURE_CORRECTION()
    size: int | None = option(None, "Scale the short side to this many pixels first.", min=1)
    out: Path = option(Path("out/synth"), "Folder for images, records.jsonl and sheet.png.")
    device: str = DEVICE()
    format: Literal["png", "jpg", "webp"] = option("png", "Of the degraded images.")
    batch_size: int = IMAGE_BATCH()
    overwrite: bool = option(False, "Replace outputs that exist.")
    progress: bool | None = None  # no option


@dataclass(frozen=True)
class PlanConfig:
    """What decides every sample of a dataset before any model runs"""

    clean: tuple[str, ...] = argument(help="Folders, tars, images, tables (.txt .csv .jsonl .parquet), hf:NAME.")
    out: Path = option(help="The dataset's folder.")
    types: str = option("all", "Degradations and mixes (rain+haze), a comma list, or all six.")
    per_image: int = option(6, "Samples of each photo; the types go round.", min=1)
    samples: int = option(0, "Samples in all, spread over the photos; 0: by --per-image.", min=0)
    intensity: str = option("prior", "prior (as the published sources are), a value 0.6, or a range 0.2-0.8.")
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
    batch_size: int = option(8, "Images of one size made at a time.", min=1)
    seed: int = option(0, "Same seed, same bytes.", min=0)
    progress: bool | None = None  # no option


@dataclass(frozen=True)
class BuildConfig(PlanConfig):
    """gendeg plan, gendeg build: the plan and how it is carried out"""

    model: str = MODEL()
    sampler: Literal["own", "paper"] = SAMPLER()
    steps: int | None = STEPS()
    guidance_text: float | None = GUIDANCE_TEXT()
    guidance_image: float | None = GUIDANCE_IMAGE()
    structure_correction: bool = STRUCTURE_CORRECTION()
    precision: Literal["auto", "fp32", "fp16", "bf16"] = option("auto", "auto: fp16 on a GPU, fp32 elsewhere.")
    attempts: int = option(3, "Tries of a sample that the filter refuses.", min=1)
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


@dataclass(frozen=True)
class ReportConfig:
    """gendeg report"""

    path: Path = argument(help="The --out folder of gendeg build or gendeg evaluate.")
    out: Path = option(Path("report.html"), "The page: one HTML file that needs no network.")
    pictures: int = option(12, "Pictures of each degradation on the contact sheet.", min=1)
    picture_size: int = option(320, "Pixels of their longer side, at most.", min=16)  # 0: as they are
    overwrite: bool = option(False, "Replace a page that exists.")
    progress: bool | None = None  # no option
