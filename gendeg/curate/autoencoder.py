"""The small autoencoder that `gendeg curate` measures with: trained on crops of both halves of the set's own pairs."""

from collections.abc import Sequence

import numpy as np
import torch

from gendeg.curate.measure import LOOK, Errors, Windows, middle, read_alike
from gendeg.metrics.reconstruction import Images, fit, reconstruction_error, to_batch
from gendeg.model.bundled import SMOKE, make_autoencoder
from gendeg.pairs.pair import Pair
from gendeg.primitives.errors import BadImage
from gendeg.primitives.images import u8_to_unit
from gendeg.primitives.rng import for_sample

PAIRS = 192  # that it is trained on, drawn from all
CROP, BATCH = 48, 8  # pixels; crops of each half


def train_measure(places: Sequence[Pair], steps: int, seed: int) -> Errors:
    """A network of fixed size after a fixed number of steps: what it leaves is what was harder to fit."""
    windows = _windows(places, seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = make_autoencoder(SMOKE)
    if windows:
        fit(network, lambda step: _batch(windows, step, seed), steps)

    def errors(pairs: Sequence[Windows]) -> list[tuple[float, float]]:
        halves = [_even(half) for pair in pairs for half in _halves(*pair)]
        found = np.zeros(len(halves))
        for shape in dict.fromkeys(half.shape for half in halves):  # images of one size go together
            alike = [i for i, half in enumerate(halves) if half.shape == shape]
            found[alike] = reconstruction_error(network, to_batch([halves[i] for i in alike])).numpy()
        return [(float(one), float(other)) for one, other in found.reshape(-1, 2)]

    return errors


def _windows(places: Sequence[Pair], seed: int) -> list[Windows]:
    """Of pairs drawn at random, those that can be read."""
    found = []
    for i in for_sample(seed, "autoencoder", "pairs").permutation(len(places))[:PAIRS]:
        try:
            clean, degraded = read_alike(places[int(i)])
        except BadImage:
            continue
        found.append((middle(clean, LOOK), middle(degraded, LOOK)))
    return found


def _batch(windows: Sequence[Windows], step: int, seed: int) -> Images:
    """As many backgrounds as layers."""
    generator = for_sample(seed, step, "complexity")
    crops = []
    for i in generator.integers(len(windows), size=BATCH):
        for half in _halves(*windows[int(i)]):
            height, width = half.shape[:2]
            padded = np.pad(half, ((0, max(CROP - height, 0)), (0, max(CROP - width, 0)), (0, 0)), "edge")
            top, left = (int(generator.integers(side - CROP + 1)) for side in padded.shape[:2])
            crops.append(padded[top : top + CROP, left : left + CROP])
    return to_batch(crops)


def _halves(clean: np.ndarray, degraded: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both in the units of the image: the background around its grey middle, the layer around no change."""
    return u8_to_unit(clean) - 0.5, u8_to_unit(degraded) - u8_to_unit(clean)


def _even(half: np.ndarray) -> np.ndarray:
    """Sides that the network halves without a rest, by repeating the last row and column."""
    height, width = half.shape[:2]
    return np.pad(half, ((0, -height % 4), (0, -width % 4), (0, 0)), "edge")
