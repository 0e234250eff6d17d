"""Overlapping windows with smooth weights: large images in bounded memory, without seams (MultiDiffusion, 2023)."""

from collections.abc import Callable, Iterator

import torch
from jaxtyping import Float
from torch import Tensor

Image = Float[Tensor, "b c h w"]
Part = Float[Tensor, "b _ _ _"]
Padded = Float[Tensor, "b c new_h new_w"]


def starts(length: int, tile: int, overlap: int) -> list[int]:
    """First positions of windows of `tile` that cover `length`, evenly spread, overlapping by at least `overlap`."""
    if length <= tile:
        return [0]
    count = -(-(length - overlap) // (tile - overlap))
    return [round(i * (length - tile) / (count - 1)) for i in range(count)]


def ramp(length: int, overlap: int, first: bool, last: bool) -> Float[Tensor, " n"]:
    """Weight along one side of a window: rises over `overlap` at inner edges, 1 at the image's border."""
    weight, overlap = torch.ones(length), min(overlap, length)
    slope = (torch.arange(overlap) + 0.5) / overlap
    if not first:
        weight[:overlap] = slope
    if not last:
        weight[-overlap:] = torch.minimum(weight[-overlap:], slope.flip(0))
    return weight


def over_tiles(function: Callable[..., Part], inputs: list[Part], tile: int, overlap: int, multiple: int = 1) -> Part:
    """Apply `function` window by window to images of one size and blend its results.

    `tile` and `overlap` count pixels of the first input; windows start at multiples of `multiple`, which must divide
    `tile`. The inputs may differ in resolution, and the result from them, by whole factors either way. One window when
    everything fits in a tile.
    """
    height, width = inputs[0].shape[-2:]
    if height <= tile and width <= tile:
        return function(*inputs)
    total = weights = None
    for top, left, high, wide in _windows(height, width, tile, overlap, multiple):
        parts = [_crop(x, (top, left, high, wide), height) for x in inputs]
        piece = function(*parts)
        up, down = piece.shape[-2], high
        y, x = top * up // down, left * up // down
        mask_y = ramp(piece.shape[-2], max(1, overlap * up // down), top == 0, top + high >= height)
        mask_x = ramp(piece.shape[-1], max(1, overlap * up // down), left == 0, left + wide >= width)
        mask = (mask_y[:, None] * mask_x[None, :]).to(piece)
        if total is None or weights is None:
            total = piece.new_zeros(*piece.shape[:2], height * up // down, width * up // down)
            weights = piece.new_zeros(1, 1, *total.shape[-2:])
        area = (..., slice(y, y + piece.shape[-2]), slice(x, x + piece.shape[-1]))
        total[area] += piece * mask
        weights[area] += mask
    assert total is not None and weights is not None
    return total.div_(weights)


def _windows(height: int, width: int, tile: int, overlap: int, multiple: int) -> Iterator[tuple[int, int, int, int]]:
    for top in _aligned_starts(height, tile, overlap, multiple):
        for left in _aligned_starts(width, tile, overlap, multiple):
            yield top, left, min(tile, height - top), min(tile, width - left)


def _aligned_starts(length: int, tile: int, overlap: int, multiple: int) -> list[int]:
    """`starts` counted in steps of `multiple`, so that alignment never eats the overlap or leaves a gap."""
    if tile % multiple:
        raise ValueError(f"a window of {tile} is not a multiple of {multiple}")
    steps = tile // multiple
    shared = min(-(-overlap // multiple), steps - 1)  # windows of one step cannot overlap
    return [start * multiple for start in starts(-(-length // multiple), steps, shared)]


def _crop(image: Image, window: tuple[int, int, int, int], height: int) -> Float[Tensor, "b c high wide"]:
    top, left, high, wide = (side * image.shape[-2] // height for side in window)
    return image[..., top : top + high, left : left + wide]


def pad_to_multiple(image: Image, multiple: int) -> Padded:
    """Mirror the lower and right border until both sides divide by `multiple`; works from one pixel up."""
    for axis in (-2, -1):
        length = image.shape[axis]
        index = torch.arange(length + -length % multiple) % max(1, 2 * length - 2)
        index = torch.minimum(index, (2 * length - 2 - index).abs()) if length > 1 else index.zero_()
        image = image.index_select(axis % image.ndim, index.to(image.device))
    return image
