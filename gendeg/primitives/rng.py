"""Randomness by name: one generator per (seed, sample, purpose), the same on any machine and at any process count."""

import hashlib
import operator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def for_sample(seed: int, index: int | str, purpose: str) -> np.random.Generator:
    """The generator of one sample for one purpose.

    `index` names the sample (its number or its key; 3 and "3" are the same sample). Two purposes never share draws, so
    that a new random choice somewhere does not shift the others.
    """
    words = np.frombuffer(_digest(seed, index, purpose), dtype="<u4")
    # PCG64 by name, not default_rng: numpy may change its default, and old datasets must stay reproducible.
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([int(word) for word in words])))


def torch_generator(seed: int, index: int | str, purpose: str, device: str = "cpu") -> "torch.Generator":
    """The same idea for torch. Draw on the CPU and move the result: streams of different devices differ."""
    import torch

    # 63 bits: torch takes a signed 64-bit seed.
    number = int.from_bytes(_digest(seed, index, purpose)[:8], "little") >> 1
    return torch.Generator(device=device).manual_seed(number)


def _digest(seed: int, index: int | str, purpose: str) -> bytes:
    """32 bytes from the three names. Python's own `hash` is salted per process, hence SHA-256."""
    words = f"{operator.index(seed)}\x1f{purpose}\x1f{index}"
    return hashlib.sha256(words.encode("utf-8", "surrogatepass")).digest()
