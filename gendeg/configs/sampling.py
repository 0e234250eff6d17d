"""Knobs of the jobs that degrade photos: one run, a dataset, and its page."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class SynthConfig:
    """gendeg synth"""

    paths: tuple[Path, ...] = ()  # files or folders; none: the sample photos
    out: Path = Path("out/synth")
    types: str = "haze"
    intensities: tuple[float, ...] = (0.5,)
    mu: float | None = None  # instead of intensities
    sigma: float | None = None  # None: the median of p(sigma | mu)
    variants: int = 1
    seed: int = 0
    priors: str = ""  # folder of priors that intensity is read from; empty: the ones packed with gendeg
    caption: str = ""  # what the photos show; the degradation's words are added
    model: str = "bundled"
    sampler: str = "own"  # the model's; paper: Euler ancestral, 100 steps, guidance 7.5 and 1.5
    steps: int | None = None  # None here and below: the sampler's
    guidance_text: float | None = None
    guidance_image: float | None = None
    structure_correction: bool = True
    size: int | None = None  # short side in pixels; None: as it is
    device: str = "auto"  # auto, cpu, cuda, mps
    format: str = "png"  # png, jpg, webp
    batch_size: int = 4
    overwrite: bool = False
    progress: bool | None = None


@dataclass(frozen=True)
class PlanConfig:
    """gendeg plan: what decides every sample before any model runs"""

    clean: tuple[str, ...]  # folders, tars, tables, images, hf:NAME
    out: Path
    types: str = "all"
    per_image: int = 6  # samples of one photo; the types go round
    samples: int = 0  # in all, spread over the photos; 0: per_image for each
    intensity: str = "prior"  # prior, one value (0.6) or a range (0.2-0.8)
    priors: str = ""  # folder of priors; empty: the ones packed with gendeg
    column: str = ""  # which picture of a row (of a dataset, of a tar's samples) is the clean one, where it has several
    split: str = "train=1"
    size: int = 0  # pixels of the short side; 0: as it is
    square: bool = False  # cut the middle square
    format: str = "auto"  # of the clean half: png, jpg; auto: jpg when every photo can be stored untouched as that
    include: tuple[Path, ...] = ()  # manifests of existing pairs
    shard_size: int = 500
    batch_size: int = 8
    seed: int = 0
    progress: bool | None = None


@dataclass(frozen=True)
class BuildConfig(PlanConfig):
    """gendeg build: the plan and how it is carried out"""

    model: str = "bundled"
    sampler: str = "own"  # the model's; paper: Euler ancestral, 100 steps, guidance 7.5 and 1.5
    steps: int | None = None  # None here and below: the sampler's
    guidance_text: float | None = None
    guidance_image: float | None = None
    structure_correction: bool = True
    precision: str = "auto"  # fp32, fp16, bf16; auto: fp16 on a GPU, fp32 on a CPU
    attempts: int = 3  # tries of a sample that the filter refuses
    tolerance: float = 0.05  # |mu measured − mu requested| that passes; 1 switches the check off
    structure: float = 0.15  # least correlation of the two images' structure that passes; −1 switches the check off
    license: str = "other"  # of the dataset, for its card
    device: str = "auto"
    engine: str = "local"  # local, ray
    workers: int = 4  # threads of each process that read, encode and write
    grace: float = 20.0  # seconds that a running shard gets after SIGTERM or Ctrl-C
    check_disk: bool = True
    estimate: bool = True  # time a few steps of the model for the hours
    dry_run: bool = False


@dataclass(frozen=True)
class ReportConfig:
    """gendeg report"""

    path: Path  # a dataset's or an evaluation's folder
    out: Path = Path("report.html")
    pictures: int = 12  # of each degradation
    picture_size: int = 320  # pixels of the longer side; of an evaluation's best and worst: 0, as they are
    overwrite: bool = False
    progress: bool | None = None
