"""What may be written for a degradation, and what it is called."""

from itertools import combinations, permutations

import pytest

from gendeg.primitives.errors import BadMix, UnknownDegradation
from gendeg.primitives.kinds import (
    EVERY,
    KNOWN,
    LIGHT_PATH,
    Degradation,
    mix_name,
    parse_known,
    parse_mix,
    parse_mixes,
    parse_types,
    parse_wanted,
)


def test_any_two_or_three_are_one_mix_in_any_order():
    for size in (2, 3):
        for mix in combinations(Degradation, size):
            assert len({parse_mix("+".join(order)) for order in permutations(mix)}) == 1
    assert len(set(map(mix_name, EVERY))) == len(EVERY) == 6 + 15 + 20


def test_the_two_that_are_learnt_keep_their_names_and_others_have_the_order_of_the_light():
    assert mix_name(parse_mix("haze+rain")) == "rain+haze" and mix_name(parse_mix("haze+snow")) == "snow+haze"
    assert mix_name(parse_mix("low-light+Snow")) == "snow+low_light"
    for mix in set(EVERY) - set(KNOWN):
        assert list(mix) == sorted(mix, key=LIGHT_PATH.index)


def test_strengths_stand_in_the_order_of_the_light():
    wanted = parse_wanted("rain=0.4 + haze=.6")
    assert (mix_name(wanted.mix), wanted.kinds, wanted.own) == (
        "rain+haze",
        parse_mix("haze") + parse_mix("rain"),
        (0.6, 0.4),
    )
    assert parse_wanted("low_light+haze=1").own == (1.0, None)
    assert parse_wanted("snow").own == (None,)


def test_the_classes_of_cdd_by_one_word():
    names = [mix_name(wanted.mix) for wanted in parse_types("cdd11")]
    assert len(names) == 11 and {"snow+haze", "haze+rain+low_light", "low_light"} < set(names)
    assert len(parse_types("all,haze,cdd11,haze=0.2")) == 6 + 7 + 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("haze+haze", "has haze twice"),
        ("haze+rain+snow+low_light", "has 4 parts"),
        ("haze=1.2+rain", "must lie in \\[0, 1\\], got 1.2"),
        ("haze=nan", "must lie in"),
        ("haze=-0.1", "must lie in"),
        ("haze=much+rain", "'much' is not a number"),
        ("haze=+rain", "'' is not a number"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(text, said):
    with pytest.raises(BadMix, match=said):
        parse_types(text)


@pytest.mark.parametrize("text", ["fog", "", "+", "haze+", "haze+fog", "rain,"])
def test_unknown_kinds(text):
    with pytest.raises(UnknownDegradation, match="(choose|mean haze. Choose) from haze, rain"):
        parse_types(text)


def test_who_takes_no_strengths_or_no_other_mixes_says_so():
    with pytest.raises(BadMix, match="intensities"):
        parse_mixes("haze=0.3")
    with pytest.raises(UnknownDegradation, match="haze\\+low_light"):
        parse_known("rain+haze,haze+low_light")
