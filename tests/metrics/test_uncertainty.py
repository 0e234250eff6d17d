"""The bootstrap: known means, honest widths, photos drawn whole."""

import math

import numpy as np
import pytest

from gendeg.metrics.uncertainty import bootstrap, bootstrap_blocks, bootstrap_mean, bootstrap_ratio, spearman


def interval(values: np.ndarray, clusters: list, draws: int = 1000):
    return bootstrap(clusters, lambda rows: float(values[rows].mean()), draws, np.random.default_rng(0))


def test_the_interval_of_a_mean_is_that_of_the_central_limit():
    values = np.random.default_rng(1).normal(3.0, 2.0, 400)
    found = interval(values, list(range(400)))
    assert found.value == pytest.approx(values.mean()) and found.n == 400
    half = 1.96 * values.std() / 20
    assert found.low == pytest.approx(values.mean() - half, abs=0.04)
    assert found.high == pytest.approx(values.mean() + half, abs=0.04)


def test_samples_of_one_photo_are_no_independent_evidence():
    by_photo = np.random.default_rng(2).normal(size=20)
    values = np.repeat(by_photo, 50)
    together = interval(values, [i // 50 for i in range(1000)])
    apart = interval(values, list(range(1000)))
    assert together.high - together.low > 5 * (apart.high - apart.low)


def test_one_photo_gives_a_point_and_none_is_refused():
    found = interval(np.array([1.0, 3.0]), ["a", "a"])
    assert (found.value, found.low, found.high) == (2.0, 2.0, 2.0)
    with pytest.raises(ValueError, match="no samples"):
        interval(np.array([]), [])


def test_draws_that_say_nothing_are_left_out():
    values = np.array([0.0, 1.0])
    found = bootstrap([0, 1], lambda rows: float("nan") if np.ptp(rows) == 0 else 5.0, 50, np.random.default_rng(0))
    assert (found.value, found.low, found.high) == (5.0, 5.0, 5.0)
    assert found.as_row() == {"value": 5.0, "low": 5.0, "high": 5.0, "n": len(values)}


def test_all_draws_at_once_are_the_same_draws():
    values, clusters = np.random.default_rng(4).normal(size=60), [i % 12 for i in range(60)]
    slow = bootstrap(clusters, lambda rows: float(values[rows].mean()), 2000, np.random.default_rng(0))
    fast = bootstrap_mean(clusters, values, 2000, np.random.default_rng(0))
    assert (fast.value, fast.low, fast.high) == pytest.approx((slow.value, slow.low, slow.high))


def test_a_ratio_of_paired_samples_that_is_always_two_has_no_width():
    bottom = np.random.default_rng(5).uniform(1, 3, 30)
    found = bootstrap_ratio(list(range(30)), 2 * bottom, bottom, 200, np.random.default_rng(0))
    assert (found.value, found.low, found.high) == pytest.approx((2, 2, 2))


def test_blocks_of_one_value_have_no_interval_and_weights_count() -> None:
    blocks = [np.full((3, 4), 1.0), np.full((3, 9), 5.0)]
    told = bootstrap_blocks(blocks, [0.75, 0.25], 50, np.random.default_rng(0))
    assert (told.value, told.low, told.high, told.n) == (2.0, 2.0, 2.0, 13)


def test_blocks_draw_the_same_runs_together() -> None:
    """What one run gains here it loses there: the sum is certain, though neither block is."""
    gain = np.array([[1.0], [-1.0], [0.5]]) * np.ones((3, 6))
    told = bootstrap_blocks([gain, -gain], [1.0, 1.0], 200, np.random.default_rng(0))
    assert told.low == told.high == 0
    assert bootstrap_blocks([gain], [1.0], 200, np.random.default_rng(0)).low < -0.5


def test_blocks_of_other_runs_are_refused() -> None:
    with pytest.raises(ValueError, match="runs"):
        bootstrap_blocks([np.ones((2, 3)), np.ones((3, 3))], [1.0, 1.0], 5, np.random.default_rng(0))


def test_crossed_draws_are_of_runs_and_of_photos():
    """Values are a run's part plus a photo's: the variance of the mean is the sum of both, each over its own count."""
    rng = np.random.default_rng(2)
    runs, photos = rng.normal(0, 2.0, 30), rng.normal(0, 3.0, 200)
    found = bootstrap_blocks([runs[:, None] + photos[None]], [1.0], 2000, np.random.default_rng(0))
    assert found.value == pytest.approx(runs.mean() + photos.mean())
    width = 2 * 1.96 * np.sqrt(runs.var() / 30 + photos.var() / 200)
    assert found.high - found.low == pytest.approx(width, rel=0.1)
    assert found.n == 200


def test_runs_that_all_say_the_same_leave_the_photos():
    photos = np.random.default_rng(3).normal(0, 1, 50)
    found = bootstrap_blocks([np.tile(photos, (4, 1))], [1.0], 500, np.random.default_rng(0))
    alone = interval(photos, list(range(50)))
    assert found.high - found.low == pytest.approx(alone.high - alone.low, rel=0.15)


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
