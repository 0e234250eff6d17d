"""Knobs of gendeg restore."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from gendeg.primitives.kinds import parse_mix
from gendeg.primitives.options import DEVICE, SEED, argument, checked, option
from gendeg.training.config import TrainConfig

Network = Literal["nafnet", "swin", "promptir"]


Sizes = Literal["tiny", "paper"]


DATA = "A pair manifest, or a folder that gendeg build made; may be given several times."


ANY_RESTORER = partial(
    argument,
    help="The --out of gendeg restore train, or anybody's weights: a .safetensors file that spandrel knows.",
    there=True,
)


TILE = partial(
    option,
    None,
    "Larger photos are restored in windows of this side, pixels. Default: the network's, mostly 512.",
    min=16,
)


OVERLAP = partial(option, 64, "Pixels that neighbouring windows share.", min=0)


@dataclass(frozen=True)
class RestoreTrainConfig(TrainConfig):
    """gendeg restore train"""

    pairs: tuple[Path, ...] = option(help=DATA, flag="--data", there=True)
    out: Path = option(help="Folder of the run: checkpoints, log.csv, psnr.csv, sheets, model/.")
    init: str = option("", "Go on from this restorer; --model and --preset do not count then.")
    steps: int = 2000
    batch_size: int = 8
    size: int = 64
    learning_rate: float = 1e-3
    warmup: int = 20
    precision: Literal["no", "fp16", "bf16"] = "no"
    sheet_every: int = option(500, "Steps between sheets and rows of psnr.csv.", min=1)
    tracker: str = option("tensorboard", "tensorboard, wandb ..., as accelerate knows them; none.")
    weight_decay: float = option(0.0, "AdamW's.", min=0)
    model: Network = option("nafnet", "The network.")
    preset: Sizes = option("tiny", "Its sizes; tiny is for CPUs.")
    content_prior: Literal["", "autoencoder"] = option("", "Say the latent of a frozen autoencoder instead of pixels.")
    autoencoder: str = option("bundled", "Which: bundled, or a folder with one.")  # diffusers', or a model's
    detail_path: bool = option(True, "Content prior: add a light residual to its image.")
    weights: str = option("", "Draw kinds or sources more often: rain=2,haze=0.5.")  # others 1
    flips: bool = option(True, "Mirror every other crop.")
    memory: int = option(1000, "Megabytes of pairs that are read once only.", min=0)
    held_out: int = option(48, "Validation crops behind psnr.csv.", min=1)  # the degradations in turn


@dataclass(frozen=True)
class RestoreApplyConfig:
    """gendeg restore apply"""

    model: Path = ANY_RESTORER()
    paths: tuple[Path, ...] = argument(help="Photos, or folders of them.", there=True)
    out: Path = option(help="Folder for the restored photos, restored.jsonl and sheet.png.")
    tile: int | None = TILE()
    overlap: int = OVERLAP()
    format: Literal["png", "jpg", "webp"] = option("png", "Of the restored photos.")
    device: str = DEVICE()
    overwrite: bool = option(False, "Replace outputs that exist.")
    progress: bool | None = None  # no option


@dataclass(frozen=True)
class RestoreEvalConfig:
    """gendeg restore eval"""

    model: Path = ANY_RESTORER()
    pairs: tuple[Path, ...] = option(help=DATA, there=True)
    out: Path = option(help="Folder for page.html, results.json and scores.jsonl.")
    split: Literal["train", "validation", "test"] = option("test", "Which pairs.")
    lpips: str = option("", "Folder with LPIPS's weights as safetensors; without it: not measured.")
    draws: int = option(500, "Of the bootstrap over photos.", min=1)
    limit: int = option(0, "Pairs of each degradation and source, at random; 0: all.", min=0)
    seed: int = SEED(help="Of the intervals, and of what --limit picks.")
    tile: int | None = TILE()
    overlap: int = OVERLAP()
    device: str = DEVICE()
    overwrite: bool = option(False, "Replace results that exist.")
    progress: bool | None = None  # no option


@dataclass(frozen=True)
class TaskConfig(TrainConfig):
    """One stage of gendeg restore transfer without pairs: a teacher, or the student that learns from both"""

    type: str = ""  # the degradation
    photos: str = ""  # SHA-256 over the paths of the photos: a stage goes on with the ones it began with
    short_side: int = 256  # pixels that photos are brought to, so that size does not tell who took them; 0: as they are
    scatter: float = 3.0  # pixels: the widest point spread that the second teacher's photos are blurred with
    model: Network = "nafnet"
    preset: Sizes = "tiny"
    warmup: int = 20
    weight_decay: float = 0.0
    precision: Literal["no", "fp16", "bf16"] = "no"


@dataclass(frozen=True)
class TransferConfig:
    """gendeg restore transfer; the defaults take a few minutes on two CPU cores, `compare` several times that"""

    pairs: tuple[Path, ...] = option(help="Pair manifest or dataset; may be given several times.", there=True)
    real: Path = option(help="Real degraded photos: a folder for each degradation, or a table (.csv).", there=True)
    clean: Path = option(help="Photos without degradation: folder, .txt list, or table.", there=True)
    type: str = option(help="The degradation.", parse=checked(parse_mix))
    out: Path = option(help="Folder of the run; the same command again goes on there.")
    share: float = option(0.1, "Of the pairs that fine-tuning may use.")
    compare: bool = option(False, "Also train without transfer: on that share, and on all pairs.")
    test: tuple[Path, ...] = option((), "Pairs to measure on: split test, or all where none is named.", there=True)
    seeds: int = option(3, "Repetitions that are compared.", min=1)  # of all but the teachers
    model: Network = option("nafnet", "Network.")
    preset: Sizes = option("tiny", "Its size.")
    steps: int = option(800, "Of fine-tuning, in every arm.", min=1)
    teacher_steps: int = option(400, "Of each teacher.", min=1)
    distill_steps: int = option(400, "Of the student.", min=1)
    batch_size: int = option(8, "Crops a process.", min=1)
    size: int = option(64, "Side of the crops in pixels.", min=16)
    short_side: int = option(256, "Real photos are brought to it; 0: as they are.", min=0)
    scatter: float = option(3.0, "Widest scattering of the second teacher's photos, pixels.", min=0)
    learning_rate: float = option(1e-3, "Its peak, in every stage.")
    split: str = option("train", "Rows of a .csv that names splits.")
    precision: Literal["no", "fp16", "bf16"] = option("no", "Mixed precision.")
    seed: int = SEED(help="Of the first repetition.")
    workers: int = option(2, "Threads that prepare batches.", min=1)
    cpu: bool = option(False, "Use the CPU even where there is a GPU.")
    # no options:
    held_out: float = 0.2  # share of the photos that the teachers never see: they are measured on these
    checkpoint_every: int = 250
    sheet_every: int = 400
    tracker: str = "none"
    draws: int = 1000  # of the bootstrap
    progress: bool | None = None
