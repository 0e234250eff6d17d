"""What a pipeline is called with, looked at before anything is computed."""

from collections.abc import Sized
from typing import Any

from torch import Tensor

OVERSHOOT = 0.01
"""Beyond [-1, 1], of what was resized or rounded to half precision."""


def check_image(image: Any) -> None:
    """Raises `ValueError` unless it is one signed photo, [1 3 h w] in [-1, 1]."""
    if not isinstance(image, Tensor):
        raise ValueError(f"the photo must be a signed tensor [1, 3, height, width], not {type(image).__name__}")
    if image.ndim != 4 or image.shape[1] != 3 or 0 in image.shape:
        raise ValueError(f"the photo must be a tensor [1, 3, height, width], not {list(image.shape)}")
    if image.shape[0] != 1:
        raise ValueError(
            f"one photo a call, not {image.shape[0]}: prompts, mu and sigma make samples of it; call again"
        )
    largest = float(image.abs().max())
    if not image.is_floating_point() or not largest <= 1 + OVERSHOOT:  # NaN too
        raise ValueError(
            f"the photo must be signed, floats in [-1, 1], not {image.dtype} up to {largest:g}; "
            "of 0..255: image / 127.5 - 1, of 0..1: image * 2 - 1"
        )


def check_lists(prompts: Sized, mu: Sized, sigma: Sized, generators: Sized) -> None:
    """Raises `ValueError` when they differ in length or are empty."""
    if len({len(prompts), len(mu), len(sigma), len(generators)}) != 1 or not len(prompts):
        raise ValueError("prompts, mu, sigma and generators need one entry for each sample")
