"""Bytes, seconds and changes of settings for people."""

import pytest

from gendeg.primitives.quantities import say_bytes, say_change, say_seconds


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (3_500_000, "3.5 MB"),
        (26.73e9, "26.7 GB"),
        (2e12, "2.0 TB"),
    ],
)
def test_bytes_in_the_unit_that_fits(count, text):
    assert say_bytes(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 seconds"), (36.2, "36 seconds"), (120, "2 minutes"), (7199, "120 minutes"), (186_372, "51.8 hours")],
)
def test_seconds_in_the_unit_that_fits(seconds, text):
    assert say_seconds(seconds) == text


MANY = [f"photo-{number}" for number in range(30)]


@pytest.mark.parametrize(
    ("then", "now", "text"),
    [
        ("haze,rain", "haze", " (haze,rain -> haze)"),
        (0.05, 0.5, " (0.05 -> 0.5)"),
        (None, 3, " (nothing -> 3)"),
        (True, "", " (true -> nothing)"),
        ([1, 2], {"a": 1}, ' ([1, 2] -> {"a": 1})'),
        ("0" * 64, "f" * 64, ""),
        (MANY, [*MANY[:29], "x"], ' (…o-28", "photo-29"] -> …o-28", "x"])'),
        ("x" * 100, "y" * 100, f" ({'x' * 40}… -> {'y' * 40}…)"),
    ],
)
def test_a_change_is_told_and_shortened_where_it_does_not_differ(then, now, text):
    assert say_change(then, now) == text
