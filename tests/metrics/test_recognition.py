"""A classifier that learns what is plain, and a two-sample test that finds nothing where there is nothing."""

import numpy as np
import pytest

from gendeg.metrics.recognition import image_statistics, name_image, train_recogniser, two_sample_auc
from tests.tiny import photo


def stripes(step: int, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Class 0: vertical stripes added to noise, class 1: horizontal ones."""
    rng = np.random.default_rng(step)
    labels = rng.integers(0, 2, count)
    wave = np.where(np.arange(32) % 8 < 4, 0, 20)
    change = np.stack([np.tile(wave, (32, 1)).T if label else np.tile(wave, (32, 1)) for label in labels])
    clean = rng.integers(0, 230, (count, 32, 32, 3)).astype(np.uint8)
    return clean, (clean + change[..., None]).astype(np.uint8), labels


def test_the_recogniser_learns_and_the_same_seed_learns_the_same():
    network = train_recogniser(lambda step: stripes(step, 16), 2, 25, seed=1)
    clean, degraded, labels = stripes(10_000, 40)
    named = np.array([name_image(network, *pair) for pair in zip(clean, degraded, strict=True)])
    assert named.sum(axis=1) == pytest.approx(1)
    assert (named.argmax(axis=1) == labels).mean() > 0.95
    again = train_recogniser(lambda step: stripes(step, 16), 2, 25, seed=1)
    assert np.array_equal(name_image(again, clean[0], degraded[0]), named[0])


def test_a_weak_change_is_named_as_a_strong_one_of_its_kind():
    network = train_recogniser(lambda step: stripes(step, 16), 2, 25, seed=1)
    clean, degraded, labels = stripes(20_000, 40)
    weak = clean + (degraded - clean) // 5
    named = np.array([name_image(network, *pair).argmax() for pair in zip(clean, weak, strict=True)])
    assert (named == labels).mean() > 0.9


def test_two_draws_of_one_distribution_cannot_be_told_apart_and_two_distributions_can():
    draw = list(np.random.default_rng(0).normal(size=(400, 5)))
    assert two_sample_auc(draw[:200], draw[200:]) == pytest.approx(0.5, abs=0.08)
    assert two_sample_auc(draw[:200], [row + 5 for row in draw[200:]]) == pytest.approx(1, abs=1e-3)
    # N(0, 1) against N(1, 1): the best classifier's AUC is Phi(1 / sqrt 2) = 0.760
    one = list(np.random.default_rng(1).normal(size=(2000, 1)))
    assert two_sample_auc(one[:1000], [row + 1 for row in one[1000:]]) == pytest.approx(0.760, abs=0.03)


def test_darkness_shows_in_the_statistics():
    bright, dark = (
        [image_statistics((photo(48, 48, i) * share).astype(np.uint8)) for i in range(8)] for share in (1, 0.4)
    )
    assert np.isfinite(bright).all()
    assert two_sample_auc(bright, dark) == 1
