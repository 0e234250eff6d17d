"""gendeg report"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from gendeg.configs import ReportConfig

EXAMPLE = "Example: gendeg report gends/ --out page.html"


def report(
    path: Annotated[Path, typer.Argument(help="The --out folder of gendeg build or gendeg evaluate.")],
    out: Annotated[Path, typer.Option(help="The page: one HTML file that needs no network.")] = Path("report.html"),
    pictures: Annotated[int, typer.Option(min=1, help="Pictures of each degradation on the contact sheet.")] = 12,
    picture_size: Annotated[int, typer.Option(min=16, help="Pixels of their longer side, at most.")] = 320,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a page that exists.")] = False,
) -> None:
    """Write one HTML page to look at: pictures with a slider, asked against measured, counts, failures, provenance."""
    from gendeg.jobs.report import report as run

    size = run(ReportConfig(path, out, pictures, picture_size, overwrite))
    print(f"open {out} ({size / 1e6:.1f} MB)", file=sys.stderr)
