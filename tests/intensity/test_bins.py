"""Bins: the published indices, the ends, the null bin."""

import numpy as np
import pytest

from gendeg.intensity.bins import MU_BINS, SIGMA_BINS, Bins
from tests.tiny import REFERENCE, needs_reference


def test_the_published_ranges():
    assert (MU_BINS.high, MU_BINS.count, MU_BINS.null) == (0.7, 128, 128)
    assert (SIGMA_BINS.high, SIGMA_BINS.count, SIGMA_BINS.null) == (0.4, 128, 128)


def test_indices_of_the_published_implementation():
    assert MU_BINS.index(np.array([0.113, 0.268])).tolist() == [20, 49]
    assert SIGMA_BINS.index(np.array([0.071, 0.152])).tolist() == [22, 48]


@needs_reference
def test_the_reference_file():
    known = np.load(REFERENCE / "io.npz")
    bins = np.stack([MU_BINS.index(known["mu"]), SIGMA_BINS.index(known["sigma"])], axis=1)
    np.testing.assert_array_equal(bins, known["bins"])


def test_equal_bins_in_plain_numbers():
    assert Bins(1.0, 4).index(np.array([0.0, 0.2499, 0.25, 0.5, 0.99, 1.0])).tolist() == [0, 0, 1, 2, 3, 3]


@pytest.mark.parametrize("bins", [MU_BINS, SIGMA_BINS])
def test_centres_and_ends(bins):
    centres = (np.arange(128) + 0.5) * bins.width
    assert bins.index(centres).tolist() == list(range(128))
    assert bins.index(np.array([0.0, bins.high])).tolist() == [0, 127]


@pytest.mark.parametrize("value", [-1e-9, 0.7001, float("nan"), float("inf")])
def test_outside_is_refused(value):
    assert not MU_BINS.contains(value)
    with pytest.raises(ValueError, match=r"\[0, 0.7\]"):
        MU_BINS.index(np.array([0.1, value]))


ON_AN_EDGE = [0.075, 0.15, 0.175, 0.3, 0.35]
"""Multiples of the width of sigma's bins in decimals; in float64 each lies a little below the edge that it names."""


def test_a_value_is_compared_with_the_edges_in_float64():
    expected = [int(np.digitize(value, np.linspace(0, 0.4, 129))) - 1 for value in ON_AN_EDGE]  # the published code
    assert SIGMA_BINS.index(np.array(ON_AN_EDGE)).tolist() == expected == [23, 47, 55, 95, 111]


@pytest.mark.parametrize("bins", [MU_BINS, SIGMA_BINS])
def test_an_edge_belongs_to_the_bin_above(bins):
    edges = np.array([number * bins.width for number in range(128)])
    assert bins.index(edges).tolist() == list(range(128))
    assert bins.index(np.nextafter(edges[1:], 0)).tolist() == list(range(127))


def test_a_float32_counts_as_the_decimal_it_stands_for():
    assert SIGMA_BINS.index(np.array(ON_AN_EDGE, np.float32)).tolist() == [23, 47, 55, 95, 111]
    assert SIGMA_BINS.index(np.array([0.4], np.float32)).tolist() == [127]


def test_contains_its_ends():
    assert MU_BINS.contains(0.0) and MU_BINS.contains(0.7)
