"""Sizes of the restorers by name: `tiny` learns in minutes on a CPU, `paper` is as published."""

from collections.abc import Callable

from gendeg.primitives.errors import BadOption
from gendeg.restore.networks.nafnet import NAFRestorer, quick_start
from gendeg.restore.networks.network import Restorer
from gendeg.restore.networks.promptir import PromptRestorer
from gendeg.restore.networks.swin import SwinRestorer

PRESETS: dict[str, dict[str, Callable[[], Restorer]]] = {
    "nafnet": {
        "tiny": lambda: quick_start(NAFRestorer(12, (0, 1, 1), 1, (0, 1, 1), recolour=True)),
        "paper": lambda: NAFRestorer(),
    },
    "swin": {
        "tiny": lambda: SwinRestorer(24, (2, 2), (2, 4), window=8, patch=4, stem=16),
        "paper": lambda: SwinRestorer(),
    },
    "promptir": {
        "tiny": lambda: PromptRestorer(8, (1, 1, 1), (1, 2, 4), 1, (8, 16), (16, 8)),
        "paper": lambda: PromptRestorer(),
    },
}


def make_restorer(model: str, preset: str) -> Restorer:
    """A fresh network, which changes nothing yet. Raises `BadOption` for a name that is not here."""
    if model not in PRESETS:
        raise BadOption("--model", f"'{model}' is none of {', '.join(PRESETS)}")
    if preset not in PRESETS[model]:
        raise BadOption("--preset", f"'{preset}' is none of {', '.join(PRESETS[model])}")
    return PRESETS[model][preset]()
