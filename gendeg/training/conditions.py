"""What each training example is told: a prompt, statistics, and what of it guidance dropout takes away."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gendeg.intensity.bins import MU_BINS, SIGMA_BINS
from gendeg.intensity.measure import Intensity
from gendeg.primitives.kinds import Mix, parse_mix
from gendeg.primitives.rng import for_sample
from gendeg.prompts import make_prompt, words
from gendeg.training.captions import random_caption

NULL = float("nan")


@dataclass(frozen=True)
class Condition:
    """One example's condition; NaN statistics and an empty prompt are the null ones."""

    prompt: str
    mu: float
    sigma: float
    keep_image: bool


@dataclass(frozen=True)
class Dropout:
    """Shares of examples that lose the text (with both statistics), the image, or both (GenDeg, section 4)."""

    text: float = 0.05
    image: float = 0.05
    both: float = 0.05

    def draw(self, generator: np.random.Generator) -> tuple[bool, bool]:
        """(keep text and statistics, keep image)."""
        u = generator.uniform()
        no_text = u < self.text or self.text + self.image <= u < self.text + self.image + self.both
        no_image = self.text <= u < self.text + self.image + self.both
        return not no_text, not no_image


def make_condition(
    degradation: str,
    caption: str,
    measured: Intensity,
    dropout: Dropout,
    caption_mix: float,
    seed: int,
    number: int,
    write_prompt: Callable[[str, Mix], str] = make_prompt,
) -> Condition:
    """The condition of the run's `number`-th example. Statistics past the last bin are told as its upper end.

    `write_prompt` makes prompts that the model reads whole.
    """
    keep_text, keep_image = dropout.draw(for_sample(seed, number, "dropout"))
    if not keep_text:
        return Condition("", NULL, NULL, keep_image)
    generator = for_sample(seed, number, "caption")
    if caption == words().fallback_caption and generator.uniform() < caption_mix:
        caption = random_caption(generator)
    prompt = write_prompt(caption, parse_mix(degradation))
    return Condition(prompt, min(measured.mu, MU_BINS.high), min(measured.sigma, SIGMA_BINS.high), keep_image)
