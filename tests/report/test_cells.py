"""Numbers as text: one minus sign, no sign of zero, a dash for what was not measured, intervals on one scale."""

from gendeg.metrics.uncertainty import Estimate
from gendeg.report.cells import column, interval, number, verdict

ROW = {"value": 0.5, "low": -0.25, "high": 1.0, "n": 3}


def test_numbers_have_one_minus_sign_and_zero_has_none():
    assert [number(x, 2) for x in (1.234, -0.5, -0.001)] == ["1.23", "−0.50", "0.00"]
    assert [number(x, 2, signed=True) for x in (0.5, -0.5, 0.001)] == ["+0.50", "−0.50", "0.00"]


def test_an_estimate_is_told_alike_in_memory_and_from_a_file():
    assert interval(ROW, 1, 100) == interval(Estimate(0.5, -0.25, 1.0, 3), 1, 100) == "50.0 [−25.0, 100.0]"
    assert interval(None) == "–"


def test_a_difference_is_green_only_where_all_of_it_is_above_zero():
    assert verdict(ROW).good is None and verdict(ROW).text == "+0.50 [−0.25, +1.00]"
    assert verdict(ROW | {"low": 0.1}).good is True and verdict(ROW | {"high": -0.1}).good is False
    assert verdict(None).text == "–"


def test_a_column_has_one_scale_that_holds_zero():
    first, none, second = column([ROW, None, {"value": 0.0, "low": -0.5, "high": 0.5}])
    assert none.interval is None
    assert first.interval == (0.25 / 1.5, 1.0 / 1.5, 1.0) and second.interval == (0.0, 0.5 / 1.5, 1.0 / 1.5)
