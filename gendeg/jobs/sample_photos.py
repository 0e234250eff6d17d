"""The photographs that commands use when they are given none: the two that scikit-learn ships."""

from importlib.util import find_spec
from pathlib import Path

from gendeg.primitives.errors import IncompleteInstall

NAMES = ("china.jpg", "flower.jpg")


def sample_photos() -> tuple[Path, ...]:
    """Found without importing scikit-learn. Raises `IncompleteInstall` when they are not there."""
    spec = find_spec("sklearn")
    folders = [Path(place) / "datasets" / "images" for place in (spec.submodule_search_locations or [])] if spec else []
    paths = tuple(folder / name for folder in folders for name in NAMES if (folder / name).is_file())
    if not paths:
        raise IncompleteInstall("scikit-learn's sample photographs", folders)
    return paths
