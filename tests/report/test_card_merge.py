"""The card's two authors: between the marks gendeg, around them people, and neither takes from the other."""

import pytest
import yaml

from gendeg.report.card_merge import body_part, head_part, merge_card


def fresh(samples: int = 1) -> str:
    head = head_part(f"configs:\n- config_name: default\ndataset_info:\n- num_examples: {samples}\n")
    return f"---\nlicense: other\n{head}---\n\n" + body_part(f"# Title\n\n{samples} pairs\n") + "\n"


def front(text: str) -> dict:
    return yaml.safe_load(text.split("---")[1])


def test_what_is_missing_or_cut_is_written_whole():
    card = fresh()
    for standing in ("", "\n", *(card[:end] for end in range(1, len(card) - 1))):
        merged = merge_card(standing, card)
        assert (merged.text, merged.edited, merged.stale) == (card, False, True)


def test_what_is_good_stays():
    merged = merge_card(fresh(), fresh())
    assert (merged.text, merged.edited, merged.stale) == (fresh(), False, False)


EDITS = {
    "after": lambda t: t + "\n## Mine\n\ntext \\1 \\g<0>\n",
    "before": lambda t: t.replace("<!-- gendeg:begin", "Mine\n\n<!-- gendeg:begin", 1),
    "licence": lambda t: t.replace("license: other", "license: cc-by-4.0\nlanguage: en  # mine"),
    "windows": lambda t: (t + "Mine\n").replace("\n", "\r\n"),
    "byte order mark": lambda t: "\ufeff" + t,
    "no last newline": lambda t: t + "Mine",
    "no front matter": lambda t: "Mine\n" + t[t.index("<!--") :],
}


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_is_no_damage_and_outlives_other_numbers(name):
    standing = EDITS[name](fresh())
    merged = merge_card(standing, fresh())
    assert (merged.text, merged.edited, merged.stale) == (standing, True, False)
    later = merge_card(standing, fresh(7))
    assert later.stale and later.edited
    assert later.text == EDITS[name](fresh(7))


def test_our_own_part_is_put_right():
    for damage in (("1 pairs", "9 pairs"), ("num_examples: 1", "num_examples: 9")):
        merged = merge_card(fresh().replace(*damage) + "Mine\n", fresh())
        assert merged.stale and merged.text == fresh() + "Mine\n"


def test_a_card_without_our_marks_is_somebodys_own():
    merged = merge_card("# My dataset\n", fresh())
    assert (merged.text, merged.edited, merged.stale) == ("# My dataset\n", True, False)


def test_a_program_that_writes_the_front_matter_again_drops_the_marks_there():
    """As huggingface_hub's metadata_update does."""
    body = fresh()[fresh().index("\n\n<!--") :]
    again = "---\n" + yaml.safe_dump(front(fresh()) | {"language": "en"}, sort_keys=False) + "---" + body
    assert not merge_card(again, fresh()).stale
    later = merge_card(again, fresh(7))
    assert later.stale and front(later.text) == front(fresh(7)) | {"language": "en"}
    assert not merge_card(later.text, fresh(7)).stale


@pytest.mark.parametrize("mark", ["# gendeg:begin", "# gendeg:end", "<!-- gendeg:begin", "<!-- gendeg:end -->"])
def test_one_lost_mark_costs_nobody_a_word(mark):
    lines = (fresh() + "Mine\n").split("\n")
    standing = "\n".join(line for line in lines if not line.startswith(mark))
    merged = merge_card(standing, fresh())
    assert merged.stale and "Mine" in merged.text and "1 pairs" in merged.text
    settled = merge_card(merged.text, fresh())
    assert not settled.stale and settled.text == merged.text
