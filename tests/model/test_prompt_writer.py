"""Prompts for one model: the published words where they fit, and every degradation behind captions that do not."""

import pytest

from gendeg.intensity.ask import ask_wanted
from gendeg.model.text import PromptWriter, Reader
from gendeg.primitives.errors import BadOption
from gendeg.primitives.kinds import KNOWN, mix_name, parse_types
from gendeg.prompts import make_prompt, phrase_of, words
from tests.tiny import example_record, tiny_tokenizer

CAPTION = "a street with a dog and a hill behind it, " * 10


@pytest.mark.parametrize("mix", KNOWN, ids=map(mix_name, KNOWN))
def test_the_phrase_is_read_whole(mix):
    write, phrase = PromptWriter(Reader(tiny_tokenizer(), 24)), words().phrases[mix_name(mix)]
    prompt = write(CAPTION, mix)
    assert prompt.endswith(f", {phrase}") and prompt.startswith("a street with") and write.reader.fits(prompt)
    assert write("a dog", mix) == make_prompt("a dog", mix), "as published where it fits"
    assert write("", mix) == make_prompt("", mix)
    assert write.shortened == {CAPTION}


def test_without_a_model_nothing_is_cut():
    assert PromptWriter()(CAPTION, KNOWN[0]) == make_prompt(CAPTION, KNOWN[0])


def test_a_caption_without_room_goes_whole_and_a_phrase_without_room_is_refused():
    count = len(tiny_tokenizer()("in hazy conditions").input_ids)
    (haze,) = [mix for mix in KNOWN if mix_name(mix) == "haze"]
    assert PromptWriter(Reader(tiny_tokenizer(), count))("a dog", haze) == "in hazy conditions"
    with pytest.raises(BadOption, match=f"has {count} tokens, and this model reads {count - 1}"):
        PromptWriter(Reader(tiny_tokenizer(), count - 1))("a dog", haze)


def test_a_mix_in_parts_is_told_part_by_part():
    (wanted,) = parse_types("snow+rain+low_light")
    whole, parts = phrase_of(wanted.mix), [(kind,) for kind in wanted.kinds]
    tokenizer = tiny_tokenizer()
    longest = max(len(tokenizer(phrase_of(part)).input_ids) for part in parts)
    write = PromptWriter(Reader(tokenizer, longest))
    assert not write.reader.fits(whole)
    with pytest.raises(BadOption, match="cannot be told"):
        write("a dog", wanted.mix)
    assert write("a dog", wanted.mix, parts).endswith(whole)
    ask = ask_wanted(wanted, 0.5, "a dog", learnt=())
    assert write.rewrite(ask).prompt == write("a dog", wanted.mix, parts)
    with pytest.raises(BadOption, match="cannot be told"):
        PromptWriter(Reader(tokenizer, longest - 1)).rewrite(ask)
    roomy = PromptWriter(Reader(tokenizer, 1000))
    assert roomy(CAPTION, wanted.mix, parts) == make_prompt(CAPTION, wanted.mix) and not roomy.shortened
    short = PromptWriter(Reader(tokenizer, 24))
    told = short(CAPTION, wanted.mix, parts)
    assert told.endswith(f", {whole}") and told.startswith("a street") and short.shortened == {CAPTION}


def test_it_is_said_once_with_a_count(capsys):
    write = PromptWriter(Reader(tiny_tokenizer(), 24))
    for caption in ("a dog", CAPTION, CAPTION, "another " * 50):
        write(caption, KNOWN[0])
    write.say()
    assert "2 captions shortened: this model reads 24 tokens" in capsys.readouterr().err
    PromptWriter(Reader(tiny_tokenizer(), 24)).say()
    assert capsys.readouterr().err == ""


def test_a_record_tells_that_its_caption_was_shortened():
    assert not example_record().shortened
    assert example_record(caption="a photo of a street", prompt="a photo, in rainy conditions").shortened
    assert not example_record(caption="a\n photo", prompt="a photo, in rainy conditions").shortened
    assert not example_record(origin="simulated", prompt="").shortened, "nothing was read"
