"""Knobs of gendeg restore study."""

from dataclasses import dataclass
from pathlib import Path

from gendeg.primitives.options import DEVICE, option


@dataclass(frozen=True)
class StudyConfig:
    """gendeg restore study; everything that numbers depend on stands in the recipe

    `clean`, `test_clean`, `pairs` and `real` stand instead of what the recipe names; "" is nothing.
    """

    recipe: Path = option(Path("ood"), "A .toml file, or the name of one in manifests/recipes.")
    out: Path = option(Path("out/study"), "Folder of data, runs and page; the same command again goes on.")
    clean: str | None = option(None, "Clean photos: a folder, a .txt list, or a .csv with path and split columns.")
    test_clean: str | None = option(None, "Other photos to test on; '': rows of split test, or a fifth.")
    pairs: tuple[Path, ...] = option((), "Real pairs: manifests, datasets, or .csv tables; several times.", there=True)
    real: str | None = option(None, "Real degraded photos without pairs, for task transfer.")
    workers: int = option(0, "Trainings at a time; 0: one per core, one on a GPU.", min=0)
    device: str = DEVICE()
    progress: bool | None = None  # no option
