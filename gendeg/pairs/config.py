"""Knobs of gendeg pairs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gendeg.primitives.kinds import parse_mix, parse_mixes
from gendeg.primitives.options import SEED, argument, checked, option

MANIFEST = "Replace a manifest that exists."


@dataclass(frozen=True)
class SimulateConfig:
    """gendeg pairs simulate"""

    clean: tuple[Path, ...] = argument(help="Clean photos, folders of them, or a .txt list of paths.", there=True)
    out: Path = option(help="Folder for clean/, degraded/ and manifest.jsonl.")
    types: str = option("all", "Degradations and mixes in turn: a comma list, or all.", parse=checked(parse_mixes))
    per_image: int = option(2, "Pairs per photo.", min=1)
    direction: float | None = option(
        None, "Of rain, snow and camera: degrees from the vertical, to the right; default: drawn.", min=-180, max=180
    )
    size: int = option(256, "Side of the square views; 0: whole photos.", min=0)
    seed: int = SEED(help="Same seed, same bytes, whatever the number of workers.")
    validation: float = option(0.05, "Share of photos held out for sheets.", min=0, max=1)
    workers: int = option(0, "Processes; 0: one per core.", min=0)
    overwrite: bool = option(False, MANIFEST)
    # no options:
    progress: bool | None = None  # False: none on stderr
    strengths: tuple[float, float] = (0.0, 1.0)  # uniform between these
    width: float = 1.0  # share of every other parameter's range, about its middle, that is drawn from
    family: Literal["simulated", "strangers"] = "simulated"  # the pairs' source; strangers: other equations


@dataclass(frozen=True)
class IngestConfig:
    """gendeg pairs ingest: one of a known source, two folders, side-by-side images, a hub dataset, or tars"""

    root: str = argument(help="A folder, a tar, or hf:NAME (hub dataset or saved folder).", there=True)
    out: Path = option(help="Folder for manifest.jsonl and failures.jsonl.")
    source: str = option("", "A published dataset by name; or what to call your own pairs.")  # in manifests/sources
    type: str = option("", "The degradation, where the source does not tell.", parse=checked(parse_mix))
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

    paths: tuple[str, ...] = argument(help="Pair manifests; with --out: clean photos, or folders of them.", there=True)
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
