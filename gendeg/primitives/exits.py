"""The one table that turns errors into advice and exit codes."""

import os
import traceback

from gendeg.primitives.advice import READING, WRITING, with_advice
from gendeg.primitives.errors import BadOption, GendegError, Interrupted, UnknownDegradation

ERROR, WRONG_USAGE, SOME_FAILED, INTERRUPTED, TERMINATED = 1, 2, 3, 130, 143

EXIT_CODES: dict[type[Exception], int] = {UnknownDegradation: WRONG_USAGE, BadOption: WRONG_USAGE, GendegError: ERROR}

OUT_OF_MEMORY = ("out of memory", "allocate memory")  # as torch says it of a GPU and of a CPU


def advice_for(error: Exception) -> tuple[str, int]:
    """One line for people, and the exit code. What we did not foresee says so; GENDEG_DEBUG=1 shows its trace."""
    if isinstance(error, Interrupted):
        return str(error), 128 + error.signal
    for kind, code in EXIT_CODES.items():
        if isinstance(error, kind):
            return str(error), code
    if isinstance(error, MemoryError) or any(words in str(error).lower() for words in OUT_OF_MEMORY):
        return "out of memory; fewer or smaller images at a time need less (--batch-size, --workers, --size)", ERROR
    if isinstance(error, OSError) and error.strerror:
        said = f"{error.filename or 'a file'}: {error.strerror}"
        return with_advice(said, error.strerror, WRITING | READING), ERROR
    if os.environ.get("GENDEG_DEBUG"):
        traceback.print_exception(error)
    said = " ".join(str(error).split())
    return f"unexpected {type(error).__name__}: {said} (GENDEG_DEBUG=1 shows where; please report it)", ERROR
