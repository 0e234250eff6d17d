"""The command line: words → config → run. Importing it imports no torch."""

from gendeg.cli.app import main

__all__ = ["main"]
