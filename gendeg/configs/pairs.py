"""Knobs of the jobs that make, collect and describe pairs and their statistics."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class SimulateConfig:
    """gendeg pairs simulate"""

    clean: tuple[Path, ...]
    out: Path
    types: str = "all"
    per_image: int = 2
    size: int = 256  # square views of this side; 0: whole photos
    seed: int = 0
    validation: float = 0.05  # share of photos whose pairs are held out
    workers: int = 0  # 0: one per core
    overwrite: bool = False
    progress: bool | None = None  # False: no progress on stderr
    strengths: tuple[float, float] = (0.0, 1.0)  # uniform between these
    width: float = 1.0  # share of every other parameter's range, about its middle, that is drawn from
    family: str = "simulated"  # or strangers: the second family, by other equations; the pairs' source


@dataclass(frozen=True)
class IngestConfig:
    """gendeg pairs ingest: one of a known source, two folders, side-by-side images, a hub dataset, or tars"""

    out: Path
    root: str = ""  # a folder, hf:NAME, or a tar
    source: str = ""  # a name in manifests/sources, or what the pairs are to be called
    type: str = ""  # the degradation, where the source does not tell
    clean: str = ""  # folder, pattern, column or member name of the clean half
    degraded: str = ""
    side_by_side: str = ""  # clean-left or clean-right
    split: str = "train=1"  # by clean photo, where the source does not tell
    longest_shift: float = 3.0  # pixels; what is misaligned by more is kept out
    workers: int = 0
    overwrite: bool = False
    progress: bool | None = None


@dataclass(frozen=True)
class CaptionConfig:
    """gendeg pairs caption"""

    paths: tuple[str, ...]  # pair manifests; with `out`: clean photos, folders or tables of them
    out: Path | None = None  # a table (.jsonl) of path and caption, for photos
    model: str = "Salesforce/blip2-opt-2.7b"  # as in the paper; a folder, a hub id, or none
    prompt: str | None = None  # how the caption begins, or what a chat model is asked; None: prompts/degradations.toml
    batch_size: int = 16
    beams: int = 5  # beams and tokens as LAVIS captions with BLIP and BLIP-2
    tokens: int = 30
    device: str = "auto"
    cache: Path | None = None  # folder; None: ~/.cache/gendeg/captions
    workers: int = 4  # threads that read photos
    overwrite: bool = False  # captions, or a table, that are there already
    progress: bool | None = None


@dataclass(frozen=True)
class ImportPriorsConfig:
    """gendeg priors import"""

    folder: Path  # with haze/Mu_RESIDE.json … in it
    out: Path
    overwrite: bool = False


@dataclass(frozen=True)
class CurateConfig:
    """gendeg curate: without samples, backgrounds, simplest, balance or ranges everything is kept and only measured"""

    data: tuple[Path, ...]  # pair manifests and datasets
    out: Path  # the manifest of what was chosen
    samples: int = 0  # at most, of the split, shared out evenly among the degradations; 0: all
    backgrounds: int = 0  # clean photos of each degradation, at most; 0: all
    simplest: float = 1.0  # share of the photos of each degradation that is considered at all
    balance: bool = False  # as many backgrounds as leave the layers at least as many bits
    ranges: tuple[str, ...] = ()  # mu=0.02:0.3: pairs outside are dropped
    split: str = "train"  # that is chosen from; the others are kept as they are
    autoencoder_steps: int = 300  # 0: without the fourth measure
    seed: int = 0
    workers: int = 0  # 0: one per core
    measures: Path | None = None  # where what was measured is kept; None: beside out
    copy: bool = False  # the images of manifests too, so that the result stands alone; a dataset's always are
    overwrite: bool = False
    progress: bool | None = None
