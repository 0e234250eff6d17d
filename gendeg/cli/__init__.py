"""The command line: words → config → job. Importing it imports no torch."""

from gendeg.cli.app import main

__all__ = ["main"]
