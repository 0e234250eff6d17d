"""From measurements to a map, and a model that answers otherwise than it is told."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gendeg.evaluate.calibrate import (
    FURTHEST,
    Answer,
    Point,
    calibrate,
    corrected,
    curves_of,
    measure_response,
    tabulate_response,
)
from gendeg.evaluate.config import CalibrateConfig
from gendeg.intensity.ask import ask_statistics
from gendeg.intensity.measure import Intensity, measure_intensity
from gendeg.model.generate import Generator, finite, noise_of
from gendeg.model.response import checked_response, told_statistics
from gendeg.model.settings import settings_of
from gendeg.model.weights import load_pipeline, model_sha256
from gendeg.primitives.errors import BadModel, OutputExists
from gendeg.primitives.images import write_image
from gendeg.primitives.kinds import parse_mix
from tests.tiny import photo, tiny_pipeline

RAIN = parse_mix("rain")


def ask(mu: float, sigma: float):
    return replace(ask_statistics(RAIN, 0.1, 0.1), mu=mu, sigma=sigma)


def answer(told: Intensity) -> Answer:
    """A model that makes mu too weak, and sigma as a power of what it is told."""
    mu = 0.7 * told.mu
    return Answer(mu, Intensity(mu, 0.5 * told.sigma**0.9))


def test_rounds_lead_to_what_is_asked():
    asked = ask(0.1, 0.12)
    point = Point(asked, Intensity(0.1, 0.12), answer(Intensity(0.1, 0.12)))
    first = point.off
    for _ in range(6):
        told = corrected(point)
        point = Point(asked, told, answer(told))
    assert point.answer.final == pytest.approx((0.1, 0.12), rel=0.01) and point.off < first / 50


def test_what_ends_nearer_wins_and_of_two_that_end_alike_the_one_that_was_scaled_less():
    def off(raw: float, mu: float, sigma: float) -> float:
        return Point(ask(0.1, 0.1), Intensity(0.1, 0.1), Answer(raw, Intensity(mu, sigma))).off

    assert off(0.1, 0.1, 0.1) == 0
    assert off(0.2, 0.1, 0.1) < off(0.3, 0.1, 0.1) < off(0.2, 0.1, 0.05)
    assert off(0.1, 0.1, 0.05) < off(0.1, 0.05, 0.1)


def test_what_is_told_stays_near_what_is_asked_and_in_its_bins():
    deaf = Point(ask(0.1, 0.2), Intensity(0.1, 0.2), Answer(0.0, Intensity(0.0, 0.0)))
    told = corrected(corrected_again := replace(deaf, told=corrected(deaf)))
    assert told == pytest.approx((0.1 * FURTHEST, 0.4)) and corrected_again.told.mu <= 0.1 * FURTHEST


def test_the_map_is_monotone_and_gives_the_points_back():
    points = [
        Point(ask(mu, 0.1), Intensity(told, 0.1 * factor), Answer(mu, Intensity(mu, 0.1)))
        for mu, told, factor in ((0.3, 0.2, 1.0), (0.1, 0.05, 2.0), (0.2, 0.3, 1.5))
    ]
    curves = checked_response({"rain": curves_of(points)})
    assert told_statistics(curves, "rain", 0.1, 0.1) == pytest.approx((0.05, 0.2))
    assert curves["rain"]["mu"] == [[0.1, 0.05], [0.2, 0.25], [0.3, 0.25]]  # 0.3 before 0.2: both become their mean


@pytest.mark.parametrize("change_scale", [{}, {"rain": 4.0}])
def test_what_is_measured_is_what_a_model_makes_that_is_told_by_such_a_map(change_scale):
    pipeline = tiny_pipeline(structure=False)
    pipeline.register_to_config(change_scale=change_scale, strength_gain=1.1)
    generator, scene, asked = Generator(pipeline, settings_of(pipeline)), photo(32, 40), ask(0.1, 0.1)
    config = CalibrateConfig(Path("clean"), Path("out"))
    (answer,) = measure_response(generator, [(scene, "a")], [asked], [Intensity(0.2, 0.05)], config)
    pipeline.register_to_config(calibration={"rain": {"mu": [[0.1, 0.2]], "sigma": [[0.1, 0.5]]}})
    (image,) = finite(generator.degrade(generator.encode([scene]), [asked], [noise_of(0, "a", asked)]))
    assert answer.final == pytest.approx(measure_intensity(scene, image))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("calibration")
    (folder / "clean").mkdir()
    for number in range(2):
        write_image(photo(34, 40, seed=number), folder / "clean" / f"p{number}.png", "png")
    tiny_pipeline().save_pretrained(folder / "model")
    return folder


def config(place: Path, **changes: object) -> CalibrateConfig:
    settings: dict = {
        "clean": place / "clean", "out": place / "out", "model": str(place / "model"), "types": "rain,haze",
        "intensities": (0.2, 0.8), "rounds": 2, "size": 32, "steps": 2, "device": "cpu", "progress": False,
    }  # fmt: skip
    return CalibrateConfig(**settings | changes)


def test_a_map_is_of_the_model_without_its_evenness(place, tmp_path):
    """By which every sigma that it is told would come out as asked, and none be told from another."""
    pipeline = load_pipeline(str(place / "model"))
    pipeline.register_to_config(strength_gain=1.5, veils={"haze": 9})
    maps = []
    for name, evenness in (("plain", {}), ("even", {"haze": 0.5, "rain": 0.5})):
        pipeline.register_to_config(evenness=evenness)
        pipeline.save_pretrained(tmp_path / name)
        notes = calibrate(config(place, model=str(tmp_path / name), out=tmp_path / "maps" / name, rounds=1))
        made = load_pipeline(str(tmp_path / "maps" / name)).config
        assert made.evenness == evenness and made.veils == {"haze": 9}, "which it keeps"
        maps.append(notes["rounds"])
    assert maps[0] == maps[1], "what was measured"


def test_a_calibrated_model_is_the_same_model_with_a_map(place):
    notes = calibrate(config(place))
    before, after = load_pipeline(str(place / "model")), load_pipeline(str(place / "out"))
    assert set(after.config.calibration) == {"rain", "haze"} and not before.config.calibration
    assert notes["model_sha256"] == model_sha256(after) != model_sha256(before)
    assert json.loads((place / "out" / "calibration.json").read_text()) == notes
    first, second = notes["rounds"]["rain"]
    assert [point["mu_told"] for point in first] == [point["mu_asked"] for point in first]
    for before_it, after_it in zip(first, second, strict=True):  # the second round corrects the first
        up = before_it["mu_raw"] < before_it["mu_asked"]
        assert (after_it["mu_told"] > before_it["mu_told"]) == up
    assert all(best in (a, b) for best, a, b in zip(notes["chosen"]["rain"], first, second, strict=True))
    assert len(tabulate_response(notes).splitlines()) == 2 + 2 * 2
    with pytest.raises(OutputExists):
        calibrate(config(place))


def test_another_degradation_is_added_to_the_map_in_place(place):
    if not (place / "out" / "model_index.json").exists():
        calibrate(config(place))
    before = json.loads((place / "out" / "calibration.json").read_text())
    notes = calibrate(config(place, model=str(place / "out"), types="snow", overwrite=True, rounds=1))
    assert set(load_pipeline(str(place / "out")).config.calibration) == {"rain", "haze", "snow"}
    stored = json.loads((place / "out" / "calibration.json").read_text())
    assert stored["model_sha256"] == notes["model_sha256"]
    for part in ("photos", "chosen", "rounds"):
        assert stored[part] == {**before[part], **notes[part]} and set(stored[part]) == {"rain", "haze", "snow"}
    (place / "out" / "calibration.json").write_text(json.dumps(stored | {"model_sha256": "of other weights"}))
    notes = calibrate(config(place, model=str(place / "out"), types="snow", overwrite=True, rounds=1))
    assert json.loads((place / "out" / "calibration.json").read_text()) == notes


def test_the_weights_are_copied_as_they_are(place):
    if not (place / "out" / "model_index.json").exists():
        calibrate(config(place))
    one, other = (next((place / name / "unet").glob("*.safetensors")).read_bytes() for name in ("model", "out"))
    assert one == other and np.frombuffer(one, np.uint8).any()


def test_a_model_that_is_no_folder_is_refused(place):
    with pytest.raises(BadModel, match="download"):
        calibrate(config(place, model="user/name", out=place / "none"))
