"""Batches of a diffusion training: the same by their numbers, different between ranks, cached or not; dropout."""

from dataclasses import replace

import pytest
import torch

from gendeg.intensity.measure import Intensity
from gendeg.pairs.pair import open_pairs, read_manifest, write_manifest
from gendeg.training.batches import crops, encoded, make_batch, windows
from gendeg.training.conditions import Dropout, make_condition
from gendeg.training.config import DiffusionConfig
from gendeg.training.diffusion import say_captions
from gendeg.training.examples import Deal, example_numbers, parse_weights
from gendeg.training.latent_cache import Making, make_cache
from tests.few_pairs import write_pairs
from tests.tiny import tiny_pipeline


@pytest.fixture
def config(tmp_path):
    return DiffusionConfig(
        pairs=(write_pairs(tmp_path / "pairs"),), out=tmp_path / "run", size=16, batch_size=8, precision="no"
    )


def batch_of(config, numbers):
    pairs, pipeline = open_pairs(config.pairs, "train"), tiny_pipeline()
    deal = Deal(pairs, config.seed, parse_weights(config.weights))
    return make_batch(numbers, crops(deal, pairs, config), pipeline, config), pipeline


def test_a_batch_depends_on_its_numbers_only(config):
    whole, pipeline = batch_of(config, list(range(8)))
    later, _ = batch_of(config, [3, 5])
    assert torch.equal(later.clean, whole.clean[[3, 5]]) and torch.equal(later.noise, whole.noise[[3, 5]])
    assert later.clean.shape == (2, 3, 16, 16) and later.noise.shape == (2, 4, 8, 8)
    made = encoded(later, pipeline, cached=False, half=False)
    assert made.clean.shape == made.degraded.shape == later.noise.shape


def test_behind_any_caption_the_degradation_is_learnt(config, tmp_path, capfd):
    """Twice the same batch: with captions that fit, and with ones that are ten times as long as the model reads."""
    rows = [replace(one, caption="a dog on a hill, " * 30) for one in read_manifest(config.pairs[0])]
    write_manifest(tmp_path / "pairs" / "long.jsonl", rows)
    config = replace(config, pairs=(tmp_path / "pairs" / "long.jsonl",), drop_text=0.0, drop_both=0.0)
    batch, pipeline = batch_of(config, list(range(8)))
    phrases = [pipeline.tokenizer(f"in {kind} conditions").input_ids[1:-1] for kind in ("hazy", "low-light")]
    read = [[str(phrase)[1:-1] in str(row.tolist()) for phrase in phrases] for row in batch.tokens]
    assert sorted(read) == [[False, True]] * 4 + [[True, False]] * 4
    say_captions(pipeline, open_pairs(config.pairs, "train"), aloud=True)
    assert "1 caption shortened" in capfd.readouterr().err


def test_statistics_reach_the_model_as_they_were_measured(config):
    batch, _ = batch_of(replace(config, drop_text=0.0, drop_both=0.0), list(range(8)))
    assert batch.mu.dtype == batch.sigma.dtype == batch.to(torch.device("cpu")).mu.dtype == torch.float64


def test_two_ranks_draw_different_dropout_masks_and_crops(config):
    numbers = [[n for step in range(4) for n in example_numbers(step, 8, rank, 2)] for rank in (0, 1)]
    first, second = (batch_of(replace(config, drop_text=0.3, drop_image=0.3), n)[0] for n in numbers)
    assert not set(numbers[0]) & set(numbers[1])
    assert not torch.equal(first.keep_image, second.keep_image)
    assert not torch.equal(first.mu.isnan(), second.mu.isnan())
    seen = [{image.numpy().tobytes() for image in batch.clean} for batch in (first, second)]
    assert len(seen[0] | seen[1]) > 60, "of 64 crops; few places are left to coincide"


def test_measured_dropout_rates():
    drawn = [
        make_condition("rain", "a dog", Intensity(0.1, 0.1), Dropout(), 0.0, seed=11, number=number)
        for number in range(10_000)
    ]
    only_text = sum(not one.prompt and one.keep_image for one in drawn)
    only_image = sum(bool(one.prompt) and not one.keep_image for one in drawn)
    both = sum(not one.prompt and not one.keep_image for one in drawn)
    for count in (only_text, only_image, both):
        assert count == pytest.approx(500, abs=3.5 * (10_000 * 0.05 * 0.95) ** 0.5)
    assert all((one.prompt == "") == (one.mu != one.mu) == (one.sigma != one.sigma) for one in drawn), "null together"


def test_the_image_that_is_dropped_is_zero_and_the_target_stays(config):
    batch, pipeline = batch_of(replace(config, drop_text=0.0, drop_image=1.0, drop_both=0.0), [0, 1])
    kept, _ = batch_of(replace(config, drop_text=0.0, drop_image=0.0, drop_both=0.0), [0, 1])
    dropped, whole = (encoded(b, pipeline, cached=False, half=False) for b in (batch, kept))
    assert float(dropped.clean.abs().sum()) == 0 < float(whole.clean.abs().sum())
    assert torch.equal(dropped.degraded, whole.degraded)


def test_cached_latents_are_the_mirrored_ones_where_a_crop_is_mirrored(config):
    """Pairs as large as the crop: a view is the whole pair or its mirror image, and both ways of reading agree."""
    config = replace(config, size=32, pairs=(write_pairs(config.out / "square", width=32),))
    pairs, pipeline = open_pairs(config.pairs, "train"), tiny_pipeline()
    cache = make_cache(pipeline.vae, pairs, config.out, Making(flips=True), wanted=False)
    views, seen = windows(lambda number: 0, pairs, cache, 16, config), set()
    for view in views(list(range(12))):
        matches = [torch.equal(view.clean, cache.read(0, mirrored).clean) for mirrored in (False, True)]
        assert sum(matches) == 1
        seen.add(matches.index(True))
        assert view.intensity.mu == pytest.approx(pairs[0].mu, rel=0.01)
    assert seen == {0, 1}
    whole = make_cache(pipeline.vae, pairs, config.out, Making(), wanted=False)
    plain = windows(lambda number: 0, pairs, whole, 16, replace(config, flips=False))(list(range(6)))
    assert all(torch.equal(view.clean, plain[0].clean) for view in plain)


def test_pairs_are_brought_to_their_short_side(config):
    pairs = open_pairs(config.pairs, "train")
    clean, degraded = pairs[0].read(16)
    assert clean.shape == degraded.shape == (16, 20, 3)
    cache = make_cache(tiny_pipeline().vae, pairs, config.out, Making(short_side=16), wanted=False)
    assert cache.read(0).clean.shape[-2:] == (8, 10)
