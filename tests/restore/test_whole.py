"""Whole photos: rounding, any size, windows without seams."""

import numpy as np
import pytest
import torch

from gendeg.restore.networks.nafnet import NAFRestorer
from gendeg.restore.whole import restore_photo
from tests.restorers import small_restorer
from tests.tiny import photo


def _fresh(offset: float = 0.0) -> NAFRestorer:
    network = NAFRestorer(4, (1,), 1, (1,)).eval()
    torch.nn.init.constant_(network.ending.bias, offset)
    return network


@pytest.mark.parametrize("size", [(1, 1), (1, 70), (37, 5), (50, 90)])
def test_every_level_comes_back_through_windows_and_without(size: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    assert np.array_equal(restore_photo(_fresh(), image), image)
    assert np.array_equal(restore_photo(_fresh(), image, tile=32, overlap=8), image)


@pytest.mark.parametrize(("levels", "expected"), [(0.4, 100), (0.6, 101), (-0.6, 99), (300.0, 255), (-300.0, 0)])
def test_values_are_rounded_and_clipped(levels: float, expected: int) -> None:
    image = np.full((4, 4, 3), 100, np.uint8)
    assert (restore_photo(_fresh(levels * 2 / 255), image) == expected).all()


def test_windows_meet_without_a_seam() -> None:
    network, image = small_restorer("swin"), photo(40, 88)
    whole, parts = (restore_photo(network, image, tile, 16).astype(int) for tile in (512, 48))
    assert np.abs(whole - parts).mean() < 2
    steps = [np.abs(np.diff(one, axis=1)).max() for one in (whole, parts)]
    assert steps[1] <= steps[0] + 8
