"""Knobs of the restorers, and of the studies made with them."""

from dataclasses import dataclass
from pathlib import Path

from gendeg.configs.training import TrainConfig


@dataclass(frozen=True)
class RestoreTrainConfig(TrainConfig):
    """gendeg restore train; `pairs` are manifests and datasets"""

    model: str = "nafnet"  # nafnet, swin, promptir
    preset: str = "tiny"  # tiny, paper
    content_prior: str = ""  # autoencoder: the network says the latent of a frozen one
    autoencoder: str = "bundled"  # or a folder with one (diffusers), or of a model with a vae/
    detail_path: bool = True  # of the content prior: a light residual beside the autoencoder's image
    weights: str = ""  # how often pairs of a degradation or source are drawn: rain=2,haze=0.5; others 1
    flips: bool = True  # mirror every other crop
    steps: int = 2000
    batch_size: int = 8
    size: int = 64
    learning_rate: float = 1e-3
    warmup: int = 20
    weight_decay: float = 0.0
    precision: str = "no"
    memory: int = 1000  # megabytes of decoded pairs that are kept, so that they are read once only
    held_out: int = 48  # validation crops that sheets and psnr.csv measure, the degradations in turn


@dataclass(frozen=True)
class RestoreApplyConfig:
    """gendeg restore apply"""

    model: Path
    paths: tuple[Path, ...]
    out: Path
    tile: int = 512  # pixels of the windows that larger photos are restored in
    overlap: int = 64
    format: str = "png"  # png, jpg, webp
    device: str = "auto"
    overwrite: bool = False
    progress: bool | None = None


@dataclass(frozen=True)
class RestoreEvalConfig:
    """gendeg restore eval"""

    model: Path
    pairs: tuple[Path, ...]  # manifests and datasets
    out: Path
    split: str = "test"
    lpips: str = ""  # folder of its weights; empty: not measured
    draws: int = 500  # of the bootstrap
    seed: int = 0
    limit: int = 0  # pairs of each degradation and source, at random; 0: all
    tile: int = 512
    overlap: int = 64
    device: str = "auto"
    overwrite: bool = False
    progress: bool | None = None


@dataclass(frozen=True)
class TaskConfig(TrainConfig):
    """One stage of gendeg restore transfer without pairs: a teacher, or the student that learns from both"""

    type: str = ""  # the degradation
    photos: str = ""  # SHA-256 over the paths of the photos: a stage goes on with the ones it began with
    short_side: int = 256  # pixels that photos are brought to, so that size does not tell who took them; 0: as they are
    scatter: float = 3.0  # pixels: the widest point spread that the second teacher's photos are blurred with
    model: str = "nafnet"
    preset: str = "tiny"
    warmup: int = 20
    weight_decay: float = 0.0
    precision: str = "no"


@dataclass(frozen=True)
class TransferConfig:
    """gendeg restore transfer; the defaults take a few minutes on two CPU cores, `compare` several times that"""

    pairs: tuple[Path, ...]  # manifests, or datasets made by gendeg build
    real: Path  # real degraded photos: a folder for each degradation, or a table (.csv) as for gendeg evaluate
    clean: Path  # photos without degradation: a folder, a .txt list, or a table
    type: str  # the degradation
    out: Path
    share: float = 0.1  # of the pairs that fine-tuning may use
    model: str = "nafnet"
    preset: str = "tiny"
    steps: int = 800  # of fine-tuning, the same for every arm that it is compared with
    teacher_steps: int = 400  # of each teacher
    distill_steps: int = 400
    batch_size: int = 8
    size: int = 64
    short_side: int = 256
    scatter: float = 3.0
    learning_rate: float = 1e-3  # of every stage
    split: str = "train"  # rows of a table that names splits
    held_out: float = 0.2  # share of the photos that the teachers never see: they are measured on these
    compare: bool = False  # also the student from scratch, on the same minority and on all pairs
    test: tuple[Path, ...] = ()  # pairs that the arms are measured on
    seeds: int = 3  # repetitions of all but the teachers, when compared
    seed: int = 0
    precision: str = "no"
    workers: int = 2
    checkpoint_every: int = 250
    sheet_every: int = 400
    cpu: bool = False
    tracker: str = "none"
    draws: int = 1000  # of the bootstrap
    progress: bool | None = None


@dataclass(frozen=True)
class StudyConfig:
    """gendeg restore study; everything that numbers depend on stands in the recipe"""

    recipe: Path  # a .toml file, or the name of one in manifests/recipes
    out: Path
    clean: str | None = None  # here and below, instead of what the recipe names; "": nothing; None: as the recipe says
    test_clean: str | None = None
    pairs: tuple[Path, ...] = ()  # manifests, datasets, tables; none: the recipe's
    real: str | None = None  # real photos for task transfer
    workers: int = 0  # trainings at a time, one thread each; 0: one per core, or one on a GPU
    device: str = "auto"
    progress: bool | None = None
