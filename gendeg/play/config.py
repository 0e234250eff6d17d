"""Knobs of gendeg play, and of each image that its page asks for."""

from dataclasses import dataclass

from gendeg.primitives.options import DEVICE, MODEL, option

LARGEST_SIZE = 2048
"""Pixels of the short side that one may ask for."""


@dataclass(frozen=True)
class PlayConfig:
    """gendeg play"""

    model: str = MODEL()
    device: str = DEVICE()
    host: str = option("127.0.0.1", "Who may come: this machine only; 0.0.0.0: everybody who reaches it.")
    port: int = option(7860, "0: any that is free.", min=0, max=65535)
    megabytes: int = option(32, "Largest file that is taken.", flag="--max-megabytes", min=1)
    megapixels: int = option(24, "Largest photo that is taken.", flag="--max-megapixels", min=1)


@dataclass(frozen=True)
class Wish:
    """What the page asks of a photo; `size` 0: as large as it is."""

    types: str
    intensity: float
    seed: int
    size: int
    model: str
