"""Captions → prompts → token numbers, and what of them is read: a text encoder ends after so many tokens (CLIP: 77)."""

import re
import sys
import warnings
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Int
from torch import Tensor
from transformers import CLIPTokenizer

from gendeg.intensity.ask import Ask
from gendeg.primitives.errors import BadOption
from gendeg.primitives.kinds import Mix
from gendeg.prompts import make_prompt, phrase_of

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


class PromptWriter:
    """`make_prompt` for one model, or for none, that counts the captions it had to shorten."""

    def __init__(self, reader: Reader | None = None):
        self.reader = reader
        self.shortened: set[str] = set()

    def __call__(self, caption: str, mix: Mix, passes: Sequence[Mix] = ()) -> str:
        """The published order of words; of what is too long, the caption's end is left out and never the phrase.

        `passes`: a mix that is made one part after the other. Each part has a prompt of its own; that of the whole is
        recorded, with as much of the caption as all of them have, and read by nobody. Raises `BadOption` where not
        even the phrase is read.
        """
        if passes:
            told = [self(caption, one).removesuffix(phrase_of(one)).removesuffix(", ") for one in passes]
            return join(min(told, key=len), phrase_of(mix))
        prompt = make_prompt(caption, mix)
        if self.reader is None or self.reader.fits(prompt):
            return prompt
        phrase = phrase_of(mix)
        if not self.reader.fits(phrase):
            count, limit = self.reader.count(phrase), self.reader.limit
            raise BadOption("--type", f"'{phrase}' has {count} tokens, and this model reads {limit}: it cannot be told")
        self.shortened.add(caption)
        return join(shortened(caption, phrase, self.reader.fits), phrase)

    def say(self) -> None:
        """How many captions were shortened, once, where any was."""
        if self.shortened and self.reader is not None:
            count = f"{len(self.shortened)} caption{'s' if len(self.shortened) > 1 else ''}"
            print(
                f"gendeg: {count} shortened: this model reads {self.reader.limit} tokens, the words of the degradation "
                "among them ('prompt' in the records is what it read)",
                file=sys.stderr,
            )

    def rewrite(self, ask: Ask) -> Ask:
        """What was asked before there was a model, with a prompt that this one reads whole."""
        return replace(ask, prompt=self(ask.caption, ask.mix, [part.mix for part in ask.parts]))
