"""Knobs of gendeg curate."""

from dataclasses import dataclass
from pathlib import Path

from gendeg.pairs.config import MANIFEST
from gendeg.primitives.options import SEED, argument, option


@dataclass(frozen=True)
class CurateConfig:
    """gendeg curate: without samples, backgrounds, simplest, balance or ranges everything is kept and only measured"""

    data: tuple[Path, ...] = argument(help="Pair manifests, and datasets that gendeg build made.", there=True)
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
    seed: int = SEED(help="Same seed, same choice.")
    workers: int = option(0, "Processes; 0: one per core.", min=0)
    measures: Path | None = option(None, "Where measurements are kept for the next choice; default: beside --out.")
    copy: bool = option(False, "Copy the images of manifests too; a dataset's always are.")
    overwrite: bool = option(False, MANIFEST)
    progress: bool | None = None  # no option
