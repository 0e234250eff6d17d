"""The one driver: a model's configuration is heeded for one photo with many asks and for many photos alike."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from gendeg.intensity.ask import Ask, ask_intensity
from gendeg.intensity.measure import Intensity, measure_intensity
from gendeg.model.generate import Generator, finite
from gendeg.model.pipeline import GenDegPipeline
from gendeg.model.settings import Settings
from gendeg.primitives.kinds import parse_mix
from tests.tiny import generators, photo, tiny_pipeline

CURVES = {"haze": {"mu": [[0.1, 0.05], [0.2, 0.25]], "sigma": [[0.1, 2.0], [0.2, 1.0]]}}
ASKED, TOLD = (0.15, 0.04), (0.15, 0.06)  # on the map: mu by its line, sigma half as much again
SETTINGS = Settings(steps=2, guidance_text=1.0, guidance_image=1.0, structure_correction=True)
SCENE, OTHER = photo(16, 24), photo(16, 24, seed=1)[::-1].copy()


def mapped() -> GenDegPipeline:
    pipeline = tiny_pipeline()
    pipeline.register_to_config(calibration=CURVES)
    return pipeline


def residual() -> GenDegPipeline:
    pipeline = tiny_pipeline()
    pipeline.register_to_config(residual_decoding=True)
    return pipeline


def detailed() -> GenDegPipeline:
    """Without a correction, so that detail is put back, and veils are made."""
    pipeline = tiny_pipeline(structure=False)
    pipeline.register_to_config(residual_decoding=True)
    return pipeline


def changing(scale: float = 4.0, directions: tuple[float, float] = (0.6, 0.2)) -> GenDegPipeline:
    pipeline = tiny_pipeline(structure=False)
    pipeline.register_to_config(change_scale={"rain": scale}, directions={"rain": [list(directions)]})
    return pipeline


def ask_for(kind: str, mu: float, sigma: float) -> Ask:
    return replace(ask_intensity(parse_mix(kind), 0.5), mu=mu, sigma=sigma)


def alone(pipeline: GenDegPipeline, kind: str, mu: float, sigma: float) -> np.ndarray:
    generator = Generator(pipeline, SETTINGS)
    return finite(generator.degrade(generator.encode([SCENE]), [ask_for(kind, mu, sigma)], generators(1)))[0]


def beside_another(pipeline: GenDegPipeline, kind: str, mu: float, sigma: float) -> np.ndarray:
    generator, asks = Generator(pipeline, SETTINGS), [ask_for(kind, 0.2, 0.1), ask_for(kind, mu, sigma)]
    return finite(generator.degrade(generator.encode([OTHER, SCENE]), asks, generators(0, 1)))[1]


def test_both_tell_the_model_by_its_map():
    for make in (alone, beside_another):
        assert np.array_equal(make(mapped(), "haze", *ASKED), make(tiny_pipeline(), "haze", *TOLD))
        assert not np.array_equal(make(mapped(), "haze", *ASKED), make(tiny_pipeline(), "haze", *ASKED))


def test_what_is_not_on_the_map_is_told_as_asked():
    for make in (alone, beside_another):
        assert np.array_equal(make(mapped(), "rain", *ASKED), make(tiny_pipeline(), "rain", *ASKED))


def test_both_decode_onto_the_photo_and_remember_what_was_decoded_of_it():
    for make in (alone, beside_another):
        model, plain = residual(), residual()
        plain.register_to_config(residual_decoding=False)
        first = make(model, "haze", *ASKED)
        assert np.array_equal(first, make(model, "haze", *ASKED))
        assert not np.array_equal(first, make(plain, "haze", *ASKED))


def test_both_multiply_the_change_by_its_size_and_tell_a_direction_of_the_prior():
    for make in (alone, beside_another):
        image = make(changing(), "rain", *ASKED)
        assert np.array_equal(image, make(changing(), "rain", *ASKED))
        assert not np.array_equal(image, make(changing(scale=2.0), "rain", *ASKED))
        assert not np.array_equal(image, make(changing(directions=(-0.6, 0.2)), "rain", *ASKED))
        with pytest.raises(ValueError, match="needs the degradation"):
            make(changing(), "haze", *ASKED)


@pytest.mark.parametrize("together", [False, True])  # as on a CPU, as on a GPU
@pytest.mark.parametrize("make", [tiny_pipeline, residual, detailed])
def test_a_batch_of_different_photos_makes_what_each_makes_alone(make, together, monkeypatch):
    """Each is corrected with and brought to its strength beside its own photo, not the first one's."""
    monkeypatch.setattr(GenDegPipeline, "together", together)
    pipeline = make()
    pipeline.register_to_config(strength_gain=2.0, evenness={"snow": 0.5, "haze": 0.3}, veils={"haze": 9})
    kinds = ["snow", "motion_blur", "low_light", "haze"]
    photos = [photo(16, 24, seed) // (1 + seed) for seed in range(4)]
    asks = [ask_for(kind, 0.15, 0.1) for kind in kinds]
    generator = Generator(pipeline, SETTINGS)
    clean = generator.encode(photos)
    together = finite(generator.degrade(clean, asks, generators(0, 1, 2, 3)))
    for row, (scene, ask) in enumerate(zip(photos, asks, strict=True)):
        one = generator.encode([scene])
        (single,) = finite(generator.degrade(one, [ask], generators(row)))
        assert np.abs(single.astype(int) - together[row]).max() <= 1


def test_sigma_comes_nearer_where_a_model_may_lay_its_change_anew():
    pipeline, scene = tiny_pipeline(structure=False), photo(48, 64)

    def made(sigma: float, **numbers: object) -> Intensity:
        with pipeline.altered(strength_gain=1.5, **numbers):
            generator = Generator(pipeline, SETTINGS)
            degraded = generator.degrade(generator.encode([scene]), [ask_for("rain", 0.1, sigma)], generators(0))
        return measure_intensity(scene, finite(degraded)[0])

    plain = made(0.1)
    for factor in (0.9, 1.1):
        asked = factor * plain.sigma
        before, after = made(asked), made(asked, evenness={"rain": 0.8})
        assert abs(after.sigma - asked) < abs(before.sigma - asked)
        assert after.mu == pytest.approx(before.mu, rel=0.02)
        assert made(asked, evenness={"snow": 0.8}) == before, "of another degradation"


def test_encoded_photos_and_prompts_are_shared_within_a_generator():
    pipeline, calls = tiny_pipeline(), []
    pipeline.text_encoder.register_forward_hook(lambda *_: calls.append("text"))
    generator = Generator(pipeline, SETTINGS)
    first = generator.degrade(generator.encode([SCENE]), [ask_for("rain", 0.1, 0.1)] * 2, generators(1, 2))
    again = generator.degrade(generator.encode([SCENE] * 2), [ask_for("rain", 0.1, 0.1)] * 2, generators(1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert calls == ["text"] * 2, "the prompt and nothing"


def test_who_cannot_go_on_without_an_image_says_so():
    with pytest.raises(ValueError, match="1 of 2 images"):
        finite([SCENE, None])


def test_photos_that_are_encoded_together_are_remembered_together(monkeypatch):
    """And never depend on what was encoded before: one that was alone is encoded again beside another."""
    monkeypatch.setattr(GenDegPipeline, "together", True)
    pipeline, calls = tiny_pipeline(), []
    plain = pipeline.encode_photos
    monkeypatch.setattr(
        pipeline, "encode_photos", lambda images, *more: calls.append(len(images)) or plain(images, *more)
    )
    generator = Generator(pipeline, SETTINGS)
    for photos in ([SCENE], [SCENE, OTHER, SCENE], [SCENE, OTHER], [OTHER, SCENE]):
        assert len(generator.encode(photos).image) == len(photos)
    assert calls == [1, 2, 2], "the third's photos are the second's, the fourth's come in another order"
    assert torch.equal(generator.encode([SCENE, OTHER, SCENE]).latent[2], generator.encode([SCENE, OTHER]).latent[0])
