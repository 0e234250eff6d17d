"""Knobs of gendeg export."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gendeg.primitives.kinds import parse_mixes
from gendeg.primitives.options import argument, checked, option


@dataclass(frozen=True)
class ExportConfig:
    """gendeg export"""

    places: tuple[str, ...] = argument(
        help="Datasets, pair manifests, tables of pairs, tars; several are mixed.", there=True
    )
    out: Path = option(help="A new folder, or the one of the same command before, which goes on.")
    to: Literal["basicsr", "promptir", "adair", "cdd", "folders"] = option(
        "folders", "Whose loader: BasicSR and its family, PromptIR, AdaIR, CDD-11 (OneRestore); or plain folders."
    )
    split: Literal["all", "train", "validation", "test"] = option("all", "Which pairs.")
    types: str = option(
        "", "Degradations and mixes only (rain,rain+haze); default: all that there are.", parse=checked(parse_mixes)
    )
    lmdb: bool = option(False, "BasicSR: two LMDB databases of each split instead of files (needs the extra lmdb).")
    link: bool = option(False, "Hard links to photos that are files already, where no byte has to change.")
    workers: int = option(4, "Threads that read, encode and write.", min=1)
    progress: bool | None = None
