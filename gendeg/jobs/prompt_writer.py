"""(caption, degradation) → the prompt as a model reads it: captions that are too long for it lose their ends."""

import sys
from dataclasses import replace

from gendeg.jobs.synth_plan import Sample
from gendeg.model.text import Reader, join, shortened
from gendeg.primitives.errors import BadOption
from gendeg.primitives.kinds import Mix, mix_name
from gendeg.prompts import make_prompt, words


class PromptWriter:
    """`make_prompt` for one model, or for none, that counts the captions it had to shorten."""

    def __init__(self, reader: Reader | None = None):
        self.reader = reader
        self.shortened: set[str] = set()

    def __call__(self, caption: str, mix: Mix) -> str:
        """The published order of words; of what is too long, the caption's end is left out and never the phrase.

        Raises `BadOption` where not even the phrase is read.
        """
        prompt = make_prompt(caption, mix)
        if self.reader is None or self.reader.fits(prompt):
            return prompt
        phrase = words().phrases[mix_name(mix)]
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

    def rewrite(self, samples: tuple[Sample, ...]) -> tuple[Sample, ...]:
        """Planned samples, whose prompts were written before there was a model."""
        return tuple(replace(one, ask=replace(one.ask, prompt=self(one.ask.caption, one.ask.mix))) for one in samples)
