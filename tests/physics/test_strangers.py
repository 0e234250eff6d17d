"""The second family: identity at strength 0, stronger with strength, deterministic, other pictures than ours."""

import numpy as np
import pytest

from gendeg.physics import SIMULATORS
from gendeg.physics.strangers import STRANGERS, fog, line_psf, plasma, spatter
from gendeg.primitives.kinds import Degradation


def texture(height: int = 48, width: int = 64) -> np.ndarray:
    rows, columns = np.mgrid[0:height, 0:width]
    wave = 0.45 + 0.2 * np.sin(columns / 3) + 0.15 * np.cos(rows / 4)
    return np.stack([wave, 0.9 * wave, 0.7 * wave], axis=-1).astype(np.float32)


def mu(kind: Degradation, strength: float, seed: int = 0) -> float:
    return float(np.abs(STRANGERS[kind](texture(), strength, np.random.default_rng(seed)) - texture()).mean())


def test_there_is_one_for_each_degradation_and_none_is_a_simulator_of_ours():
    assert set(STRANGERS) == set(Degradation)
    assert not set(STRANGERS.values()) & set(SIMULATORS.values())


@pytest.mark.parametrize("kind", Degradation)
def test_strength_zero_changes_nothing(kind):
    same = STRANGERS[kind](texture(), 0.0, np.random.default_rng(1))
    np.testing.assert_allclose(same, texture(), atol=1e-5)


@pytest.mark.parametrize("kind", Degradation)
def test_stronger_is_further_from_the_clean_photo(kind):
    strengths = (0.0, 0.3, 0.6, 1.0)
    means = [np.mean([mu(kind, strength, seed) for seed in range(4)]) for strength in strengths]
    assert (np.diff(means) > 0).all() and means[-1] > 0.005


@pytest.mark.parametrize("kind", Degradation)
@pytest.mark.parametrize("size", [(48, 64), (33, 17), (1, 7)])
def test_shape_and_range_are_kept_and_the_generator_decides(kind, size):
    first, again = (STRANGERS[kind](texture(*size), 0.8, np.random.default_rng(5)) for _ in range(2))
    assert first.shape == (*size, 3) and first.dtype == np.float32
    assert 0 <= first.min() and first.max() <= 1
    np.testing.assert_array_equal(first, again)
    if min(size) > 1:
        assert np.abs(STRANGERS[kind](texture(*size), 0.8, np.random.default_rng(6)) - first).max() > 0


@pytest.mark.parametrize("kind", Degradation)
@pytest.mark.parametrize("strength", [-0.1, 1.1, float("nan")])
def test_other_strengths_are_refused(kind, strength):
    with pytest.raises(ValueError, match="strength"):
        STRANGERS[kind](texture(), strength, np.random.default_rng(0))


def test_fog_of_a_white_plasma_follows_its_equation(monkeypatch):
    monkeypatch.setattr("gendeg.physics.strangers.plasma", lambda *_: np.ones((48, 64), np.float32))
    most = float(texture().max())
    expected = (texture() + 0.75) * most / (most + 0.75)  # c = 3 · 0.5²
    np.testing.assert_allclose(fog(texture(), 0.5, np.random.default_rng(0)), expected, atol=1e-6)


def test_plasma_is_smoother_for_a_larger_decay():
    rough, smooth = (plasma(64, 64, decay, np.random.default_rng(2)) for decay in (1.3, 3.0))
    assert rough.min() >= 0 and rough.max() <= 1
    assert np.abs(np.diff(rough)).mean() > 2 * np.abs(np.diff(smooth)).mean()


@pytest.mark.parametrize("degrees", [0, 30, 90])
def test_a_line_is_even_centred_and_lies_as_asked(degrees):
    psf = line_psf(9.0, np.radians(degrees))
    rows, columns = np.mgrid[: len(psf), : len(psf)] - len(psf) // 2
    assert psf.sum() == pytest.approx(1)
    assert (psf * rows).sum() == pytest.approx(0, abs=1e-9) and (psf * columns).sum() == pytest.approx(0, abs=1e-9)
    leaning = 0.5 * np.arctan2(2 * (psf * rows * columns).sum(), (psf * (columns**2 - rows**2)).sum())
    assert np.degrees(leaning) % 180 == pytest.approx(degrees, abs=1)


def test_spatter_leaves_most_of_a_weakly_wet_photo_alone():
    changed = np.abs(spatter(texture(), 0.3, np.random.default_rng(3)) - texture()).max(axis=2) > 1e-6
    assert 0 < changed.mean() < 0.2
