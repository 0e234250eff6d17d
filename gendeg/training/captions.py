"""Random captions from the word lists of prompts/captions.toml; they teach a small text encoder to expect any words."""

import re
import tomllib
from collections.abc import Iterator
from functools import cache

import numpy as np

from gendeg.primitives.files import data_root
from gendeg.primitives.kinds import KNOWN
from gendeg.primitives.rng import for_sample
from gendeg.prompts import make_prompt

CORPUS = 4000  # prompts


@cache
def _lists() -> dict[str, list[str]]:
    return tomllib.loads((data_root("prompts") / "captions.toml").read_text(encoding="utf-8"))


def random_caption(generator: np.random.Generator) -> str:
    """One template with each of its {slots} filled from the list of that name."""

    def fill(slot: re.Match[str]) -> str:
        return str(generator.choice(_lists()[slot.group(1)]))

    return re.sub(r"\{(\w+)\}", fill, str(generator.choice(_lists()["templates"])))


def corpus() -> Iterator[str]:
    """Prompts to learn a tokenizer's vocabulary from: random captions under every degradation in turn."""
    generator = for_sample(0, 0, "corpus")
    for number in range(CORPUS):
        yield make_prompt(random_caption(generator), KNOWN[number % len(KNOWN)])
