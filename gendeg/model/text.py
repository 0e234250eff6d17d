"""Prompts → token numbers, and what of a prompt is read: a text encoder ends after so many tokens (CLIP: 77)."""

import re
import warnings
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor
from transformers import CLIPTokenizer

LONGEST_WORD = 24
"""A longer run of letters without a space (an address, Chinese) is cut inside; it would take most of the caption."""
LOOSE = " ,;:.-–—、，。；："
"""What a caption that was cut does not end in."""
Fits = Callable[[str], bool]


@dataclass(frozen=True)
class Reader:
    """A tokenizer, and how many tokens its text encoder reads; the marks of start and end are among them."""

    tokenizer: CLIPTokenizer
    limit: int

    def count(self, text: str) -> int:
        """Tokens of a text, marks included. Never with the tokenizer's own cutting, whose state threads would share."""
        return len(self.tokenizer(text, verbose=False).input_ids)

    def fits(self, text: str) -> bool:
        """Whether all of it is read. A token is a letter at least, so most need no counting."""
        return (text.isascii() and len(text) + 2 <= self.limit) or self.count(text) <= self.limit

    def readable(self, prompt: str) -> str:
        """A whole prompt as far as it is read: what stands behind its last comma, the degradation, stays."""
        if self.fits(prompt):
            return prompt
        caption, _, ending = prompt.rpartition(", ")
        if not ending or not self.fits(ending):
            caption, ending = prompt, ""
        message = (
            f"the model reads {self.limit} tokens, this prompt has {self.count(prompt)}: its caption was shortened"
        )
        warnings.warn(message, stacklevel=2)
        return join(shortened(caption, ending, self.fits), ending)

    def numbers(self, prompts: Sequence[str]) -> Int[Tensor, "b tokens"]:
        """Token numbers, filled up to the limit; of a prompt that is too long, of what is `readable`."""
        rows = self.tokenizer([self.readable(prompt) for prompt in prompts], verbose=False).input_ids
        fill = self.tokenizer.pad_token_id
        return torch.tensor([[*row, *[fill] * (self.limit - len(row))] for row in rows])


def join(caption: str, ending: str) -> str:
    """A prompt of its two parts, either of which may be empty."""
    return ", ".join(part for part in (caption, ending) if part)


def shortened(caption: str, ending: str, fits: Fits) -> str:
    """The longest beginning of a caption that fits before the ending: whole words; nothing where none does."""
    caption = " ".join(caption.split())
    ends = [match.start() for match in re.finditer(" |$", caption)]

    def cut(places: Sequence[int]) -> str:
        count = bisect_right(places, False, key=lambda place: not fits(join(caption[:place].rstrip(LOOSE), ending)))
        return caption[: places[count - 1]] if count else ""

    kept = cut(ends)
    following = next((end for end in ends if end > len(kept)), len(caption))
    if following - len(kept) > LONGEST_WORD + 1 or not kept:
        kept = cut(range(len(kept) + 1, following + 1)) or kept
    return kept.rstrip(LOOSE)
