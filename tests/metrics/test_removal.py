"""E_R and E_B of restorers whose doing is known."""

import math

import numpy as np
import pytest

from gendeg.metrics.removal import THRESHOLD, degradation_mask, removal_errors

STREAK = 80  # grey levels


@pytest.fixture
def rainy() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(clean, degraded, where the streaks are): a quarter of the columns is brighter by `STREAK`."""
    clean = np.random.default_rng(0).integers(20, 160, (24, 32, 3), dtype=np.uint8)
    streaks = np.zeros((24, 32), bool)
    streaks[:, ::4] = True
    return clean, np.where(streaks[..., None], clean + STREAK, clean).astype(np.uint8), streaks


def test_the_mask_is_where_the_streaks_are(rainy: tuple[np.ndarray, ...]) -> None:
    clean, degraded, streaks = rainy
    assert np.array_equal(degradation_mask(clean, degraded), streaks)
    one_channel = clean.copy()
    one_channel[streaks, 1] += STREAK
    assert np.array_equal(degradation_mask(clean, one_channel), streaks)


def test_the_threshold_is_strict_and_counts_both_directions() -> None:
    clean = np.full((1, 4, 3), 100, np.uint8)
    limit = round(THRESHOLD * 255 - 0.25)
    degraded = clean + np.array([[[limit] * 3, [limit + 1] * 3, [-limit] * 3, [-limit - 1] * 3]])
    assert degradation_mask(clean, degraded.astype(np.uint8)).tolist() == [[False, True, False, True]]


def test_what_is_left_as_it_is_has_all_of_the_rain_and_no_damage(rainy: tuple[np.ndarray, ...]) -> None:
    clean, degraded, streaks = rainy
    found = removal_errors(clean, degraded, streaks)
    assert found.removal == pytest.approx(STREAK / 255) and found.background == 0


def test_half_of_the_rain_removed_is_half_of_the_error(rainy: tuple[np.ndarray, ...]) -> None:
    clean, _, streaks = rainy
    halved = np.where(streaks[..., None], clean + STREAK // 2, clean).astype(np.uint8)
    found = removal_errors(clean, halved, streaks)
    assert found.removal == pytest.approx(STREAK / 2 / 255) and found.background == 0


def test_damage_of_the_background_alone_is_not_rain(rainy: tuple[np.ndarray, ...]) -> None:
    clean, _, streaks = rainy
    damaged = np.where(streaks[..., None], clean, clean - 10).astype(np.uint8)
    found = removal_errors(clean, damaged, streaks)
    assert found.removal == 0 and found.background == pytest.approx(10 / 255)


def test_where_there_is_nothing_there_is_no_number(rainy: tuple[np.ndarray, ...]) -> None:
    clean, _, streaks = rainy
    for mask, nothing in ((np.zeros_like(streaks), "removal"), (np.ones_like(streaks), "background")):
        assert math.isnan(getattr(removal_errors(clean, clean, mask), nothing))
