"""What libraries say by themselves (bars, warnings) is kept out of a command's output; GENDEG_DEBUG=1 shows it."""

import logging
import os
import sys
import warnings

LEVELS = ("TRANSFORMERS_VERBOSITY", "DIFFUSERS_VERBOSITY", "DATASETS_VERBOSITY", "HF_HUB_VERBOSITY")
SWITCHES = {
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1",
    "TORCH_CPP_LOG_LEVEL": "ERROR",
    "PYTHONWARNINGS": "ignore",  # of worker processes
}
HUB_BARS = "HF_HUB_DISABLE_PROGRESS_BARS"


def hush_libraries() -> None:
    """Before they are imported, for they read these variables then; what the user has set stays.

    Errors are still told. Bars of downloads and uploads stay where somebody watches: they take minutes.
    """
    if os.environ.get("GENDEG_DEBUG"):
        return
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    for name in LEVELS:
        os.environ.setdefault(name, "error")
    for name, value in SWITCHES.items():
        os.environ.setdefault(name, value)
    if not (sys.stderr and sys.stderr.isatty()):
        os.environ.setdefault(HUB_BARS, "1")
    if logging.lastResort is not None:  # where all others end that bring no handler: accelerate, torch, matplotlib …
        logging.lastResort.setLevel(logging.ERROR)
