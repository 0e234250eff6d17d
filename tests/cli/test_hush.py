"""Libraries' bars and warnings stay out of a command's output, unless somebody wants to see them."""

import os
import subprocess
import sys

import pytest

LIGHT = """
import logging, warnings
from gendeg.cli.hush import hush_libraries
hush_libraries()
warnings.warn("a warning of Python")
logging.getLogger("accelerate.utils").warning("a notice without a handler")
logging.getLogger("accelerate.utils").error("an error")
"""
HEAVY = """
import io, warnings
from gendeg.cli.hush import hush_libraries
hush_libraries()
import datasets, diffusers, huggingface_hub, transformers
from PIL import Image
for library in (datasets.utils, diffusers.utils, huggingface_hub.utils, transformers.utils):
    library.logging.get_logger(library.__name__ + ".x").warning("a notice")
list(datasets.Dataset.from_dict({"n": list(range(9))}).map(lambda row: row).filter(lambda row: True))
list(huggingface_hub.utils.tqdm(range(3)))
Image.MAX_IMAGE_PIXELS = 10
stream = io.BytesIO()
Image.new("RGB", (4, 4)).save(stream, "PNG")
Image.open(stream)
"""


def said(code: str, **environment: str) -> str:
    own = {name: value for name, value in os.environ.items() if "VERBOSITY" not in name and "BARS" not in name}
    own.pop("PYTHONWARNINGS", None)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=own | environment)
    assert done.returncode == 0, done.stderr
    return done.stderr


def test_warnings_are_not_told_and_errors_are() -> None:
    assert said(LIGHT) == "an error\n"


@pytest.mark.parametrize("environment", [{"GENDEG_DEBUG": "1"}])
def test_whoever_looks_for_a_fault_sees_all(environment: dict[str, str]) -> None:
    shown = said(LIGHT, **environment)
    assert "a warning of Python" in shown and "a notice without a handler" in shown


@pytest.mark.slow
def test_every_library_that_we_use_is_quiet() -> None:
    assert said(HEAVY) == ""
    assert said(HEAVY, GENDEG_DEBUG="1") != ""
