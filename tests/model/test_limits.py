"""What blur and darkness can take from a photo, and how a model with such a limit asks for no more."""

import math
from collections.abc import Sequence

import pytest
import torch

from gendeg.intensity.ask import Ask
from gendeg.model.generate import Generator, settings_of
from gendeg.model.limits import blur_limit, light_limit, within
from gendeg.model.pipeline import GenDegPipeline
from gendeg.model.strength import WEAKEST
from gendeg.primitives.kinds import Degradation, Mix
from tests.tiny import tiny_pipeline

BLUR, HAZE, DARK = Degradation.MOTION_BLUR, Degradation.HAZE, Degradation.LOW_LIGHT


def possible(pipeline: GenDegPipeline, photo: torch.Tensor, mixes: Sequence[Mix], mu: float) -> list[float]:
    """What a photo can lose of an asked mu."""
    generator = Generator(pipeline, settings_of(pipeline))
    asks = [Ask(mix, "", "", 0.5, mu, 0.1, "") for mix in mixes]
    return [one.mu for one in generator.settle(pipeline.encode_clean(photo), asks)]


def stripes(height: int = 64, width: int = 64) -> torch.Tensor:
    """Columns of black and white in turn, signed."""
    return torch.tensor([-1.0, 1.0]).repeat(width // 2).expand(1, 3, height, width).clone()


def test_stripes_blurred_away_lose_what_their_mean_is_from_them():
    mean = 0.5 ** (1 / 2.2)  # half of the light, in the photo's own scale
    assert blur_limit(stripes(), 1.0) == pytest.approx((mean + 1 - mean) / 2, abs=0.01)


def test_a_flat_photo_and_no_extent_lose_nothing():
    assert blur_limit(torch.full((1, 3, 40, 50), 0.3), 0.2) == pytest.approx(0, abs=1e-6)
    assert blur_limit(stripes(), 0.0) == pytest.approx(0, abs=1e-6)


def test_large_photos_are_measured_small():
    photo = torch.nn.functional.interpolate(
        torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1, 512
    )
    small = torch.nn.functional.interpolate(photo, 256, mode="area")
    assert blur_limit(photo, 0.2) == pytest.approx(blur_limit(small, 0.2), rel=1e-3)


def test_mu_keeps_its_order_and_stays_below_the_limit():
    asked = [0.001, 0.02, 0.04, 0.06, 0.1, 0.5]
    got = [within(mu, 0.05) for mu in asked]
    assert got == sorted(set(got)) and max(got) <= 0.05
    assert got[1] == pytest.approx(0.02, rel=1e-3) and within(0.05, 0.05) == pytest.approx(0.05 * 2 ** (-1 / 8))
    assert (
        within(0.3, math.inf) == 0.3
        and within(0.3, 0.0) == 0.0
        and within(0.0, 0.05) == 0.0
        and math.isnan(within(math.nan, 0.05))
    )


def test_only_blur_asks_for_less_and_only_with_an_extent():
    pipeline = tiny_pipeline()
    grey = torch.full((1, 3, 32, 32), 0.2)
    grey[..., 16:] = 0.22  # one faint edge
    mixes = [(BLUR,), (HAZE,), (HAZE, BLUR)]
    assert possible(pipeline, grey, mixes, 0.1) == [0.1, 0.1, 0.1]
    with pipeline.altered(blur_extent=0.2):
        blur, *others = possible(pipeline, grey, mixes, 0.1)
    assert blur <= blur_limit(grey, 0.2) < 0.01 and others == [0.1, 0.1]


def test_a_photo_has_no_more_light_to_lose_than_it_has():
    black = torch.full((1, 3, 8, 8), -1.0)
    assert light_limit(black, 0.9) == 0 and light_limit(black + 0.4, 0.9) == pytest.approx(0.18)


def test_only_low_light_asks_for_less_of_a_dark_photo_and_only_with_a_darkening():
    pipeline = tiny_pipeline()
    photo = torch.full((1, 3, 20, 20), -0.8)  # the padding to 32 is no part of it
    mixes = [(DARK,), (HAZE,), (DARK, Degradation.RAIN)]
    assert possible(pipeline, photo, mixes, 0.3) == [0.3] * 3
    with pipeline.altered(darkening=0.9):
        dark, *others = possible(pipeline, photo, mixes, 0.3)
    assert dark == pytest.approx(0.09, rel=0.01) and dark < 0.09 and others == [0.3] * 2


def test_of_a_black_or_flat_photo_nothing_is_asked():
    pipeline = tiny_pipeline()
    black = torch.full((1, 3, 16, 16), -1.0)
    with pipeline.altered(darkening=0.9, blur_extent=0.2):
        assert possible(pipeline, black, [(DARK,), (BLUR,), (HAZE,)], 0.3) == [0.0, 0.0, 0.3]


def test_the_image_is_brought_to_what_is_possible():
    pipeline = tiny_pipeline()
    photo = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(1)) * 0.1
    arguments = (["blurred"], [0.5], [0.1])
    raw = pipeline(photo, *arguments, [torch.Generator().manual_seed(0)], 2, degradations=["motion_blur"])
    with pipeline.altered(strength_gain=100.0):
        free = pipeline(photo, *arguments, [torch.Generator().manual_seed(0)], 2, degradations=["motion_blur"])
        with pipeline.altered(blur_extent=0.2):
            held = pipeline(photo, *arguments, [torch.Generator().manual_seed(0)], 2, degradations=["motion_blur"])
    off = [float((image - photo).abs().mean()) / 2 for image in (free, held)]
    assert off[0] > 2 * off[1]
    assert off[1] == pytest.approx(float((raw - photo).abs().mean()) / 2 * WEAKEST, rel=0.1)  # as near as it may come
