"""The estimator: what is measured, intervals with a known answer, its making at toy size, and the one that ships."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from gendeg.estimator import examples as making
from gendeg.estimator import features as measuring
from gendeg.estimator import learn as learning
from gendeg.estimator.config import EstimatorConfig
from gendeg.estimator.estimate import Estimate, Guess, estimate, estimate_file
from gendeg.estimator.examples import PAIRS, REAL, SIMULATED, Example, make_examples
from gendeg.estimator.features import features, standard
from gendeg.estimator.learn import calibrate, learn, report, tabulate
from gendeg.estimator.network import CLEAN, KINDS, Estimator, Notes, load_estimator, look, own_weights, save_estimator
from gendeg.intensity.measure import measure_intensity
from gendeg.physics import SIMULATORS
from gendeg.primitives.errors import BadModel, BadOption, MissingPath, NoPhotos, NotRecognised, OutputExists
from gendeg.primitives.images import read_rgb, u8_to_unit, unit_to_u8, write_image
from gendeg.primitives.kinds import Degradation
from gendeg.synth.plan import sample_photos
from tests.few_pairs import write_pairs
from tests.tiny import photo


@pytest.mark.parametrize("shape", [(300, 400), (17, 90), (64, 900), (256, 256)])
def test_a_photo_of_any_size_gives_as_many_finite_numbers(shape: tuple[int, int]) -> None:
    for image in (photo(*shape), np.zeros((*shape, 3), np.uint8), np.full((*shape, 3), 255, np.uint8)):
        found = features(image)
        assert found.shape == features(photo(256, 256)).shape and np.isfinite(found).all()


def test_of_a_panorama_the_middle_counts() -> None:
    image = np.zeros((256, 2000, 3), np.uint8)
    image[:, 1000 - 256 : 1000 + 256] = 7
    assert standard(image).shape == (256, 512, 3) and (standard(image) == 7).all()


# --- intervals ---


class Fixed(Estimator):
    """Tells what its features say: the roots of one kind, and logits."""

    def forward(self, features):
        return features[:, : CLEAN + 1].log_softmax(dim=1), features[:, CLEAN + 1 :].unflatten(1, (len(KINDS), 2))


def told(label: int, roots: float, truth: float) -> tuple[np.ndarray, int, list[float]]:
    logits = np.eye(CLEAN + 1)[label] * 9
    return np.concatenate([logits, np.full(2 * len(KINDS), roots)]), label, [truth, truth]


def held_out(errors: dict[int, np.ndarray]):
    rows = [told(label, 0.5 + error, 0.5) for label, some in errors.items() for error in some]
    return np.stack([row[0] for row in rows]), np.array([row[1] for row in rows]), np.array([row[2] for row in rows])


def test_an_interval_is_the_conformal_quantile_of_its_kind() -> None:
    errors = {kind: np.arange(1, 100) / 1000 * (kind + 1) for kind in range(len(KINDS))} | {CLEAN: np.zeros(5)}
    notes = calibrate(Fixed(3), held_out(errors))
    for number, kind in enumerate(KINDS):
        assert notes.reach[str(kind)] == pytest.approx([0.090 * (number + 1)] * 2, abs=1e-5)  # ⌈100 · .9⌉ = the 90th
    assert notes.temperature < 1  # it was always right, and may be surer than it said


def test_a_report_counts_what_was_right_refused_and_wrong() -> None:
    haze, rain = 0, 1
    notes = Notes(1.0, {str(kind): [0.1, 0.1] for kind in KINDS}, {})

    def example(said: int, label: int, error: float = 0.0, sure: float = 9.0) -> Example:
        values = told(said, 0.5 + error, 0.5)[0]
        values[: CLEAN + 1] *= sure / 9
        return Example(values, label, 0.25, 0.25, SIMULATED, "test")

    rows = [example(haze, haze), example(haze, haze, 0.2), example(rain, haze), example(haze, haze, sure=0.5)]
    found = report(Fixed(3), notes, [*rows, example(CLEAN, CLEAN)])
    assert found["haze"]["photos"] == 4 and found["haze"]["right"] == 0.75
    assert found["haze"]["refused"] == 0.25 and found["haze"]["wrong"] == 0.25 and found["haze"]["mu covered"] == 0.75
    assert found["haze"]["mu error"] == pytest.approx((0.7**2 - 0.5**2) / 4, abs=1e-4)
    assert found["clean"] == {"photos": 1, "right": 1.0, "refused": 1.0, "wrong": 0.0}
    assert "| haze, simulated | 4 | 75% | 25% | 25% |" in tabulate({SIMULATED: found})


def network_that_says(logits: dict[int, float], root: float) -> tuple[Estimator, Notes]:
    network = Estimator(len(features(photo(32, 32)))).eval()
    for member in network.members:
        torch.nn.init.zeros_(member[-1].weight)
        torch.nn.init.constant_(member[-1].bias, root)
        for number in range(CLEAN + 1):
            member[-1].bias.data[number] = logits.get(number, 0.0)
    return network, Notes(1.0, {str(kind): [0.1, 0.05] for kind in KINDS}, {})


def test_what_is_said_of_a_photo() -> None:
    network, notes = network_that_says({1: 9.0}, 0.4)
    found = estimate(photo(40, 60), network, notes, "a.png")
    assert found.degradation == "rain" and found.probability > 0.99
    assert (found.mu.low, found.mu.value, found.mu.high) == pytest.approx((0.09, 0.16, 0.25))
    assert (found.sigma.low, found.sigma.high) == pytest.approx((0.35**2, 0.45**2))
    assert str(found).startswith("a.png: rain (probability 1.00), mu 0.160 (90%: 0.090 to 0.250), sigma 0.160")
    assert found.as_row()["mu_low"] == pytest.approx(0.09) and found.as_row()["degradation"] == "rain"
    assert estimate(photo(40, 60), network, notes, "a.png", Degradation.SNOW).degradation == "snow"


@pytest.mark.parametrize("logits, said", [({CLEAN: 9.0}, "no degradation recognised"), ({0: 2.0, 4: 2.0}, "not sure")])
def test_what_is_not_clear_is_refused(logits: dict[int, float], said: str) -> None:
    network, notes = network_that_says(logits, 0.4)
    with pytest.raises(NotRecognised, match=f"a.png: {said}.*--type"):
        estimate(photo(40, 60), network, notes, "a.png")


def test_nothing_to_degrade_with_is_refused_though_its_type_is_named() -> None:
    network, notes = network_that_says({1: 9.0}, -0.2)
    with pytest.raises(NotRecognised, match="a.png: no rain that could be measured") as refused:
        estimate(photo(40, 60), network, notes, "a.png", Degradation.RAIN)
    assert "--type" not in str(refused.value)


# --- the file ---


def test_a_saved_estimator_says_the_same(tmp_path: Path) -> None:
    network, notes = network_that_says({2: 1.0, 3: 0.5}, 0.25)
    save_estimator(network, notes, tmp_path / "e.safetensors")
    again, read = load_estimator(tmp_path / "e.safetensors")
    assert read == notes
    inputs = np.random.default_rng(0).normal(size=(4, len(network.centre)))
    for one, other in zip(look(network, notes, inputs), look(again, read, inputs), strict=True):
        assert np.allclose(one, other, atol=2e-3)


def test_what_is_no_estimator_has_its_line(tmp_path: Path) -> None:
    network, notes = network_that_says({}, 0.1)
    save_estimator(network, replace(notes, schema="gendeg-estimator-0"), tmp_path / "old.safetensors")
    (tmp_path / "text.safetensors").write_text("no weights")
    for name, said in (("old", "made for gendeg-estimator-0"), ("text", "gendeg estimator"), ("gone", "No such file")):
        with pytest.raises(BadModel, match=said):
            load_estimator(tmp_path / f"{name}.safetensors")


# --- the making ---


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (making, measuring):
        monkeypatch.setattr(module, "SIDE", 64)
    monkeypatch.setattr(learning, "LEAST", 1)


def photos_with_splits(folder: Path) -> Path:
    splits = ("train", "validation", "test", "train")
    for number in range(len(splits)):
        write_image(photo(70, 80, seed=number), folder / f"p{number}.png", "png")
    rows = [f"p{number}.png,{split}" for number, split in enumerate(splits)]
    (folder / "photos.csv").write_text("\n".join(["path,split", *rows]))
    return folder / "photos.csv"


def test_one_is_made_from_photos_and_pairs(tmp_path: Path, small: None) -> None:
    table = photos_with_splits(tmp_path)
    pairs = write_pairs(tmp_path / "pairs")
    (tmp_path / "real/rain").mkdir(parents=True)
    write_image(photo(70, 80), tmp_path / "real/rain/a.png", "png")
    told = {"pairs": (pairs,), "real": tmp_path / "real", "epochs": 2, "workers": 1, "progress": False}
    config = EstimatorConfig((table,), tmp_path / "e.safetensors", **told)
    notes = learn(config)
    assert set(notes.held_out[REAL]) == {"rain"} and "mu error" not in notes.held_out[REAL]["rain"]
    assert set(notes.held_out[SIMULATED]) == {*map(str, KINDS), "clean"}
    assert load_estimator(config.out)[1] == notes
    with pytest.raises(OutputExists):
        learn(config)
    first = config.out.read_bytes()
    learn(replace(config, overwrite=True))
    assert config.out.read_bytes() == first


def test_examples_are_views_of_known_strength_and_one_photo_has_one_split(tmp_path: Path, small: None) -> None:
    table = photos_with_splits(tmp_path)
    (tmp_path / "broken.png").write_bytes(b"\x89PNG cut")
    table.write_text(table.read_text() + "\nbroken.png,train")
    config = EstimatorConfig((table,), tmp_path / "e", (write_pairs(tmp_path / "pairs"),), workers=1, progress=False)
    found = make_examples(config)
    simulated = [one for one in found if one.origin == SIMULATED]
    assert len(simulated) == 4 * (CLEAN + 1) and sum(one.split == "test" for one in simulated) == CLEAN + 1
    assert all((one.mu == 0) == (one.label == CLEAN) for one in simulated)
    assert any(one.origin == PAIRS and one.mu > 0 for one in found)


def test_too_few_photos_are_refused(tmp_path: Path, small: None) -> None:
    write_image(photo(70, 80), tmp_path / "p.png", "png")
    with pytest.raises(NoPhotos, match="too few: .*; give more photos"):
        learn(EstimatorConfig((tmp_path,), tmp_path / "e.safetensors", workers=1, progress=False))


# --- the one that comes along ---


@pytest.mark.parametrize("place", sample_photos(), ids=lambda path: path.name)
def test_clean_photos_are_refused(place: Path) -> None:
    with pytest.raises(NotRecognised, match="no degradation recognised|not sure"):
        estimate_file(place)


@pytest.mark.parametrize("kind", [Degradation.HAZE, Degradation.LOW_LIGHT, Degradation.MOTION_BLUR])
def test_strong_degradations_are_recognised_and_measured(kind: Degradation) -> None:
    clean = read_rgb(sample_photos()[0].read_bytes())
    degraded = unit_to_u8(SIMULATORS[kind](u8_to_unit(clean), 0.8, np.random.default_rng(0)))
    found = estimate(degraded, *load_estimator(), "a.png")
    mu = measure_intensity(clean, degraded).mu
    assert found.degradation == kind and found.probability > 0.6
    assert found.mu.low <= mu <= found.mu.high or found.mu.value == pytest.approx(mu, rel=0.5)


def test_it_is_small_and_says_how_well_it_does() -> None:
    assert own_weights().stat().st_size < 1_000_000
    _, notes = load_estimator()
    assert {SIMULATED, PAIRS, REAL} == set(notes.held_out) and set(notes.reach) == set(map(str, KINDS))
    assert all(0 < reach < 0.5 for both in notes.reach.values() for reach in both)


def test_an_estimate_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(MissingPath):
        estimate_file(tmp_path / "no.png")
    for number in range(2):
        write_image(photo(40, 40, seed=number), tmp_path / f"{number}.png", "png")
    with pytest.raises(BadOption, match="wants one degraded photo"):
        estimate_file(tmp_path)
    assert isinstance(Estimate("a", Degradation.HAZE, 1.0, Guess(0.1, 0.0, 0.2), Guess(0.1, 0.0, 0.2)).mu, Guess)
