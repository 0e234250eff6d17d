"""The stored response: straight lines whose values are known, and a pipeline that is told by them."""

import math

import pytest
import torch

from gendeg.model.response import checked_response, told_statistics
from gendeg.model.weights import load_pipeline, model_sha256
from gendeg.primitives.errors import BadModel
from tests.tiny import clean_image, generators, tiny_pipeline

HAZE = {"haze": {"mu": [[0.1, 0.05], [0.2, 0.25]], "sigma": [[0.1, 2.0], [0.2, 1.0]]}}


@pytest.mark.parametrize(
    ("mu", "told_mu", "told_sigma"),
    [
        (0.0, 0.0, 0.08),
        (0.05, 0.025, 0.08),  # on the line from 0
        (0.1, 0.05, 0.08),
        (0.15, 0.15, 0.06),
        (0.2, 0.25, 0.04),
        (0.7, 0.7, 0.04),  # never past the bins
    ],
)
def test_known_points(mu, told_mu, told_sigma):
    assert told_statistics(HAZE, "haze", mu, 0.04) == pytest.approx((told_mu, told_sigma))


def test_more_asked_is_never_less_told():
    told = [told_statistics(HAZE, "haze", i / 1000, 0.1).mu for i in range(701)]
    assert told == sorted(told)
    assert told_statistics(HAZE, "haze", 0.1, 0.39).sigma == 0.4


def test_another_degradation_and_nothing_asked_stay():
    assert told_statistics(HAZE, "rain", 0.1, 0.04) == (0.1, 0.04)
    assert all(math.isnan(x) for x in told_statistics(HAZE, "haze", float("nan"), float("nan")))


@pytest.mark.parametrize(
    "bad",
    [
        {"haze": {"mu": [[0.1, 0.1]]}},
        {"haze": {"mu": [[0.2, 0.1], [0.1, 0.2]], "sigma": [[0.1, 1.0]]}},
        {"haze": {"mu": [[0.1, 0.2], [0.2, 0.1]], "sigma": [[0.1, 1.0]]}},
        {"haze": {"mu": [[0.1, 0.2]], "sigma": [[0.1, 0.0]]}},
        ["haze"],
    ],
)
def test_a_map_that_is_none_is_refused(bad):
    with pytest.raises(ValueError, match="calibration"):
        checked_response(bad)


def test_the_pipeline_is_told_by_its_map_and_keeps_it_when_saved(tmp_path):
    plain, mapped = tiny_pipeline(), tiny_pipeline()
    before = model_sha256(mapped)
    mapped.register_to_config(calibration=checked_response(HAZE))
    assert model_sha256(plain) == before != model_sha256(mapped)

    def sample(pipeline, mu, sigma, **options):
        return pipeline(clean_image(16, 24), ["a, in hazy conditions"], [mu], [sigma], generators(3), **options)

    told = sample(mapped, 0.15, 0.04, degradations=["haze"])
    assert torch.equal(told, sample(plain, 0.15, 0.06))
    assert torch.equal(sample(mapped, 0.15, 0.04), sample(plain, 0.15, 0.04))  # no name, no map
    mapped.save_pretrained(tmp_path)
    again = load_pipeline(str(tmp_path))
    assert again.config.calibration == HAZE and model_sha256(again) == model_sha256(mapped)
    assert torch.equal(sample(again, 0.15, 0.04, degradations=["haze"]), told)


def test_a_folder_with_a_broken_map_is_a_bad_model(tmp_path):
    tiny_pipeline().save_pretrained(tmp_path)
    index = tmp_path / "model_index.json"
    index.write_text(index.read_text().replace('"calibration": {}', '"calibration": {"haze": 3}'))
    with pytest.raises(BadModel, match="calibration of haze"):
        load_pipeline(str(tmp_path))
