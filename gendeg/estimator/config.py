"""Knobs of gendeg estimator."""

from dataclasses import dataclass
from pathlib import Path

from gendeg.primitives.options import SEED, argument, option


@dataclass(frozen=True)
class EstimatorConfig:
    """gendeg estimator"""

    clean: tuple[Path, ...] = argument(help="Clean photos, folders of them, or tables.", there=True)
    out: Path = option(help="The file to write, .safetensors.")
    pairs: tuple[Path, ...] = option((), "Pairs to learn from too; may be given several times.", there=True)
    real: Path | None = option(
        None, "Real degraded photos to measure naming with: a folder with one for each degradation, or a table."
    )
    per_image: int = option(6, "Degraded views of each photo; the six degradations go round.", min=1)
    epochs: int = option(40, "Rounds over all examples.", min=1)
    seed: int = SEED(help="Same seed, same photos held out.")
    workers: int = option(0, "Processes that simulate and measure; 0: one per core.", min=0)
    overwrite: bool = option(False, "Replace the file if it exists.")
    progress: bool | None = None  # no option
