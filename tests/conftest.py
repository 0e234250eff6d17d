"""What every test run has: the repository on the path (`tests.tiny`), shapes checked on annotated calls, no network.

One thread of arithmetic a process: xdist starts a process a core, and sums come out the same on every machine.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import jaxtyping
import pytest

HERE = Path(__file__).resolve().parent
PACKAGE = HERE.parent / "gendeg"

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before anything imports torch
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["GENDEG_QUIET"] = "1"  # commands are held to one line, however slow the machine is

UNCHECKED = ("gendeg.primitives.records",)  # takes anything, normalises it and says itself what is wrong


def checked_modules() -> list[str]:
    """Every module of gendeg but UNCHECKED. A folder's own file is left out: its name would stand for all inside it."""
    names = [".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts) for path in PACKAGE.rglob("*.py")]
    return sorted(name for name in names if name not in UNCHECKED and not name.endswith(".__init__"))


# The folder itself too: the hook looks its checker up as an attribute of a top-level module.
sys.path += [path for path in (str(HERE.parent), str(HERE)) if path not in sys.path]
jaxtyping.install_import_hook([*checked_modules(), "gendeg.physics"], "shapes.checker")


@pytest.fixture(scope="session", autouse=True)
def own_temporary_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What tests and what they call put into a temporary folder goes where pytest clears up."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(tmp_path_factory.mktemp("temporary")))
        patch.setattr(tempfile, "tempdir", None)  # found anew when asked for
        yield


@pytest.fixture
def unchecked() -> Iterator[None]:
    """For tests that pass arguments of a wrong type on purpose, to see what the function itself says."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)
