"""Mixtures of existing and generated pairs: what is chosen, and what cannot be read."""

from collections import Counter

import pytest

from gendeg.pairs.pair import open_pairs
from gendeg.primitives.errors import UnknownDegradation
from gendeg.study.mixtures import parse_mixture, some
from tests.builds import finished_build


def test_shares_of_degradations_and_strengths_choose_among_the_generated():
    pairs = open_pairs([finished_build() / "out"])
    count = Counter(one.degradation for one in pairs)
    assert set(count) == {"haze", "rain"} and min(count.values()) > 1
    twice = parse_mixture("rain=2,haze=0").chosen(pairs)
    assert Counter(one.name for one in twice) == {one.name: 2 for one in pairs if one.degradation == "rain"}
    for kind, of_kind in count.items():
        half = round(0.5 * of_kind)
        weak, strong = (
            [one for one in parse_mixture(f"strength={ends}").chosen(pairs) if one.degradation == kind]
            for ends in ("0:0.5", "0.5:1")
        )
        assert len(weak) == half and len(weak) + len(strong) == of_kind
        assert max(one.mu for one in weak) <= min(one.mu for one in strong)
    assert len(parse_mixture("strength=0:0.001").chosen(pairs)) == 2  # one of each at least
    assert Counter(parse_mixture("existing=0.5").chosen(pairs)) == Counter(pairs)


def test_shares_lie_within_each_other_and_begin_again_beyond_one():
    pairs = open_pairs([finished_build() / "out"])
    assert some(pairs, 0) == [] and some([], 1) == [] and some(pairs, 0.001) == pairs[:1]
    assert some(pairs, 0.5) == pairs[: round(len(pairs) / 2)]
    assert some(pairs, 1.5) == pairs + pairs[: round(1.5 * len(pairs)) - len(pairs)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("snow", "has 'snow'; known are existing, generated"),
        ("snoww=2", "did you mean snow"),
        ("strength=1:0", "the lower first"),
        ("strength=0.5", "the lower first"),
        ("snow=20", "a number of 0 to 10"),
        ("snow=nan", "a number of 0 to 10"),
        ("snow=1,snow=2", "has snow twice"),
        ("strength=0:0.5,strength=0.5:1", "has strength twice"),
        ("snow=1, generated=1", "changes nothing"),
        ("", "known are"),
    ],
)
def test_what_cannot_be_read_is_told(text, words):
    with pytest.raises(UnknownDegradation, match=words):
        parse_mixture(text)
