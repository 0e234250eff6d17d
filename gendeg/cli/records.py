"""gendeg records"""

import sys
from pathlib import Path
from typing import Annotated

import typer

EXAMPLE = "Example: gendeg records out/synth/records.jsonl"


def records(path: Annotated[Path, typer.Argument(help="A records.jsonl that synth wrote.")]) -> None:
    """Print asked against measured mu and sigma, per degradation and intensity."""
    from gendeg.jobs.show_records import read_records, tabulate_records

    made, failed = read_records(path)
    print(tabulate_records(made))
    for failure in failed:
        print(f"failed ({failure.failed}): {failure.message}", file=sys.stderr)
