"""What every test run has: the repository on the path (`tests.tiny`), and shapes checked on every annotated call."""

import sys
from pathlib import Path

from jaxtyping import install_import_hook

HERE = Path(__file__).resolve().parent
# The folder itself too: the hook looks its checker up as an attribute of a top-level module.
sys.path += [path for path in (str(HERE.parent), str(HERE)) if path not in sys.path]
install_import_hook("gendeg", "shapes.checker")
