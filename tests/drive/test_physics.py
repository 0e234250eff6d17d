"""Simulators in the place of a network: mu is met, sigma approached, noise shared, what cannot be is said."""

from dataclasses import replace

import numpy as np
import pytest

from gendeg.drive.driver import Degraded, Driver, Unmade, open_driver
from gendeg.drive.physics import UNREACHED
from gendeg.intensity.ask import Ask, ask_intensity, ask_wanted
from gendeg.intensity.direction import Direction, measure_direction
from gendeg.intensity.measure import measure_intensity
from gendeg.intensity.reach import At, find_strength, is_met, nearest, physics_sha256, solve
from gendeg.model.generate import noise_of
from gendeg.primitives.errors import BadOption
from gendeg.primitives.images import U8Image
from gendeg.primitives.kinds import MIXES, Degradation, parse_mix, parse_wanted
from gendeg.synth.config import SynthConfig
from gendeg.synth.plan import plan_synthesis
from tests.tiny import photo

SCENE = photo(72, 96)


@pytest.fixture(scope="module")
def driver() -> Driver:
    return open_driver("physics")


def make(driver: Driver, *asks: Ask, scene: U8Image = SCENE, seed: int = 0) -> list[Degraded | Unmade]:
    return list(driver.degrade([scene], asks, [noise_of(seed, "photo", ask) for ask in asks]))


def changed(one: Degraded | Unmade) -> np.ndarray:
    assert isinstance(one, Degraded)
    return np.abs(one.image.astype(int) - SCENE).sum(axis=2)


@pytest.mark.parametrize("kind", list(Degradation))
def test_mu_is_met(driver, kind):
    ask = ask_intensity((kind,), 0.4)
    (made,) = make(driver, ask)
    assert isinstance(made, Degraded)
    assert abs(measure_intensity(SCENE, made.image).mu - ask.mu) <= max(0.002, 0.02 * ask.mu)


def test_sigma_is_approached_from_what_is_drawn(driver):
    free = replace(ask_intensity((Degradation.RAIN,), 0.6), sigma=float("nan"))

    def sigma(asked: float) -> float:
        (made,) = make(driver, replace(free, sigma=asked))
        assert isinstance(made, Degraded)
        return measure_intensity(SCENE, made.image).sigma

    drawn = sigma(float("nan"))
    assert sigma(0.93 * drawn) == pytest.approx(0.93 * drawn, rel=0.05)
    assert sigma(0.1 * drawn) < 0.97 * drawn  # as near as it goes
    assert sigma(1.5 * drawn) > drawn


@pytest.mark.parametrize("seed", range(4))
def test_a_blur_comes_nearer_to_sigma_by_its_cameras_response(seed):
    ask = replace(ask_intensity((Degradation.MOTION_BLUR,), 0.25), sigma=float("nan"))
    drawn = nearest(SCENE, ask, seed).measured.sigma
    low, high = (nearest(SCENE, replace(ask, sigma=part * drawn), seed).measured for part in (0.5, 1.5))
    assert low.sigma <= drawn <= high.sigma and high.sigma > 1.05 * low.sigma
    assert is_met(nearest(SCENE, ask, seed), ask.mu) and low.mu == pytest.approx(high.mu, rel=0.03)


@pytest.mark.parametrize("kind", [Degradation.RAIN, Degradation.SNOW, Degradation.RAINDROP])
def test_more_of_the_same(driver, kind):
    few, many = make(driver, *(replace(ask_intensity((kind,), q), sigma=float("nan")) for q in (0.2, 0.4)))
    strong = changed(few) > np.quantile(changed(few), 0.97)
    assert changed(many)[strong].mean() > 0.9 * changed(few)[strong].mean()
    assert changed(many)[strong].mean() > 1.3 * changed(many).mean()  # where the few were


def test_what_cannot_be_reached_is_said(driver):
    grey = np.full((40, 40, 3), 128, np.uint8)
    blur, fog = ask_intensity((Degradation.MOTION_BLUR,), 0.9), ask_intensity((Degradation.HAZE,), 0.2)
    unmade, made = make(driver, blur, fog, scene=grey)
    assert isinstance(made, Degraded)
    assert isinstance(unmade, Unmade) and unmade.reason == UNREACHED and "0.000 is the most" in unmade.message


def test_a_direction_is_heeded(driver):
    ask = replace(ask_intensity((Degradation.RAIN,), 0.6), direction=Direction.of(30))
    (made,) = make(driver, ask)
    assert isinstance(made, Degraded)
    assert measure_direction(SCENE, made.image, ask.mix).degrees == pytest.approx(30, abs=6)


def test_no_sample_depends_on_what_is_beside_it(driver):
    asks = [ask_intensity((kind,), 0.5) for kind in (Degradation.RAIN, Degradation.HAZE, Degradation.SNOW)]
    for alone, beside in zip((make(driver, ask)[0] for ask in asks), make(driver, *asks), strict=True):
        np.testing.assert_array_equal(changed(alone), changed(beside))


def test_parts_are_measured_on_what_they_were_laid_on(driver):
    ask = ask_wanted(parse_wanted("low_light=0.3+rain=0.5+haze"), 0.2, learnt=MIXES)
    assert [part.mix for part in ask.parts] == [parse_mix(kind) for kind in ("haze", "rain", "low_light")]
    (made,) = make(driver, ask)
    assert isinstance(made, Degraded)
    for asked, found in zip(ask.parts, made.parts, strict=True):
        assert found.mu == pytest.approx(asked.mu, abs=max(0.002, 0.02 * asked.mu))
    whole = measure_intensity(SCENE, made.image)
    record = ask.recorded_with(whole, made.parts)
    assert (record["mu_requested"], record["intensity"]) == (whole.mu, pytest.approx((0.2 + 0.5 + 0.3) / 3))
    assert [part.intensity for part in record["parts"]] == [0.2, 0.5, 0.3]


def test_a_network_is_given_parts_one_after_the_other():
    from gendeg.drive.driver import drive
    from gendeg.model.settings import settings_of
    from tests.tiny import tiny_pipeline

    pipeline = tiny_pipeline()
    network = drive(pipeline, settings_of(pipeline, 1))
    ask = ask_wanted(parse_wanted("haze+low_light"), 0.5)
    (made,) = make(network, ask, scene=photo(16, 24))
    assert isinstance(made, Degraded) and len(made.parts) == 2
    whole = ask_wanted(parse_wanted("rain+haze"), 0.5)
    assert not whole.parts and network.used(ask).passes == 2 * network.used(whole).passes


def test_nothing_can_be_chosen_of_it_and_its_hash_is_its_code(driver):
    with pytest.raises(BadOption, match="--steps"):
        open_driver("physics", steps=3)
    with pytest.raises(BadOption, match="--sampler"):
        open_driver("physics", sampler="paper")
    with pytest.raises(BadOption, match="--guidance-text"):  # in a dry run, too
        plan_synthesis(SynthConfig(model="physics", guidance_text=2.0))
    assert driver.sha256 == physics_sha256() and len(driver.sha256) == 64
    assert (driver.settings.sampler, driver.settings.passes) == ("physics", 0)


def test_a_strength_is_found_by_a_known_law():
    clean = np.zeros((64, 64, 3), np.uint8)

    def at(strength: float, evenness: float) -> U8Image:
        image = clean.copy()
        image[: round(64 * (0.5 + 0.5 * evenness))] = round(200 * strength**2)
        return image

    law: At = at
    shot = find_strength(law, clean, 0.1, 0.0, 0.9)
    assert shot.strength == pytest.approx((0.2 * 255 / 200) ** 0.5, abs=0.02)
    wide = solve(law, clean, 0.1, 0.05)  # half the deviation of the drawn one: three quarters covered
    assert wide.evenness > 0.2 and wide.measured.mu == pytest.approx(0.1, abs=0.002)
