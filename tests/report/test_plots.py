"""Plots: ticks at round numbers, points where the axes say, text that stays text."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from gendeg.report.plots import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Axis,
    Frame,
    dots,
    draw,
    heat,
    line,
    spread,
    stairs,
    whiskers,
)

FRAME = Frame(Axis("asked", 2.0), Axis("measured", 1.0))
ENDS = np.array([0.0, 2.0])


@pytest.mark.parametrize(
    "low, high, expected",
    [
        (0.0, 1.0, [0.0, 0.25, 0.5, 0.75, 1.0]),
        (0.0, 0.3, [0.0, 0.1, 0.2, 0.3]),
        (0.0, 0.13, [0.0, 0.05, 0.1]),
        (20.0, 40.0, [20, 25, 30, 35, 40]),
        (-0.5, 0.5, [-0.5, -0.25, 0.0, 0.25, 0.5]),
    ],
)
def test_ticks_are_round_numbers_inside_the_axis(low, high, expected):
    np.testing.assert_allclose(Axis("x", high, low).ticks(), expected, atol=1e-12)


@pytest.mark.parametrize("high", [0.0071, 0.02, 0.19, 0.7, 1.3, 33.0, 4217.0])
def test_there_are_two_to_six_ticks(high):
    assert 2 <= len(Axis("x", high).ticks()) <= 6


def test_the_corners_of_the_data_are_the_corners_of_the_frame():
    left, right = FRAME.points(ENDS, np.array([0.0, 1.0]))
    assert left == f"{LEFT:.1f} {HEIGHT - BOTTOM:.1f}" and right == f"{WIDTH - RIGHT:.1f} {TOP:.1f}"


def test_what_is_beyond_an_axis_lies_on_its_end():
    assert FRAME.points(np.array([9.0]), np.array([-1.0])) == [f"{WIDTH - RIGHT:.1f} {HEIGHT - BOTTOM:.1f}"]


def test_a_thousand_dots_are_one_path():
    many = np.linspace(0, 1, 1000)
    assert len(re.findall("<path", dots(FRAME, many, many, "generated"))) == 1
    assert dots(FRAME, many, many, "generated").count("h0") == 1000


def test_stairs_have_two_corners_a_bar_and_stand_on_the_axis():
    drawn = stairs(FRAME, np.array([0.0, 1.0, 2.0]), np.array([0.5, 1.0]), "generated")
    heights = [float(pair.split()[1]) for pair in re.search('d="M([^"]+)"', drawn)[1].split("L")]
    low, high = HEIGHT - BOTTOM, TOP
    assert heights == [low, (low + high) / 2, (low + high) / 2, high, high, low]


def test_heat_draws_the_filled_cells_only_and_the_fullest_strongest():
    weights = np.array([[0.0, 1.0], [4.0, 0.0]])
    drawn = heat(FRAME, np.array([0.0, 1.0, 2.0]), np.array([0.0, 0.5, 1.0]), weights, "prior")
    assert re.findall(r'class="heat prior (s\d)"', drawn) == ["s3", "s6"] and drawn.count("Z") == 2
    assert heat(FRAME, ENDS, ENDS, np.zeros((1, 1)), "prior") == ""


def test_a_plot_is_well_formed_and_its_words_are_text():
    values = np.array([0.5, 1.0])
    marks = line(FRAME, values, values, "ideal") + whiskers(FRAME, values, values / 2, values, "generated")
    drawn = draw(Frame(Axis('<b a="1">', 1.0), Axis("y & z", 1.0)), '"><script>alert(1)</script>', marks)
    root = ElementTree.fromstring(drawn)
    assert root.attrib["aria-label"] == '"><script>alert(1)</script>'
    assert {child.tag for child in root.iter()} == {"svg", "path", "text"}
    assert {'<b a="1">', "y & z"} <= {child.text for child in root.iter("text")}


def test_the_end_of_an_axis_leaves_out_the_last_half_per_cent():
    values = np.append(np.linspace(0, 1, 1000), 50.0)
    assert 1.0 < spread([values, np.zeros(0)], 0.1) < 1.2
    assert spread([np.zeros(0)], 0.1) == 0.1
