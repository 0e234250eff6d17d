"""The picture of priors: sigma given mu by known answers, and that every source is drawn."""

import io

import numpy as np
import pytest
from PIL import Image

from gendeg.priors.plot import Panel, SourceCounts, draw_priors, sigma_bands


def joint(mu: slice, sigma: slice) -> np.ndarray:
    counts = np.zeros((128, 128))
    counts[mu, sigma] = 1
    return counts


def test_sigma_bands_are_the_quantiles():
    mu, low, middle, high = sigma_bands(joint(slice(20, 60), slice(32, 96)), 0.64, 0.4)
    assert mu[[0, -1]] == pytest.approx([20.5 * 0.005, 59.5 * 0.005])
    for band, quantile in ((low, 0.1), (middle, 0.5), (high, 0.9)):
        assert band == pytest.approx((32 + 64 * quantile) * 0.4 / 128)


def test_sigma_follows_mu():
    counts = np.eye(128)
    mu, _, middle, _ = sigma_bands(counts, 1.28, 1.28)
    assert len(mu) == 128 and middle[10:-10] == pytest.approx(mu[10:-10], abs=1e-6)


def test_one_bin_is_enough():
    mu, low, middle, high = sigma_bands(joint(slice(3, 4), slice(5, 6)), 0.7, 0.4)
    assert len(mu) == 1 and low[0] < middle[0] < high[0]


def panels(*names: str) -> list[Panel]:
    sources = tuple(
        SourceCounts(name, 10 ** (2 + number), joint(slice(number * 9, number * 9 + 8), slice(10, 20)))
        for number, name in enumerate(names)
    )
    return [Panel("motion_blur", sources), Panel("rain+haze", sources[:1])]


def test_every_source_and_degradation_is_labelled():
    svg = draw_priors(panels("HIDE", "REDS", "RealBlur"), 0.7, 0.4, "svg").decode()
    for text in ("HIDE (100)", "REDS (1,000)", "RealBlur (10,000)", "motion blur", "rain+haze", "density of mu"):
        assert f"<!-- {text} -->" in svg


def test_a_picture_grows_with_its_rows_and_is_not_empty():
    one, two = (Image.open(io.BytesIO(draw_priors(shown, 0.7, 0.4, "png"))) for shown in (panels("A")[:1], panels("A")))
    assert one.width == two.width and two.height > one.height
    assert len(np.unique(np.array(two.convert("RGB")).reshape(-1, 3), axis=0)) > 10
    assert draw_priors(panels("A"), 0.7, 0.4, "pdf").startswith(b"%PDF")


def test_equal_priors_give_equal_bytes():
    assert draw_priors(panels("A"), 0.7, 0.4, "png") == draw_priors(panels("A"), 0.7, 0.4, "png")


def test_nothing_to_draw():
    with pytest.raises(ValueError, match="needs panels"):
        draw_priors([], 0.7, 0.4, "png")
    with pytest.raises(ValueError, match="jpg"):
        draw_priors(panels("A"), 0.7, 0.4, "jpg")
