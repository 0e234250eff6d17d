"""What a model's configuration asks for both `synth` and `build` do: its map, residual decoding, the asked sigma."""

from dataclasses import replace

import numpy as np
import pytest

from gendeg.intensity.measure import measure_intensity
from gendeg.jobs.requests import request_intensity
from gendeg.jobs.sampler import Sampler
from gendeg.jobs.samples import Settings, make_samples, to_signed_tensor
from gendeg.model.pipeline import GenDegPipeline
from gendeg.primitives.kinds import parse_mix
from gendeg.shards.plan import PlannedSample
from tests.tiny import generators, photo, tiny_pipeline

CURVES = {"haze": {"mu": [[0.1, 0.05], [0.2, 0.25]], "sigma": [[0.1, 2.0], [0.2, 1.0]]}}
ASKED, TOLD = (0.15, 0.04), (0.15, 0.06)  # on the map: mu by its line, sigma half as much again
SETTINGS = Settings(steps=2, guidance_text=1.0, guidance_image=1.0, structure_correction=True)
SCENE = photo(16, 24)


def mapped() -> GenDegPipeline:
    pipeline = tiny_pipeline()
    pipeline.register_to_config(calibration=CURVES)
    return pipeline


def residual() -> GenDegPipeline:
    pipeline = tiny_pipeline()
    pipeline.register_to_config(residual_gain=2.0, residual_decoding=True)
    return pipeline


def spreading() -> GenDegPipeline:
    pipeline = tiny_pipeline()
    pipeline.register_to_config(spread_degradations=["snow"])
    return pipeline


def changing(scale: float = 4.0, directions: tuple[float, float] = (0.6, 0.2)) -> GenDegPipeline:
    pipeline = tiny_pipeline(structure=False)
    pipeline.register_to_config(change_scale={"rain": scale}, directions={"rain": [list(directions)]})
    return pipeline


def synthesized(pipeline: GenDegPipeline, kind: str, mu: float, sigma: float) -> np.ndarray:
    request = replace(request_intensity(parse_mix(kind), 0.5), mu=mu, sigma=sigma)
    clean = pipeline.encode_clean(to_signed_tensor(SCENE))
    return make_samples(pipeline, clean, [request], generators(1), SETTINGS)[0]


def built(pipeline: GenDegPipeline, kind: str, mu: float, sigma: float) -> np.ndarray:
    row = PlannedSample(
        key="a", shard=0, batch=0, split="train", degradation=kind, origin="generated", input=0, clean_path=b"a.png",
        clean_offset=-1, clean_length=-1, clean_sha256="0", keep=False, degraded_path=b"", caption="a photo",
        prompt="a photo, in hazy conditions", intensity=0.5, mu=mu, sigma=sigma, source="simulated", seed=0, width=24,
        height=16,
    )  # fmt: skip
    image = Sampler(pipeline, SETTINGS).run([row], [SCENE], 0)[0]
    assert image is not None
    return image


def test_both_tell_the_model_by_its_map():
    for make in (synthesized, built):
        assert np.array_equal(make(mapped(), "haze", *ASKED), make(tiny_pipeline(), "haze", *TOLD))
        assert not np.array_equal(make(mapped(), "haze", *ASKED), make(tiny_pipeline(), "haze", *ASKED))


def test_what_is_not_on_the_map_is_told_as_asked():
    for make in (synthesized, built):
        assert np.array_equal(make(mapped(), "rain", *ASKED), make(tiny_pipeline(), "rain", *ASKED))


def test_both_decode_onto_the_photo_and_remember_what_was_decoded_of_it():
    for make in (synthesized, built):
        model, plain = residual(), residual()
        plain.register_to_config(residual_decoding=False)
        first = make(model, "haze", *ASKED)
        assert np.array_equal(first, make(model, "haze", *ASKED))
        assert not np.array_equal(first, make(plain, "haze", *ASKED))


def test_both_spread_what_comes_out_too_even_to_the_sigma_that_was_asked_not_told():
    asked = (0.15, 0.3)
    for make in (synthesized, built):
        made = [measure_intensity(SCENE, make(spreading(), kind, *asked)) for kind in ("snow", "rain")]
        plain = [measure_intensity(SCENE, make(tiny_pipeline(), kind, *asked)) for kind in ("snow", "rain")]
        assert made[0].sigma > 1.05 * plain[0].sigma and made[0].mu == pytest.approx(plain[0].mu, rel=0.05)
        assert made[1] == plain[1], "rain is not named"


def test_both_multiply_the_change_by_its_size_and_tell_a_direction_of_the_prior():
    for make in (synthesized, built):
        image = make(changing(), "rain", *ASKED)
        assert np.array_equal(image, make(changing(), "rain", *ASKED))
        assert not np.array_equal(image, make(changing(scale=2.0), "rain", *ASKED))
        assert not np.array_equal(image, make(changing(directions=(-0.6, 0.2)), "rain", *ASKED))
        with pytest.raises(ValueError, match="needs the degradation"):
            make(changing(), "haze", *ASKED)
