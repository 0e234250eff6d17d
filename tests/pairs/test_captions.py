"""Captions made plain, and a cache that survives a cut line and two captioners."""

import pytest

from gendeg.pairs.captions import cache_file, default_cache, keep_captions, open_cache, plain_caption
from gendeg.primitives.errors import OutputNotWritable
from gendeg.prompts import words

OPENINGS = ("a photo of", *words().captioner_openings)


@pytest.mark.parametrize(
    ("said", "caption"),
    [
        ("a photo of a street", "a street"),
        ("A Photo of  a\tstreet .\n", "a street"),
        ("a picture of two dogs.", "two dogs"),
        ('"The image shows a red car."', "a red car"),
        ("there is a dog", "a dog"),
        ("a photo officer", "a photo officer"),
        ("\n\na hill\nAnd more that nobody asked for.", "a hill"),
        ("a photo of a photo of a hill", "a photo of a hill"),
        ("", ""),
        (" ...\n", ""),
        ("a photo of", ""),
        ("ein Hügel", "ein Hügel"),
    ],
)
def test_plain_captions(said, caption):
    assert plain_caption(said, OPENINGS) == caption


def test_a_cache_is_read_back_and_grows(tmp_path):
    path = cache_file(tmp_path / "deep" / "cache", {"model": "a", "tokens": 3})
    assert open_cache(path) == {}
    keep_captions(path, {"1": "a dog", "2": ""})
    keep_captions(path, {"3": "ein Hügel"})
    assert open_cache(path) == {"1": "a dog", "2": "", "3": "ein Hügel"}


def test_a_line_that_was_cut_costs_only_itself(tmp_path):
    path = tmp_path / "cache.jsonl"
    keep_captions(path, {"1": "a dog", "2": "a cat"})
    path.write_bytes(path.read_bytes()[:-9])
    assert open_cache(path) == {"1": "a dog"}
    keep_captions(path, {"2": "a cow"})
    assert open_cache(path) == {"1": "a dog", "2": "a cow"}
    path.write_text(path.read_text() + '[1]\n{"sha256": 3, "caption": "x"}\n{"sha256": "4"}\n')
    assert open_cache(path) == {"1": "a dog", "2": "a cow"}


def test_each_captioner_has_its_own_file(tmp_path):
    facts = {"model": "a", "prefix": "a photo of"}
    assert cache_file(tmp_path, facts) == cache_file(tmp_path, dict(facts))
    assert cache_file(tmp_path, facts) != cache_file(tmp_path, facts | {"prefix": ""})


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputNotWritable):
        open_cache(tmp_path / "file" / "cache.jsonl")


def test_where_the_cache_is(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache() == tmp_path / "gendeg" / "captions"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_cache() == tmp_path / ".cache" / "gendeg" / "captions"
