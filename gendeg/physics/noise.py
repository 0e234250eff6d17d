"""Noise to train denoisers on and to test them with others: additive, signal dependent, and lost pixels."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from gendeg.primitives.images import UnitImage


def gaussian(clean: UnitImage, amount: float, generator: np.random.Generator) -> UnitImage:
    """x + n, n of deviation `amount` of unit range."""
    return _unit(clean + amount * generator.standard_normal(clean.shape))


def poisson(clean: UnitImage, amount: float, generator: np.random.Generator) -> UnitImage:
    """Photons: variance amount² · x, so that white has the deviation `amount`."""
    photons = 1 / max(amount, 1e-6) ** 2
    return _unit(generator.poisson(np.clip(clean, 0, 1) * photons) / photons)


def speckle(clean: UnitImage, amount: float, generator: np.random.Generator) -> UnitImage:
    """x + x n, n of deviation `amount`."""
    return _unit(clean * (1 + amount * generator.standard_normal(clean.shape)))


def salt_pepper(clean: UnitImage, amount: float, generator: np.random.Generator) -> UnitImage:
    """A share `amount` of the pixels is black or white."""
    hit = generator.random((*clean.shape[:2], 1))
    return _unit(np.where(hit < amount / 2, 0.0, np.where(hit < amount, 1.0, clean)))


NOISES: dict[str, Callable[[UnitImage, float, np.random.Generator], UnitImage]] = {
    "gaussian": gaussian,
    "poisson": poisson,
    "speckle": speckle,
    "salt_pepper": salt_pepper,
}


def _unit(image: Float[np.ndarray, "h w 3"]) -> UnitImage:
    return np.clip(image, 0, 1).astype(np.float32)
