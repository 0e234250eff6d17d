"""Knobs of gendeg play."""

from dataclasses import dataclass

from gendeg.primitives.options import DEVICE, MODEL, option


@dataclass(frozen=True)
class PlayConfig:
    """gendeg play"""

    model: str = MODEL()
    device: str = DEVICE()
    host: str = option("127.0.0.1", "Who may come: this machine only; 0.0.0.0: everybody who reaches it.")
    port: int = option(7860, "0: any that is free.", min=0, max=65535)
    megabytes: int = option(32, "Largest file that is taken.", flag="--max-megabytes", min=1)
    megapixels: int = option(24, "Largest photo that is taken.", flag="--max-megapixels", min=1)
