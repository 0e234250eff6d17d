"""Knobs of gendeg priors."""

from dataclasses import dataclass
from pathlib import Path

from gendeg.primitives.options import argument, option


@dataclass(frozen=True)
class ImportPriorsConfig:
    """gendeg priors import"""

    folder: Path = argument(help="The authors' statistics: haze/Mu_RESIDE.json and the like below it.", there=True)
    out: Path = option(help="Folder for <degradation>/<source>.json.")
    overwrite: bool = option(False, "Replace priors that exist.")
