"""Knobs of gendeg bundle."""

from dataclasses import dataclass
from pathlib import Path

from gendeg.primitives.options import argument, option


@dataclass(frozen=True)
class BundleConfig:
    """gendeg bundle"""

    clean: tuple[Path, ...] = argument(help="Clean photos, folders of them, or a .txt list of paths.", there=True)
    recipe: Path = option(help="What to make, step by step.")
    out: Path = option(help="Folder for every step's results; the same command again goes on.")
    minutes: float = option(0.0, "Fit the steps to this time on this machine; 0: as many as the recipe says.", min=0)
    pairs: tuple[Path, ...] = option(
        (), "Manifest of real pairs to learn from too; may be given several times.", there=True
    )
    weights: str = option("", "Draw kinds or sources more often, beside the recipe's: gopro=2.")
    init: str = option("", "Start from the weights of: bundled, or a model's folder.")  # its autoencoder stays
    install: bool = option(False, "Put the model and its priors into this checkout.")
