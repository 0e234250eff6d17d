"""The small autoencoder: it learns what is simple sooner than what is not, and the same way each time."""

import numpy as np
import torch

from gendeg.metrics.reconstruction import fit, reconstruction_error, to_batch
from gendeg.model.bundled import SMOKE, make_autoencoder

GENERATOR = np.random.default_rng(0)
FLAT = to_batch([np.full((32, 32, 3), level) for level in np.linspace(-0.4, 0.4, 8)])
NOISE = to_batch(list(GENERATOR.uniform(-0.5, 0.5, (8, 32, 32, 3))))


def fitted() -> torch.nn.Module:
    torch.manual_seed(0)
    return fit(make_autoencoder(SMOKE), lambda step: FLAT if step % 2 else NOISE, 60)


def test_noise_is_left_and_flat_images_are_not() -> None:
    network = fitted()
    flat, noise = (float(reconstruction_error(network, images).mean()) for images in (FLAT, NOISE))
    assert flat < 0.5 * noise
    assert reconstruction_error(network, FLAT).shape == (8,)


def test_same_start_and_batches_same_numbers() -> None:
    one, other = (reconstruction_error(fitted(), NOISE) for _ in range(2))
    assert torch.equal(one, other)
