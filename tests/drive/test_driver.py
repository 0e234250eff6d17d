"""A network that begins with a simulator's draw makes no image where that falls short, and says how far it comes."""

from dataclasses import replace

import numpy as np
import pytest

from gendeg.drive.driver import Degraded, Driver, Unmade, drive
from gendeg.drive.physics import UNREACHED
from gendeg.intensity.ask import ask_intensity
from gendeg.intensity.measure import measure_intensity
from gendeg.model.bundled import make_change_scheduler
from gendeg.model.settings import settings_of
from gendeg.primitives.kinds import Degradation
from tests.tiny import generators, photo, tiny_pipeline

BRIGHT = photo(64, 72)
DARK = (BRIGHT // 8).astype(np.uint8)
NIGHT = ask_intensity((Degradation.LOW_LIGHT,), 0.8)
LITTLE = replace(NIGHT, mu=0.01)


def driver(tolerance: float = 0.0, sketch: float = 0.2, **numbers: object) -> Driver:
    pipeline = tiny_pipeline(structure=False).with_parts(
        scheduler=make_change_scheduler(), change_scale={"low_light": 5.0, "haze": 5.0}, steps=2, guidance_text=1.0,
        guidance_image=1.0, strength_gain=1.1, sketch=sketch, **numbers,
    )  # fmt: skip
    return drive(pipeline, settings_of(pipeline), tolerance)


def test_what_a_photo_cannot_lose_is_no_weaker_image():
    made = driver().degrade([BRIGHT, DARK, DARK], [NIGHT, NIGHT, LITTLE], generators(1, 2, 3))
    assert isinstance(made[0], Degraded) and isinstance(made[2], Degraded)
    assert measure_intensity(BRIGHT, made[0].image).mu == pytest.approx(NIGHT.mu, rel=0.03)
    most = DARK.mean() / 255
    assert isinstance(made[1], Unmade) and made[1].reason == UNREACHED
    assert f"low_light of mu {NIGHT.mu:.3f}" in made[1].message and "is the most" in made[1].message
    assert float(made[1].message.split()[-4]) <= most + 0.0005


def test_a_build_takes_what_its_tolerance_allows():
    pale, fog = 255 - DARK, ask_intensity((Degradation.HAZE,), 0.8)
    for tolerance, kind in ((0.5, Degraded), (0.0, Unmade)):
        (made,) = driver(tolerance).degrade([pale], [fog], generators(2))
        assert isinstance(made, kind)


def test_drawn_before_or_now_is_the_same_refusal():
    one, noise = driver(), generators(2)
    drawn = [call() for call in one.ahead([DARK], [NIGHT], noise)]
    (before,), (now,) = one.degrade([DARK], [NIGHT], noise, drawn), one.degrade([DARK], [NIGHT], generators(2))
    assert before == now and isinstance(now, Unmade)


@pytest.mark.parametrize("alone", [{"sketch": 0.0}, {"sketch_levels": {"low_light": 0.0}}])
def test_a_model_that_begins_with_noise_alone_does_not_know(alone):
    (made,) = driver(**alone).degrade([DARK], [NIGHT], generators(2))
    assert isinstance(made, Degraded)


@pytest.mark.parametrize("tolerance", [0.0, 0.05])
def test_a_photo_is_never_darkened_to_black_to_meet_mu(tolerance):
    """Of the mean .97 is the most, and .99 with what is near; a gain of 1.1, or a build's tolerance, would take all."""
    bright = float(BRIGHT.mean()) / 255
    just, beyond = (replace(NIGHT, mu=share * bright) for share in (0.95, 1.0))
    made = driver(tolerance).degrade([BRIGHT] * 2, [just, beyond], generators(1, 2))
    assert isinstance(made[0], Degraded)
    assert isinstance(made[1], Unmade) and made[1].reason == UNREACHED
