"""What a build is said to take."""

from dataclasses import replace

import pytest

from gendeg.build.build import plan
from gendeg.build.estimate import Forecast, relative_area
from gendeg.shards.layout import Layout
from gendeg.shards.plan import EXISTING, PlanReader
from tests.builds import small_build


def test_an_estimate_is_said_in_units_that_fit():
    assert Forecast(26_730, 0.1864).say(1_000_000) == "about 26.7 GB, about 51.8 hours on one process like this"
    assert Forecast(26_730, 0.1864).say(42) == "about 1.1 MB, about 8 seconds on one process like this"
    assert Forecast(26_730, None).say(42) == "about 1.1 MB"


def test_a_small_photo_stands_for_its_pixels_only(tmp_path):
    config = small_build(tmp_path)
    plan(config)
    row = PlanReader(Layout(config.out).plan).rows(0)[0]
    small, large = replace(row, width=100, height=50), replace(row, width=300, height=150)
    assert relative_area(small, [small, large]) == pytest.approx(5.0)
    assert relative_area(large, [small, large]) == pytest.approx(5 / 9)
    assert relative_area(small, [small, replace(large, origin=EXISTING)]) == 1.0
