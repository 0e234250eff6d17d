"""Knobs of the jobs that measure a model or its images."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class EvaluateConfig:
    """gendeg evaluate; the defaults make about 3,000 images, twenty minutes on two CPU cores"""

    clean: Path  # photos the model never saw: a folder, a .txt list, or a table (.csv) with a column path
    out: Path
    model: str = "bundled"
    pairs: Path | None = None  # manifest that the classifier of degradations is trained on
    real: Path | None = (
        None  # real degraded photos: a folder for each degradation, or a table with a column degradation
    )
    features: str = ""  # folder of a network (Inception-like, DINO, CLIP) for KID
    split: str = "test"  # rows of a table that names splits
    types: str = "all"
    intensities: tuple[float, ...] = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
    photos: int = 20  # spread evenly over those found; 0: all
    compare: int = 8  # of these, with seeds and changes, and without the calibration map (where the model has one)
    size: int = 128  # pixels of the short side
    variants: int = (
        3  # seeds for diversity (of `compare` photos at `VARIED_AT`) and changes (`CHANGED_AT`); 1: not measured
    )
    steps: int | None = None  # None here and below: the model's own
    guidance_text: float | None = None
    guidance_image: float | None = None
    seed: int = 0
    tolerance: float = 0.05  # of the build's filter, as in BuildConfig
    structure: float = 0.15
    draws: int = 500  # of the bootstrap
    classifier_steps: int = 600  # batches of 32 that the classifier is trained for
    batch_size: int = 4
    device: str = "auto"
    progress: bool | None = None


@dataclass(frozen=True)
class CalibrateConfig:
    """gendeg calibrate"""

    clean: Path  # photos, as for evaluate; better other ones than those that evaluate measures on
    out: Path  # folder of the calibrated model
    model: str = "bundled"
    split: str = "train"
    types: str = "all"
    intensities: tuple[float, ...] = (0.03, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.97)
    photos: int = 6
    rounds: int = 3  # of sampling, measuring and correcting
    size: int = 128
    steps: int | None = None
    guidance_text: float | None = None
    guidance_image: float | None = None
    seed: int = 0
    batch_size: int = 4
    device: str = "auto"
    overwrite: bool = False
    progress: bool | None = None


@dataclass(frozen=True)
class GapConfig:
    """gendeg evaluate gap"""

    synthetic: Path  # a pair manifest, a dataset, or degraded images in a folder for each degradation
    real: Path  # real degraded photos: a folder for each degradation, or a table with a column degradation
    out: Path = Path("out/gap")
    also: tuple[tuple[str, Path], ...] = ()  # (name, place) of up to three others to compare, as `synthetic`
    split: str = "test"  # rows of a table that names splits
    type: str = ""  # the degradation of folders that have none inside
    size: int = 256  # pixels of the short side that all are brought to
    most: int = 200  # images of each set and degradation, spread evenly; 0: all
    draws: int = 200  # of the bootstrap
    seed: int = 0
    workers: int = 0
    overwrite: bool = False
    progress: bool | None = None
