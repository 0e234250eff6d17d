"""Gap statistics: equal sets have gap 0; a shift of colour, of strength, of frequency is measured as what it is."""

import numpy as np
import pytest

from gendeg.metrics.gap import (
    STATISTICS,
    compare_gaps,
    distances,
    gap_statistics,
    jensen_shannon,
    split_layers,
    wasserstein,
)


def image(seed: int, shift: int = 0, noise: float = 8) -> np.ndarray:
    """A grey slope with noise; `shift` levels more red."""
    generator = np.random.default_rng(seed)
    slope = np.linspace(60, 160, 64)[None, :, None] + generator.normal(0, noise, (64, 64, 1))
    return np.clip(np.rint(slope) + np.array([shift, 0, 0]), 0, 255).astype(np.uint8)


def wave(period: float) -> np.ndarray:
    row = 128 + 10 * np.sin(2 * np.pi * np.arange(128) / period)
    return np.repeat(np.tile(np.rint(row), (128, 1))[..., None], 3, axis=2).astype(np.uint8)


def test_the_layers_are_the_image_and_a_constant_is_coarse() -> None:
    unit = image(0) / 255
    coarse, fine = split_layers(unit)
    assert np.allclose(coarse + fine, unit)
    shifted, same = split_layers(unit + np.array([0.1, 0, 0]))
    assert np.allclose(same, fine)
    assert np.allclose(shifted - coarse, [0.1, 0, 0])


def test_every_histogram_sums_to_one_on_a_flat_image_too() -> None:
    for picture in (image(1), np.full((40, 50, 3), 7, np.uint8)):
        for name, histogram in gap_statistics(picture).items():
            assert histogram.shape[1] == len(STATISTICS[name].edges) - 1
            assert histogram.sum(axis=1) == pytest.approx(np.ones(len(histogram)))


def test_a_flat_image_has_no_slope_and_no_contrast() -> None:
    found = gap_statistics(np.full((40, 50, 3), 200, np.uint8))
    assert found["gradient"][0, 0] == 1
    assert found["local_contrast"][0, 0] == 1
    assert found["colour"][:, 200].tolist() == [1, 1, 1]
    assert found["veil"][:, 200].tolist() == [1, 1, 1]


@pytest.mark.parametrize("name", list(STATISTICS))
def test_equal_images_have_no_gap(name: str) -> None:
    one, other = (gap_statistics(image(3))[name] for _ in range(2))
    assert [distance(one, other) for distance in distances(name).values()] == [0, 0]


@pytest.mark.parametrize("name", ["colour", "veil"])
def test_a_shift_of_one_channel_is_a_third_of_it(name: str) -> None:
    one, other = (gap_statistics(image(3, shift))[name] for shift in (0, 30))
    assert distances(name)["wasserstein"](one, other) == pytest.approx(30 / 255 / 3)
    for fine in ("gradient", "local_contrast", "frequency"):
        first, second = (gap_statistics(image(3, shift))[fine] for shift in (0, 30))
        assert distances(fine)["wasserstein"](first, second) == pytest.approx(0, abs=1e-6)


def test_frequency_is_told_in_octaves() -> None:
    first, second = (gap_statistics(wave(period))["frequency"] for period in (4, 8))
    assert distances("frequency")["wasserstein"](first, second) == pytest.approx(1, abs=0.15)


def test_more_noise_is_more_slope_and_contrast() -> None:
    calm, loud = (gap_statistics(image(0, noise=noise)) for noise in (4, 8))
    for name in ("gradient", "local_contrast"):
        centres = (STATISTICS[name].edges[1:] + STATISTICS[name].edges[:-1]) / 2
        means = [float(found[name][0] @ centres) for found in (calm, loud)]
        assert means[1] == pytest.approx(2 * means[0], rel=0.15)
        assert distances(name)["wasserstein"](calm[name], loud[name]) == pytest.approx(means[1] - means[0], rel=0.05)


def test_distances_of_histograms_by_hand() -> None:
    first, second = np.array([[1.0, 0, 0, 0]]), np.array([[0, 0, 0.5, 0.5]])
    assert wasserstein(first, second, 0.1) == pytest.approx(0.25)
    assert jensen_shannon(first, second) == pytest.approx(1)
    half = np.array([[0.5, 0.5, 0, 0]])
    assert jensen_shannon(first, half) == pytest.approx(0.5 * np.log2(4 / 3) + 0.25 * np.log2(2 / 3) + 0.25)


def test_the_set_that_is_like_the_real_one_is_closer() -> None:
    def histograms(shift: int, start: int) -> list[np.ndarray]:
        return [gap_statistics(image(start + i, shift))["colour"] for i in range(8)]

    sets = {"near": histograms(0, 100), "far": histograms(40, 200)}
    gap = compare_gaps(histograms(0, 0), sets, distances("colour")["wasserstein"], 40, np.random.default_rng(0))
    assert gap.closer == "near"
    assert gap.gains["far"].value == pytest.approx(40 / 255 / 3, rel=0.1)
    assert gap.sets["near"].low <= gap.scale.high and gap.scale.n == 8
    swapped = compare_gaps(
        histograms(0, 0), dict(reversed(sets.items())), distances("colour")["wasserstein"], 40, np.random.default_rng(0)
    )
    assert swapped.closer == "near"
    same = compare_gaps(
        histograms(0, 0), {"a": sets["near"], "b": sets["near"]}, distances("colour")["wasserstein"], 40,
        np.random.default_rng(0),
    )  # fmt: skip
    assert same.closer == "undecided"
    with pytest.raises(ValueError, match="four real"):
        compare_gaps(histograms(0, 0)[:3], sets, distances("colour")["wasserstein"], 4, np.random.default_rng(0))
