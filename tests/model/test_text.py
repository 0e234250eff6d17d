"""How much text a model reads: what fits is left alone, what does not is cut in its caption and never in its ending."""

import warnings

import pytest
import torch

from gendeg.model.text import Reader, join, shortened
from tests.tiny import SIZES, tiny_pipeline, tiny_tokenizer

READER = Reader(tiny_tokenizer(), SIZES.tokens)
ENDING = "in hazy conditions"
LONG = {
    "300 words": "a dog on a street " * 60,
    "no spaces": "streetdog" * 40,
    "Chinese": "一只狗在街上，远处有山。" * 20,
    "emoji": "🐶 on a 🚗 " * 30,
    "an address first": "https://example.org/" + "a-dog/" * 40 + " a street",
    "an address behind": "a dog " + "street" * 60,
    "ends in commas": "a dog, a street, a hill, a photo, a dog, a street, a hill, a photo",
}


def letters(caption: str):
    """A stand-in for tokens whose answers can be counted: at most 40 letters."""
    return len(caption) <= 40


def test_whole_words_as_many_as_fit():
    caption = "one two three four five six seven"
    assert shortened(caption, "in rain", letters) == "one two three four five six"
    assert shortened(caption, "", letters) == caption
    assert len(join("one two three four five six", "in rain")) <= 40 < len(join(caption, "in rain"))


def test_the_end_is_clean_and_spaces_are_single():
    assert shortened("a   dog,\n a street, and so on and on", "in the darkest of all the nights", letters) == "a dog"


def test_a_long_word_is_cut_inside_and_a_short_one_is_not():
    assert shortened("一" * 100, "in rain", letters) == "一" * 31
    assert shortened("a dog " + "x" * 100, "in rain", letters) == "a dog " + "x" * 25
    assert shortened("a dog on " + "x" * 24, "in the rain", letters) == "a dog on"


def test_nothing_is_kept_where_nothing_fits():
    assert shortened("a dog", "x" * 40, letters) == ""
    assert shortened("x" * 100, "y" * 38, letters) == "" and join("", "phrase") == "phrase"


@pytest.mark.parametrize("caption", LONG.values(), ids=LONG)
def test_the_ending_is_read_behind_any_caption(caption):
    kept = shortened(caption, ENDING, READER.fits)
    assert kept and " ".join(caption.split()).startswith(kept)
    assert READER.count(join(kept, ENDING)) <= READER.limit
    ids, tail = READER.numbers([join(kept, ENDING)])[0].tolist(), tiny_tokenizer()(ENDING).input_ids[1:-1]
    assert str(tail)[1:-1] in str(ids), "all of its tokens, in their order"


def test_what_fits_is_as_the_tokenizer_itself_has_it():
    texts = ["", "a dog", "a photo, in hazy conditions", "日本"]
    whole = tiny_tokenizer()(texts, padding="max_length", truncation=True, max_length=16, return_tensors="pt").input_ids
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert torch.equal(READER.numbers(texts), whole)


def test_fitting_is_counted_in_tokens():
    """15 of 16: start and end are two of them. Letters alone would not tell."""
    for text in ("conditions " * 14, "a " * 14, "日" * 4, "a photo, in hazy conditions, in hazy"):
        assert READER.fits(text) == (READER.count(text) <= 16)
    assert READER.fits("conditions " * 14) and not READER.fits("conditions " * 15)


@pytest.mark.parametrize("phrase", ["in hazy conditions", "in rainy conditions", "with raindrops in it"])
def test_a_whole_prompt_keeps_what_stands_behind_its_last_comma(phrase):
    with pytest.warns(UserWarning, match="this prompt has .* its caption was shortened"):
        read = READER.readable(f"{LONG['ends in commas']}, {phrase}")
    assert read.endswith(f", {phrase}") and read.startswith("a dog, a street") and READER.fits(read)


@pytest.mark.filterwarnings("ignore:the model reads")
def test_without_an_ending_the_beginning_is_read():
    for prompt in ("word " * 300, "a dog, " + "street " * 300):
        assert READER.fits(READER.readable(prompt)) and prompt.startswith(READER.readable(prompt))


@pytest.mark.filterwarnings("ignore:the model reads")
@torch.no_grad()
def test_two_degradations_of_one_long_caption_are_told_apart():
    """The fault: behind a caption of 75 words all degradations were the same."""
    pipeline, caption = tiny_pipeline(), LONG["300 words"]
    haze, rain = pipeline.encode_text([f"{caption}, in {kind} conditions" for kind in ("hazy", "rainy")])[0]
    assert (haze - rain).abs().max() > 0.01
