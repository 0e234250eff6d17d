"""Knobs of the jobs that make, collect and describe pairs and their statistics."""

from dataclasses import dataclass
from pathlib import Path

from gendeg.primitives.options import argument, option

MANIFEST = "Replace a manifest that exists."


@dataclass(frozen=True)
class SimulateConfig:
    """gendeg pairs simulate"""

    clean: tuple[Path, ...] = argument(help="Clean photos, folders of them, or a .txt list of paths.")
    out: Path = option(help="Folder for clean/, degraded/ and manifest.jsonl.")
    types: str = option("all", "Degradations and mixes in turn: a comma list, or all.")
    per_image: int = option(2, "Pairs per photo.", min=1)
    size: int = option(256, "Side of the square views; 0: whole photos.", min=0)
    seed: int = option(0, "Same seed, same bytes, whatever the number of workers.", min=0)
    validation: float = option(0.05, "Share of photos held out for sheets.", min=0, max=1)
    workers: int = option(0, "Processes; 0: one per core.", min=0)
    overwrite: bool = option(False, MANIFEST)
    # no options:
    progress: bool | None = None  # False: none on stderr
    strengths: tuple[float, float] = (0.0, 1.0)  # uniform between these
    width: float = 1.0  # share of every other parameter's range, about its middle, that is drawn from
    family: str = "simulated"  # or strangers: the second family, by other equations; the pairs' source


@dataclass(frozen=True)
class IngestConfig:
    """gendeg pairs ingest: one of a known source, two folders, side-by-side images, a hub dataset, or tars"""

    root: str = argument(help="A folder, a tar, or hf:NAME (hub dataset or saved folder).")
    out: Path = option(help="Folder for manifest.jsonl and failures.jsonl.")
    source: str = option("", "A published dataset by name; or what to call your own pairs.")  # in manifests/sources
    type: str = option("", "The degradation, where the source does not tell.")
    degraded: str = option("", "Folder, pattern {id}_rain, column, or ending of tar members.")
    clean: str = option("", "The same for the clean half: {id}_clean.")
    side_by_side: str = option("", "Both halves in one picture: clean-left or clean-right.")
    split: str = option("train=1", "Shares by clean photo, where the source does not tell.")
    longest_shift: float = option(3.0, "Pixels; pairs further apart are kept out.", min=0)
    workers: int = option(0, "Threads; 0: one per core.", min=0)
    overwrite: bool = option(False, MANIFEST)
    progress: bool | None = None  # no option


@dataclass(frozen=True)
class CaptionConfig:
    """gendeg pairs caption"""

    paths: tuple[str, ...] = argument(help="Pair manifests; with --out: clean photos, or folders of them.")
    out: Path | None = option(None, "For photos: a table (.jsonl) that gendeg build reads.")
    model: str = option(  # as in the paper
        "Salesforce/blip2-opt-2.7b", "An image-to-text model: folder or hub id; none: only the fallback."
    )
    prompt: str | None = option(  # None: as prompts/degradations.toml says
        None, "How captions begin, or what a chat model is asked; '' for nothing."
    )
    batch_size: int = option(16, "Photos at a time.", min=1)
    beams: int = option(5, "Beam search; 1 is faster and a little plainer.", min=1)  # and tokens: as in LAVIS
    tokens: int = option(30, "Longest caption.", min=1)
    device: str = option("auto", "auto, cpu, cuda, mps.")
    cache: Path | None = option(None, "Where captions are kept; default: ~/.cache/gendeg.")
    workers: int = option(4, "Threads that read photos.", min=1)
    overwrite: bool = option(False, "Replace captions, or a table, there already.")
    progress: bool | None = None  # no option


@dataclass(frozen=True)
class ImportPriorsConfig:
    """gendeg priors import"""

    folder: Path = argument(help="The authors' statistics: haze/Mu_RESIDE.json and the like below it.")
    out: Path = option(help="Folder for <degradation>/<source>.json.")
    overwrite: bool = option(False, "Replace priors that exist.")


@dataclass(frozen=True)
class CurateConfig:
    """gendeg curate: without samples, backgrounds, simplest, balance or ranges everything is kept and only measured"""

    data: tuple[Path, ...] = argument(help="Pair manifests, and datasets that gendeg build made.")
    out: Path = option(help="The manifest of what is chosen (.jsonl).")
    samples: int = option(0, "At most, shared among the degradations; 0: all.", min=0)
    backgrounds: int = option(0, "Clean photos of each degradation, at most; 0: all.", min=0)
    simplest: float = option(1.0, "Share of the photos, by simplicity, to choose from.")
    balance: bool = option(False, "As many backgrounds as leave the degradations more to learn.")
    ranges: tuple[str, ...] = option(
        (), "mu=0.02:0.3; also sigma, density, width, length, direction, background, layer.", flag="--range"
    )
    split: str = option("train", "That is chosen from; others are kept as they are.")
    autoencoder_steps: int = option(300, "Of the fourth measure; 0: without it.", min=0)
    seed: int = option(0, "Same seed, same choice.", min=0)
    workers: int = option(0, "Processes; 0: one per core.", min=0)
    measures: Path | None = option(None, "Where measurements are kept for the next choice; default: beside --out.")
    copy: bool = option(False, "Copy the images of manifests too; a dataset's always are.")
    overwrite: bool = option(False, MANIFEST)
    progress: bool | None = None  # no option
