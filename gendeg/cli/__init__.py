"""The command line: words → config → run. Importing it imports no torch."""

import sys
from typing import NoReturn

from gendeg.primitives.exits import INTERRUPTED


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run a command and exit with its code; where a package of the command line itself is missing, say so."""
    try:
        from gendeg.cli.app import main as run
    except ImportError as error:
        from gendeg.doctor.show import without_commands

        sys.exit(without_commands(sys.argv[1:] if arguments is None else arguments, str(error)))
    except KeyboardInterrupt:
        print("gendeg: interrupted; nothing was begun", file=sys.stderr)
        sys.exit(INTERRUPTED)
    run(arguments)


__all__ = ["main"]
