"""Bytes and seconds for people."""

import pytest

from gendeg.primitives.quantities import say_bytes, say_seconds


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
