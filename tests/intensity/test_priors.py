"""Priors: counted, written, read back, mixed; and every way in which a file can be bad."""

import json

import numpy as np
import pytest

from gendeg.intensity.bins import MU_BINS, SIGMA_BINS
from gendeg.intensity.measure import Intensity
from gendeg.intensity.priors import Prior, fit_prior, load_prior, load_priors, mixture, save_prior
from gendeg.primitives.errors import BadManifest, MissingPath, NoPrior, OutputNotWritable
from gendeg.primitives.kinds import Degradation

MEASURED = [Intensity(0.113, 0.071), Intensity(0.1131, 0.0711), Intensity(0.268, 0.152), Intensity(0.9, 0.5)]


def fitted(source: str = "fog", weight: float = 0.5) -> Prior:
    return fit_prior("haze", source, MEASURED, weight)


def test_counts_by_bin_and_past_the_last_one():
    assert fitted().counts == {(20, 22): 2, (49, 48): 1, (127, 127): 1}
    assert fitted().pairs == 4


def test_density_sums_to_one():
    density = fitted().density()
    assert density.shape == (128, 128) and density.sum() == pytest.approx(1.0)
    assert density[20, 22] == 0.5 and density[49, 48] == 0.25


def test_nothing_or_nan_cannot_be_fitted():
    with pytest.raises(ValueError, match="no pairs"):
        fit_prior("haze", "fog", [])
    with pytest.raises(ValueError, match="values must lie"):
        fit_prior("haze", "fog", [Intensity(float("nan"), 0.1)])


def test_round_trip(tmp_path):
    path = save_prior(fitted(), tmp_path / "priors")
    assert path == tmp_path / "priors" / "haze" / "fog.json"
    assert load_prior(path) == fitted()


def test_the_file_says_what_its_numbers_mean(tmp_path):
    record = json.loads(save_prior(fitted(), tmp_path).read_text())
    assert record["mu_bins"] == {"high": 0.7, "count": 128} and record["sigma_bins"] == {"high": 0.4, "count": 128}
    assert record["pairs"] == 4


@pytest.mark.parametrize(
    "change",
    [
        {"counts": [[128, 0, 1]]},
        {"counts": [[0, 128, 1]]},
        {"counts": [[-1, 0, 1]]},
        {"counts": [[0, 0, -1], [1, 1, 5]]},
        {"counts": [[1.5, 0, 1]]},
        {"counts": [[0, 0, "1"]]},
        {"counts": [[0, 0, 1e999]]},
        {"counts": [[0, 0, -0.5], [1, 1, 5]]},
        {"counts": [[0, 0, 0.0]]},
        {"counts": [[0, 0]]},
        {"counts": []},
        {"counts": None},
        {"counts": 3},
        {"weight": -1},
        {"weight": "heavy"},
        {"weight": 1e999},
        {"mu_bins": {"high": 0.5, "count": 128}},
        {"sigma_bins": {"high": 0.4, "count": 64}},
        {"mu_bins": None},
        {"even_sigma": [3]},
        {"even_sigma": [5, 4]},
        {"even_sigma": [0, 128]},
        {"even_sigma": None},
    ],
)
def test_bad_values_are_refused(tmp_path, change):
    path = save_prior(fitted(), tmp_path)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(BadManifest) as caught:
        load_prior(path)
    assert caught.value.path == path


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"counts": [[0, 0, 1]]}', '{"weight": NaN}'])
def test_files_that_are_no_priors(tmp_path, text):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(BadManifest):
        load_prior(tmp_path / "x.json")


def test_a_missing_file(tmp_path):
    with pytest.raises(MissingPath):
        load_prior(tmp_path / "none.json")


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "haze").write_text("a file where the folder should be")
    with pytest.raises(OutputNotWritable):
        save_prior(fitted(), tmp_path)


def test_all_sources_of_a_degradation_in_order(tmp_path):
    for source in ("zebra", "apple"):
        save_prior(fitted(source), tmp_path)
    assert [prior.source for prior in load_priors((Degradation.HAZE,), tmp_path)] == ["apple", "zebra"]
    with pytest.raises(NoPrior) as caught:
        load_priors((Degradation.RAIN, Degradation.HAZE), tmp_path)
    assert caught.value.degradation == "rain+haze"


def test_mixture_weighs_sources_not_pairs():
    few = Prior("haze", "few", 3.0, {(0, 0): 1})
    many = Prior("haze", "many", 1.0, {(5, 6): 1000})
    joint = mixture([few, many])
    assert joint[0, 0] == pytest.approx(0.75) and joint[5, 6] == pytest.approx(0.25)
    assert joint.shape == (MU_BINS.count, SIGMA_BINS.count) and joint.sum() == pytest.approx(1.0)
    with pytest.raises(ValueError, match="zero"):
        mixture([Prior("haze", "none", 0.0, {(0, 0): 1})])


def test_float_density_is_what_the_axis_takes():
    assert mixture([fitted()]).dtype == np.float64
