"""What every test run has: the repository on the path (`tests.tiny`), and shapes checked on every annotated call."""

import sys
from pathlib import Path

from jaxtyping import install_import_hook

ROOT = str(Path(__file__).resolve().parents[1])
if ROOT not in sys.path:
    sys.path.insert(0, ROOT)
install_import_hook("gendeg", "beartype.beartype")
