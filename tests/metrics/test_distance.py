"""Distances whose values follow from an equation, and who is called closer."""

import numpy as np
import pytest

from gendeg.metrics.distance import (
    PER_LEVEL,
    compare_with_real,
    feature_distance,
    kernel_distance,
    laplacian_patches,
    patch_distance,
    random_directions,
    sliced_wasserstein,
)
from gendeg.metrics.recognition import two_sample_auc
from tests.tiny import photo

RNG = np.random.default_rng


def test_a_moved_set_is_as_far_as_the_move_along_each_direction():
    points, move = RNG(0).normal(size=(50, 6)), RNG(1).normal(size=6)
    directions = random_directions(6, RNG(2))
    assert np.linalg.norm(directions, axis=0) == pytest.approx(1)
    assert sliced_wasserstein(points, points + move, directions) == pytest.approx(np.abs(move @ directions).mean())
    assert sliced_wasserstein(points, points[::-1], directions) == pytest.approx(0)


def test_sets_of_unequal_size_are_compared_by_their_quantiles():
    one = np.array([[0.0], [1.0]])
    two = np.array([[0.0], [0.0], [1.0], [1.0]]) + 3
    assert sliced_wasserstein(one, two, np.ones((1, 1))) == pytest.approx(3)


def test_kid_of_two_points_each_is_the_formula():
    first, second = np.array([[1.0], [2.0]]), np.array([[0.0], [1.0]])
    # k = (xy + 1)^3: within 27 and 1; across (1, 8, 1, 27) / 4
    assert kernel_distance(first, second) == pytest.approx(27 + 1 - 2 * 37 / 4)


def test_kid_is_about_zero_within_one_distribution_and_not_between_two():
    draw = RNG(3).normal(size=(3, 200, 8))
    same, other = kernel_distance(draw[0], draw[1]), kernel_distance(draw[0], draw[2] + 1)
    assert abs(same) < 0.05 < other
    with pytest.raises(ValueError, match="two images"):
        kernel_distance(draw[0], draw[1][:1])


def images(level: float, count: int, seed: int) -> list[np.ndarray]:
    """Photos of one scene family, darkened."""
    return [(photo(64, 80, seed=seed + i) * level).astype(np.uint8) for i in range(count)]


def patches(pictures: list[np.ndarray]) -> list[np.ndarray]:
    return [laplacian_patches(image, RNG(i)) for i, image in enumerate(pictures)]


def test_patches_of_darker_photos_are_further_away():
    target, again, dim, dark = (patches(images(*one)) for one in ((1, 6, 0), (1, 6, 50), (0.7, 6, 50), (0.3, 6, 50)))
    assert target[0].shape == (3, PER_LEVEL, 147)
    found = [patch_distance(other, target) for other in (again, dim, dark)]
    assert found[0] < found[1] < found[2]
    assert patch_distance(target, target) == 0


def test_the_closer_one_is_named_and_a_tie_is_undecided():
    real, near, far = (list(RNG(i).normal(size=(40, 4)) + move) for i, move in ((0, 0.0), (1, 0.1), (2, 3.0)))
    photos = [f"p{i // 4}" for i in range(40)]
    better = compare_with_real(real, near, far, far, photos, feature_distance, 60, RNG(0))
    assert better.closer == "model" and better.clean.low > better.model.high
    assert compare_with_real(real, far, near, far, photos, feature_distance, 60, RNG(0)).closer == "simulator"
    tie = compare_with_real(real, near, near, far, photos, feature_distance, 60, RNG(0))
    assert tie.closer == "undecided" and tie.gain.value == 0


def test_two_draws_of_one_distribution_are_seldom_told_apart():
    """Photos differ more than images of one photo do, as in an evaluation: intervals must know of that."""
    named = []
    for trial in range(40):
        generator = RNG(trial)
        real, photo_means = generator.normal(size=(24, 3)), generator.normal(size=(2, 10, 1, 3))
        model, simulator = (photo_means + 0.3 * generator.normal(size=(2, 10, 4, 3))).reshape(2, 40, 3)
        photos = [f"p{i // 4}" for i in range(40)]
        sets = [list(values) for values in (real, model, simulator, model)]
        found = compare_with_real(*sets, photos, feature_distance, 60, generator)
        named.append(found.closer)
    assert named.count("undecided") >= 36  # 95 % are expected


@pytest.mark.parametrize("distance", [feature_distance, two_sample_auc])
def test_sets_of_one_distribution_are_equally_far_though_photos_repeat(distance):
    """A clean photo stands beside each of its images, and counts once: repeats look like a difference."""
    generator, found = RNG(0), []
    for _ in range(6):
        real, model, simulator = (list(generator.normal(size=(24, 3))) for _ in range(3))
        clean = [value for value in generator.normal(size=(12, 3)) for _ in range(2)]
        photos = [f"p{i // 2}" for i in range(24)]
        row = compare_with_real(real, model, simulator, clean, photos, distance, 20, generator)
        found.append([row.model.value, row.simulator.value, row.clean.value, row.real.value])
    model, simulator, clean, other = np.mean(found, axis=0)
    slack = 0.12 if distance is two_sample_auc else 0.4
    assert abs(clean - other) < slack and abs(model - other) < slack and abs(model - simulator) < slack


def test_too_few_real_photos_are_refused():
    one = np.ones(2)
    with pytest.raises(ValueError, match="four real photos"):
        compare_with_real([one] * 3, [one], [one], [one], ["p"], feature_distance, 1, RNG(0))


def test_one_photo_is_refused_and_two_are_both_taken():
    real = list(RNG(0).normal(size=(8, 3)))
    images = list(RNG(1).normal(size=(4, 3)))
    with pytest.raises(ValueError, match="two clean photos"):
        compare_with_real(real, images, images, images, ["p"] * 4, two_sample_auc, 1, RNG(0))
    found = compare_with_real(real, images, images, images, ["p", "p", "q", "q"], two_sample_auc, 3, RNG(0))
    assert found.gain.value == 0 and 0 <= found.clean.value <= 1
