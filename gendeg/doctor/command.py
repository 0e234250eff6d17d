"""gendeg doctor"""

from typing import Annotated

import typer

from gendeg.doctor.show import show

EXAMPLE = "Example: gendeg doctor   (gendeg doctor --json for machines)"


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="All findings as one JSON object, nothing else.")] = False,
) -> int:
    """See what of this machine and installation runs, what is off, and what helps. Paste it into a report."""
    return show(as_json)
