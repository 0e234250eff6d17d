"""Errors and ranks of numbers whose answers can be worked out by hand."""

import math

import numpy as np
import pytest

from gendeg.metrics.calibration import spearman

ASKED = np.array([0.1, 0.2, 0.3, 0.4])


def test_spearman_sees_order_only():
    assert spearman(ASKED, ASKED**3) == pytest.approx(1)
    assert spearman(ASKED, -ASKED) == pytest.approx(-1)
    # ranks 1 2 3 4 against 1 3 2 4: 1 - 6 * 2 / (4 * 15)
    assert spearman(ASKED, np.array([0.1, 0.3, 0.2, 0.4])) == pytest.approx(0.8)
    # a tie has the mean rank: (1, 2.5, 2.5, 4) against 1 2 3 4
    assert spearman(ASKED, np.array([0.0, 0.2, 0.2, 0.4])) == pytest.approx(4.5 / math.sqrt(5 * 4.5))


def test_spearman_of_a_constant_says_nothing():
    assert math.isnan(spearman(ASKED, np.full(4, 0.2)))
    assert math.isnan(spearman(ASKED[:1], ASKED[:1]))
