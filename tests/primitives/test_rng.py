"""Generators by name: pinned values, independence, and equality across processes."""

import subprocess
import sys

import numpy as np
import pytest

from gendeg.primitives import rng


def test_known_draws_never_change():
    assert rng.for_sample(0, 3, "x").random() == pytest.approx(0.10676731074511281, abs=1e-16)
    assert rng.torch_generator(0, 3, "x").initial_seed() == 8974861954634981515


def test_same_names_same_draws_in_another_process():
    script = "from gendeg.primitives.rng import for_sample; print(for_sample(5, 'key', 'mu').integers(2**60))"
    other = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert int(other.stdout) == rng.for_sample(5, "key", "mu").integers(2**60)


def test_every_name_matters():
    names = [
        (0, 0, "a"),
        (1, 0, "a"),
        (0, 1, "a"),
        (0, 0, "b"),
        (-1, 0, "a"),
        (0, "key", "a"),
        (0, 10, "a"),
        (10, 0, "a"),
    ]
    assert len({rng.for_sample(*name).integers(2**60) for name in names}) == len(names)
    assert len({rng.torch_generator(*name).initial_seed() for name in names}) == len(names)


@pytest.mark.usefixtures("unchecked")
def test_numpy_integers_and_digits_name_the_same_sample():
    draws = {
        rng.for_sample(seed, index, "a").integers(2**60) for seed in (4, np.int64(4)) for index in (3, np.int32(3), "3")
    }
    assert len(draws) == 1


def test_draws_are_uniform_over_samples():
    means = [rng.for_sample(0, index, "a").random() for index in range(2000)]
    assert abs(np.mean(means) - 0.5) < 0.02 and abs(np.var(means) - 1 / 12) < 0.005


def test_global_state_is_neither_read_nor_changed():
    np.random.seed(1)
    before = np.random.get_state()[1].copy()
    rng.for_sample(0, 0, "a").random()
    assert (np.random.get_state()[1] == before).all()


@pytest.mark.usefixtures("unchecked")
def test_seed_must_be_whole():
    with pytest.raises(TypeError):
        rng.for_sample(1.5, 0, "a")


def test_primitives_import_without_torch():
    rooms = ["errors", "files", "images", "kinds", "parallel", "progress", "records", "rng"]
    script = (
        "import sys; "
        + "; ".join(f"import gendeg.primitives.{room}" for room in rooms)
        + "; print('torch' in sys.modules)"
    )
    assert (
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "False\n"
    )
