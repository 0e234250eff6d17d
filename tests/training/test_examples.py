"""The example stream: every pair once an epoch, ranks share it, crops stay aligned, order survives threads."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from inspect import unwrap

import numpy as np
import pytest
import torch

from gendeg.pairs.pair import listed
from gendeg.primitives.errors import BadOption
from gendeg.training.examples import Deal, crop_pair, example_numbers, parse_weights, shuffled, to_tensor
from tests.tiny import photo

PAIR = listed("", "a.png", "b.png", "haze", "fog", "train", "", 0.1, 0.1, 8, 8)


@pytest.mark.parametrize("count", [1, 2, 7, 30])
def test_every_pair_once_an_epoch(count):
    for epoch in range(3):
        dealt = [shuffled(count, number, seed=5) for number in range(epoch * count, (epoch + 1) * count)]
        assert sorted(dealt) == list(range(count))


def test_epochs_and_seeds_have_their_own_order():
    orders = [[shuffled(30, n, seed) for n in range(start, start + 30)] for seed, start in ((0, 0), (0, 30), (1, 0))]
    assert orders[0] != orders[1] != orders[2] != orders[0]
    assert orders[0] == [shuffled(30, n, 0) for n in range(30)]


def test_many_epochs_from_many_threads():
    """Short epochs come and go while several threads ask for them."""
    numbers = list(range(600))
    alone = [shuffled(3, n, 9) for n in numbers]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda n: shuffled(3, n, 9), numbers)) == alone


KINDS = [replace(PAIR, degradation=kind, source=source)
         for kind, source in (("haze", "a"), ("rain", "a"), ("rain", "b"), ("snow", "b"))]  # fmt: skip


def test_weights_by_degradation_and_source_multiply():
    deal = Deal(KINDS, 3, parse_weights("rain=3, b=0.5"))
    drawn = Counter(deal(number) for number in range(8000))
    for index, share in enumerate([1 / 6, 3 / 6, 1.5 / 6, 0.5 / 6]):
        assert drawn[index] / 8000 == pytest.approx(share, abs=0.02)
    assert [deal(number) for number in range(50)] == [
        Deal(KINDS, 3, {"rain": 3, "b": 0.5})(number) for number in range(50)
    ]


def test_without_weights_every_pair_is_dealt_once_an_epoch():
    assert sorted(map(Deal(KINDS, 3), range(4, 8))) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    "weights", ["fog", "fog=1", "rain", "rain=", "rain=x", "rain=0", "rain=-1", "rain=nan", "b=inf"]
)
def test_weights_that_mean_nothing_are_refused(weights):
    with pytest.raises(BadOption, match="--weights"):
        Deal(KINDS, 0, parse_weights(weights))


@pytest.mark.parametrize(("batch", "world"), [(1, 1), (4, 1), (3, 2), (5, 4)])
def test_ranks_partition_the_stream(batch, world):
    steps = 6
    every = [n for step in range(steps) for rank in range(world) for n in example_numbers(step, batch, rank, world)]
    assert sorted(every) == list(range(steps * batch * world))
    first = [n for rank in range(world) for n in example_numbers(0, batch, rank, world)]
    assert sorted(first) == list(range(batch * world))


@pytest.mark.parametrize("shape", [(8, 8), (20, 31), (64, 9)])
def test_crops_of_a_pair_show_the_same_place(shape):
    clean = photo(*shape)
    for seed in range(10):
        one, other = crop_pair(clean, 255 - clean, 8, np.random.default_rng(seed))
        assert one.shape == (8, 8, 3)
        np.testing.assert_array_equal(other, 255 - one)


def test_crops_come_from_everywhere_and_both_ways():
    places = np.arange(100, dtype=np.uint8).reshape(10, 10)[..., None].repeat(3, axis=2)
    crops = [crop_pair(places, places, 8, np.random.default_rng(seed))[0][..., 0] for seed in range(80)]
    corners = {int(crop.min()) for crop in crops}
    assert corners == {0, 1, 2, 10, 11, 12, 20, 21, 22}
    assert {bool(crop[0, 0] < crop[0, 1]) for crop in crops} == {True, False}


def test_small_pairs_are_enlarged_together():
    one, other = crop_pair(photo(3, 5), photo(3, 5), 8, np.random.default_rng(0))
    assert one.shape == (8, 8, 3)
    np.testing.assert_array_equal(one, other)


def test_a_pair_of_two_sizes_is_refused():
    with pytest.raises(ValueError, match="one size"):
        unwrap(crop_pair)(photo(20, 20), photo(20, 24), 8, np.random.default_rng(0))


def test_tensors_are_signed_and_channels_last():
    black, white = np.zeros((4, 6, 3), np.uint8), np.full((4, 6, 3), 255, np.uint8)
    batch = to_tensor([black, white[:, ::-1]])
    assert batch.shape == (2, 3, 4, 6) and batch.dtype == torch.float32
    assert (batch[0] == -1).all() and (batch[1] == 1).all()
    assert batch.is_contiguous(memory_format=torch.channels_last)
