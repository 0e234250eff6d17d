"""Sampling that begins with a simulator's draw: what is under the noise, how far it is changed, what it is told."""

import math
from dataclasses import replace

import diffusers
import numpy as np
import pytest
import torch

from gendeg.drive.physics import Physics
from gendeg.intensity.ask import Ask, ask_intensity
from gendeg.intensity.direction import Direction, measure_direction
from gendeg.intensity.reach import is_met, nearest
from gendeg.model.bundled import make_change_scheduler
from gendeg.model.generate import Generator, to_signed_tensor
from gendeg.model.latents import encode
from gendeg.model.pipeline import GenDegPipeline
from gendeg.model.samplers import ContinuousEulerAncestralScheduler, DistilledScheduler
from gendeg.model.schedulers import NoiseProcess, known_levels, level_at, noise_process, noised, share_of, up_to
from gendeg.model.settings import refuse_direction, settings_of
from gendeg.model.sketch import draw_sketch, no_sketch
from gendeg.model.weights import model_sha256
from gendeg.primitives.errors import BadOption
from gendeg.primitives.kinds import Degradation
from tests.tiny import generators, photo, tiny_pipeline

SCENE, OTHER = photo(64, 72), photo(64, 72, 5)
SCALES = {"rain": 5.0, "haze": 5.0}
RAIN, HAZE = ask_intensity((Degradation.RAIN,), 0.6), ask_intensity((Degradation.HAZE,), 0.6)
SCHEDULERS = ("DPMSolverMultistepScheduler", "DDIMScheduler", "EulerDiscreteScheduler", "UniPCMultistepScheduler")


def sketching(level: float) -> GenDegPipeline:
    return tiny_pipeline(structure=False).with_parts(
        scheduler=make_change_scheduler(), change_scale=SCALES, steps=4, guidance_text=1.0, guidance_image=1.0,
        sketch=level,
    )  # fmt: skip


def drawn_of(ask: Ask, seed: int, scene: np.ndarray = SCENE) -> np.ndarray:
    return draw_sketch(scene, ask, generators(seed)[0].initial_seed()).image


def generated(pipeline: GenDegPipeline, *asks: Ask, seed: int = 0) -> torch.Tensor:
    generator = Generator(pipeline, settings_of(pipeline))
    clean = generator.encode([SCENE])
    return generator.generate(clean, generator.settle(asks), generators(*[seed] * len(asks))).latents


@pytest.mark.parametrize("level", [0.1, 1.0, 5.0])
def test_the_way_begins_at_the_level(level):
    levels = known_levels(make_change_scheduler())
    cut = up_to(levels, level)
    ratio = ((1 - cut) / cut).sqrt()
    assert ratio[-2] < level <= ratio[-1] < 1.05 * level
    assert up_to(levels, 0.0) is levels


@pytest.mark.parametrize("name", SCHEDULERS)
def test_any_scheduler_begins_with_what_is_under_the_noise_and_ends_where_the_network_points(name):
    """A network that knows the answer is followed to it, from a way that is cut off."""
    trained = make_change_scheduler()
    process = noise_process(getattr(diffusers, name).from_config(trained.config), trained, 1.0)
    process.scheduler.set_timesteps(6)
    torch.manual_seed(0)
    sketch, answer, noise = torch.randn(3, 2, 4, 8, 8)
    latents, first = process.begin(noise, sketch), process.scheduler.timesteps[0]
    signal = torch.full((2,), level_at(process.levels, float(first)))
    assert 0.75 < float(((1 - signal[0]) / signal[0]).sqrt()) < 1.05  # some spacings begin a step below the highest
    seen = process.scale_model_input(latents, first)
    assert torch.allclose(seen, noised(sketch, noise, signal), atol=1e-4)
    for timestep in process.scheduler.timesteps:
        seen, level = process.scale_model_input(latents, timestep), level_at(process.levels, float(timestep))
        said = (level**0.5 * seen - answer) / (1 - level) ** 0.5  # v that points there
        latents = process.step(said, timestep, latents, {})
    assert torch.allclose(latents, answer, atol=0.05)


def test_the_published_sampler_and_a_students_begin_so_too():
    trained = make_change_scheduler()
    process = noise_process(ContinuousEulerAncestralScheduler.from_config(trained.config), trained, 1.0)
    process.scheduler.set_timesteps(6)
    sketch, noise = torch.randn(2, 1, 4, 8, 8)
    assert torch.allclose(process.begin(noise, sketch), sketch + process.scheduler.sigmas[0] * noise, atol=1e-4)
    student = DistilledScheduler([[400.0, 0.5], [100.0, 0.9]])
    begun = student.add_noise(sketch, noise, student.timesteps[:1])
    assert torch.allclose(begun, noised(sketch, noise, torch.tensor([0.5])))


def test_under_hardly_any_noise_the_sketch_stays():
    pipeline = sketching(0.1)
    drawn = drawn_of(RAIN, 3)
    both = torch.cat([torch.from_numpy(x / 127.5 - 1).float().permute(2, 0, 1)[None] for x in (SCENE, drawn)])
    clean, degraded = encode(pipeline.vae, both)
    change = (degraded - clean) * pipeline.vae.config.scaling_factor
    low, high = generated(pipeline, RAIN, seed=3)[0], generated(sketching(5.0), RAIN, seed=3)[0]
    assert (low - change).norm() < 0.3 * change.norm() < (high - change).norm()


def test_a_sketch_is_as_asked_and_no_draw_of_the_simulators_own():
    ask = replace(RAIN, direction=Direction.of(30))
    drawn = drawn_of(ask, 3)
    assert is_met(nearest(SCENE, ask, 3), ask.mu)
    assert abs(drawn.astype(float) - SCENE).mean() / 255 == pytest.approx(ask.mu, rel=0.05)
    assert measure_direction(SCENE, drawn, ask.mix).degrees == pytest.approx(30, abs=10)
    (own,) = Physics().degrade([SCENE], [ask], generators(3))
    assert isinstance(own, np.ndarray) and not np.array_equal(own, drawn)
    again, other = drawn_of(ask, 3), drawn_of(ask, 4)
    assert np.array_equal(again, drawn) and not np.array_equal(other, drawn)


def test_each_photo_has_its_own_sketch():
    pipeline = sketching(1.0)
    generator = Generator(pipeline, settings_of(pipeline))
    asks, seeds = [RAIN, HAZE], generators(1, 2)
    both = generator.generate(generator.encode([SCENE, OTHER]), generator.settle(asks), seeds).latents
    for row, (scene, ask) in enumerate(zip((SCENE, OTHER), asks, strict=True)):
        alone = generator.generate(generator.encode([scene]), generator.settle([ask]), generators(row + 1)).latents
        assert torch.allclose(alone[0], both[row], atol=1e-4)


def test_what_begins_lower_goes_beside_what_does_not(monkeypatch):
    """In any order each sample is what it is alone; a mix begins as low as its lowest member."""
    scales = SCALES | {"rain+haze": 5.0}
    plain = sketching(1.0).with_parts(change_scale=scales)
    pipeline, high = plain.with_parts(sketch_levels={"haze": 0.1}), Generator(plain, settings_of(plain))
    both = ask_intensity((Degradation.RAIN, Degradation.HAZE), 0.6)
    assert [pipeline.level_of(ask.mix) for ask in (RAIN, HAZE, both)] == [1.0, 0.1, 0.1]
    begun, begin = [], NoiseProcess.begin
    monkeypatch.setattr(NoiseProcess, "begin", lambda *given: begun.append(len(given[1])) or begin(*given))
    generator = Generator(pipeline, settings_of(pipeline))
    for clean in (generator.encode([SCENE, OTHER, SCENE]), generator.encode([SCENE])):
        asks, seeds = [both, RAIN, HAZE], (1, 2, 3)
        rows = generator.generate(clean, generator.settle(asks), generators(*seeds)).latents
        assert begun[-2:] == [2, 1]
        for row, (ask, seed) in enumerate(zip(asks, seeds, strict=True)):
            one = clean.of(row) if clean.several else clean
            alone = generator.generate(one, generator.settle([ask]), generators(seed)).latents
            assert torch.allclose(alone[0], rows[row], atol=1e-4)
            if ask is not RAIN:
                far = high.generate(one, high.settle([ask]), generators(seed)).latents
                assert not torch.allclose(alone, far, atol=1e-2)


def test_noise_alone_goes_beside_draws():
    """A degradation without a draw is what it is of a model that knows none; a mix begins as low as what is drawn."""
    scales = SCALES | {"rain+haze": 5.0}
    pipeline = sketching(1.0).with_parts(change_scale=scales, sketch_levels={"haze": 0.0}, residual_decoding=True)
    both = ask_intensity((Degradation.RAIN, Degradation.HAZE), 0.6)
    assert [pipeline.level_of(ask.mix) for ask in (RAIN, HAZE, both)] == [1.0, 0.0, 1.0]
    generator = Generator(pipeline, settings_of(pipeline))
    assert [generator.drawer(ask) for ask in (RAIN, HAZE)] == [draw_sketch, no_sketch]
    asks, clean = [HAZE, RAIN], generator.encode([SCENE, OTHER])
    rows = generator.generate(clean, generator.settle(asks), generators(1, 2))
    assert rows.sketch is not None and torch.equal(rows.sketch.photo[0], to_signed_tensor(SCENE)[0])
    assert torch.equal(rows.sketch.photo[1], to_signed_tensor(drawn_of(RAIN, 2, OTHER))[0])
    plain = sketching(0.0).with_parts(residual_decoding=True)
    other = Generator(plain, settings_of(plain))
    photo_alone = other.encode([SCENE])
    alone = other.generate(photo_alone, other.settle([HAZE]), generators(1))
    assert alone.sketch is None and torch.allclose(alone.latents[0], rows.latents[0], atol=1e-4)
    images = [
        generator.decode(clean, generator.settle(asks), rows),
        other.decode(photo_alone, other.settle([HAZE]), alone),
    ]
    assert torch.allclose(images[0][0], images[1][0], atol=5e-3), "what the autoencoder loses comes back of the photo"
    drawn = Generator(sketching(1.0), settings_of(pipeline, 4))
    few = generator.used(RAIN).passes
    assert few < generator.used(HAZE).passes == 4 == drawn.used(HAZE).passes
    same = Generator(sketching(1.0), settings_of(pipeline, few))
    (own,) = same.generate(same.encode([OTHER]), same.settle([RAIN]), generators(2)).latents
    assert torch.allclose(own, rows.latents[1], atol=1e-4)


@pytest.mark.parametrize("steps", [1, 7, 100])
def test_who_begins_further_down_takes_its_share_of_the_steps(steps):
    whole = known_levels(make_change_scheduler())
    shares = [share_of(steps, up_to(whole, level), whole) for level in (0.03, 0.25, 1.0, 5.0, 0.0)]
    assert shares == sorted(shares) and shares[0] == 1 and shares[-1] == steps
    karras = noise_process(make_change_scheduler(), make_change_scheduler())
    karras.scheduler.set_timesteps(steps)
    below = sum(karras.noise_at(t) <= 1.0 for t in karras.scheduler.timesteps)
    assert steps == 1 or shares[2] == below, "as many as the long way has down there"


@pytest.mark.parametrize("name", SCHEDULERS)
def test_more_steps_than_a_low_way_has_levels_are_as_many_as_it_has(name):
    pipeline = sketching(1.0).with_parts(sketch_levels={"haze": 0.1})
    pipeline.scheduler = getattr(diffusers, name).from_config(pipeline.scheduler.config)
    few, most = (len(pipeline.noise_process(1, level).levels) for level in (0.1, None))
    assert 1 < few < most
    generator = Generator(pipeline, settings_of(pipeline, most))
    assert (generator.used(RAIN).passes, generator.used(HAZE).passes) == (most, few)
    clean = generator.encode([SCENE])
    assert generator.generate(clean, generator.settle([HAZE]), generators(3)).latents.isfinite().all()


@pytest.mark.parametrize("lower", [{"hail": 0.1}, {"haze": -0.1}, {"haze": 2.0}])
def test_a_lower_level_is_a_degradations_own_and_lower(lower):
    with pytest.raises(ValueError, match="sketch_levels"):
        sketching(1.0).with_parts(sketch_levels=lower)


def test_a_correction_starts_from_the_photo_all_the_same():
    pipeline = sketching(1.0).with_parts(residual_decoding=True, structure=tiny_pipeline().structure)
    generator = Generator(pipeline, settings_of(pipeline))
    clean = generator.encode([SCENE])
    made = generator.generate(clean, generator.settle([RAIN]), generators(3))
    assert clean.decoded is not None and made.sketch is not None and made.sketch.decoded is None
    image, plain = (pipeline.decode_latents(made.latents, clean, True, one) for one in (made.sketch, None))
    assert torch.equal(image, plain)


@pytest.mark.parametrize("together", [False, True])  # as on a CPU, as on a GPU
def test_what_the_autoencoder_loses_of_the_draw_is_put_back(together, monkeypatch):
    """Where the network stays with the draw, and the decoder keeps its detail, the image is the draw; each its own."""
    monkeypatch.setattr(GenDegPipeline, "together", together)
    pipeline = sketching(1.0).with_parts(residual_decoding=True)
    generator = Generator(pipeline, settings_of(pipeline))
    asks, clean = [RAIN, HAZE], generator.encode([SCENE, OTHER])
    made = generator.generate(clean, generator.settle(asks), generators(3, 4))
    assert clean.decoded is None and made.sketch is not None and made.sketch.decoded is not None
    stayed = pipeline.to_generated(made.sketch.latent, clean.latent)
    back = pipeline.decode_latents(stayed, clean, sketch=made.sketch)
    plain = pipeline.decode_latents(stayed, clean)
    drawn = torch.cat([to_signed_tensor(one) for one in (drawn_of(RAIN, 3), drawn_of(HAZE, 4, OTHER))])
    assert torch.equal(made.sketch.photo, drawn)
    far, near = ((image - drawn).abs().mean((1, 2, 3)) for image in (plain, back))
    assert (near < 0.2 * far).all(), (near, far)
    batch = pipeline.decode_latents(made.latents, clean, sketch=made.sketch)
    alone = generator.encode([OTHER])
    one = generator.generate(alone, generator.settle([HAZE]), generators(4))
    (image,) = pipeline.decode_latents(one.latents, alone, sketch=one.sketch)
    assert torch.allclose(image, batch[1], atol=1e-3)


def test_the_network_is_told_the_direction_that_the_sketch_has(monkeypatch):
    pipeline, told = sketching(1.0), []
    plain = pipeline.condition
    monkeypatch.setattr(pipeline, "condition", lambda *given: told.append(given[4:]) or plain(*given))
    generated(pipeline, RAIN, seed=3)
    drawn = drawn_of(RAIN, 3)
    assert (([measure_direction(SCENE, drawn, RAIN.mix)],)) in told
    refuse_direction(pipeline)
    with pytest.raises(BadOption, match="not taught directions"):
        refuse_direction(sketching(0.0))


def test_without_mu_nothing_can_be_drawn():
    pipeline = sketching(1.0).with_parts(change_scale={})
    with pytest.raises(ValueError, match="needs mu"):
        generated(pipeline, replace(RAIN, mu=math.nan))


def test_the_call_on_images_draws_too_and_the_hash_tells():
    pipeline = sketching(1.0)
    image = torch.from_numpy(SCENE / 127.5 - 1).float().permute(2, 0, 1)[None]
    told = ["rain"], [RAIN.mu], [RAIN.sigma]
    one, two = (pipeline(image, *told, generators(3), degradations=["rain"]) for _ in range(2))
    assert torch.equal(one, two) and one.shape == image.shape
    lower = pipeline.with_parts(sketch_levels={"haze": 0.1})
    assert len({model_sha256(one) for one in (pipeline, sketching(0.0), lower)}) == 3
