"""Knobs of gendeg report."""

from dataclasses import dataclass
from pathlib import Path

from gendeg.primitives.options import argument, option


@dataclass(frozen=True)
class ReportConfig:
    """gendeg report"""

    path: Path = argument(help="The --out folder of gendeg build or gendeg evaluate.", there=True)
    out: Path = option(Path("report.html"), "The page: one HTML file that needs no network.")
    pictures: int = option(12, "Pictures of each degradation on the contact sheet.", min=1)
    picture_size: int = option(320, "Pixels of their longer side, at most.", min=16)  # 0: as they are
    overwrite: bool = option(False, "Replace a page that exists.")
    progress: bool | None = None  # no option
