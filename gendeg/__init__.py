"""gendeg: clean photos → degraded ones, with a latent diffusion model told which degradation and how strong."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gendeg.intensity.measure import measure_intensity
    from gendeg.model.pipeline import GenDegPipeline
    from gendeg.model.weights import load_pipeline
    from gendeg.primitives.kinds import Degradation
    from gendeg.shards.reader import load_gends

__version__ = "0.1.0"
__all__ = ["Degradation", "GenDegPipeline", "load_gends", "load_pipeline", "measure_intensity"]

HOMES = {
    "Degradation": "gendeg.primitives.kinds",
    "GenDegPipeline": "gendeg.model.pipeline",
    "load_gends": "gendeg.shards.reader",
    "load_pipeline": "gendeg.model.weights",
    "measure_intensity": "gendeg.intensity.measure",
}


def __getattr__(name: str) -> Any:
    """Public names load on first use, so that `import gendeg` and the command line's help stay light."""
    if name not in HOMES:
        raise AttributeError(f"module 'gendeg' has no attribute '{name}'")
    return getattr(import_module(HOMES[name]), name)
