"""Prompts: the published phrases, one for each degradation and mix."""

import pytest

from gendeg.primitives.kinds import KNOWN, mix_name, parse_mix
from gendeg.prompts import make_prompt, words

PUBLISHED = {
    "haze": "a street, in hazy conditions",
    "rain": "a street, in rainy conditions",
    "snow": "a street, in snowy conditions",
    "motion_blur": "a street, in blurry conditions",
    "low_light": "a street, in low-light conditions",
    "raindrop": "a street, with raindrops in it",
    "rain+haze": "a street, in rainy and hazy conditions",
    "snow+haze": "a street, in snowy and hazy conditions",
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_phrases(name):
    assert make_prompt("a street", parse_mix(name)) == PUBLISHED[name]


def test_every_known_mix_has_a_phrase():
    assert set(words().phrases) == {mix_name(mix) for mix in KNOWN} == set(PUBLISHED)


@pytest.mark.parametrize("caption", ["", "  ", "\n"])
def test_an_empty_caption_becomes_the_fallback(caption):
    assert make_prompt(caption, parse_mix("haze")) == f"{words().fallback_caption}, in hazy conditions"


def test_blanks_are_folded():
    assert make_prompt(" a\n red  car ", parse_mix("snow")) == "a red car, in snowy conditions"
