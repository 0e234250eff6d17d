"""Batches between main memory and a device, without waiting: to it from pinned memory, back as finished pixels."""

from collections.abc import Sequence
from functools import cache
from typing import overload

import numpy as np
import torch
from diffusers.utils.torch_utils import randn_tensor
from jaxtyping import Float, UInt8
from torch import Tensor

from gendeg.primitives.images import U8Image

Rows = Float[Tensor, "b *rest"]
Others = Float[Tensor, "others *rest"]
Filled = Float[Tensor, "more *rest"]


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """From pinned memory where the device is a GPU: the copy waits its turn there, and nobody waits for it here."""
    if device.type == "cuda" and tensor.device.type == "cpu":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def draw_noise(
    shape: tuple[int, ...], generators: torch.Generator | list[torch.Generator] | None, device: torch.device
) -> Rows:
    """Of variance 1, drawn where the generators are (none: on the device), one for each row or one for all."""
    one = generators[0] if isinstance(generators, list) else generators
    return to_device(randn_tensor(shape, generators, one.device if one else device, torch.float32), device)


def filled(batch: Rows, rows: int) -> Filled:
    """A batch with its last row repeated up to so many: a compiled network wants batches of one size."""
    short = rows - len(batch)
    return batch if short <= 0 else torch.cat([batch, batch[-1:].expand(short, *batch.shape[1:])])


def exact(numbers: Tensor) -> Tensor:
    """In float64, for sums over pixels; in float32 on Apple's GPUs, which lack it."""
    return numbers.float() if numbers.device.type == "mps" else numbers.double()


def told_to(device: torch.device, numbers: Sequence[Sequence[float]]) -> Float[Tensor, "rows columns"]:
    """Numbers as exactly as that device holds them."""
    return to_device(torch.tensor(numbers, dtype=torch.float32 if device.type == "mps" else torch.float64), device)


def rows_of(batch: Rows, rows: Sequence[int]) -> Others:
    """Some of a batch: itself where they are all of it."""
    if list(rows) == list(range(len(batch))):
        return batch
    return batch.index_select(0, to_device(torch.tensor(list(rows)), batch.device))


def put_rows(batch: Rows, rows: Sequence[int], some: Others) -> Rows:
    """The batch with `some` in the place of these rows."""
    if list(rows) == list(range(len(batch))):
        return some
    return batch.index_copy(0, to_device(torch.tensor(list(rows)), batch.device), some)


class Stored(Sequence[U8Image | None]):
    """Images as they are stored, on their way from the device; who takes one waits until all have come.

    None stands for one with NaN (half precision overflows). What is rounded, and found not to be finite, is so on the
    device; one copy brings both, and on a GPU it goes on beside the next batch.
    """

    def __init__(self, images: Float[Tensor, "b 3 h w"]):
        self._size, packed = images.shape[-2:], pack(images)
        self._come: torch.cuda.Event | None = None
        if packed.device.type == "cuda":
            packed, self._come = _sent(packed)
        self._packed = packed.cpu()

    def __len__(self) -> int:
        return len(self._packed)

    @overload
    def __getitem__(self, index: int) -> U8Image | None: ...
    @overload
    def __getitem__(self, index: slice) -> list[U8Image | None]: ...
    def __getitem__(self, index: int | slice) -> U8Image | list[U8Image | None] | None:
        if isinstance(index, slice):
            return [self[row] for row in range(*index.indices(len(self)))]
        if self._come is not None:
            self._come.synchronize()
        row: np.ndarray = self._packed[index].numpy()
        return None if row[-1] else row[:-1].reshape(*self._size, 3)


def pack(images: Float[Tensor, "b 3 h w"]) -> UInt8[Tensor, "b bytes"]:
    """Signed images → the levels of each, row by row, and a 1 behind them where one was NaN."""
    levels = (((images.float() + 1) / 2).clamp(0, 1) * 255).round()
    lost = images.isnan().flatten(1).any(dim=1, keepdim=True)
    pixels = torch.where(lost, 0, levels.permute(0, 2, 3, 1).flatten(1)).to(torch.uint8)
    return torch.cat([pixels, lost.to(torch.uint8)], dim=1)


def _sent(tensor: Tensor) -> tuple[Tensor, torch.cuda.Event]:
    """A copy in pinned memory, and what tells that it has come; the device goes on with what it is told meanwhile."""
    stream, here = _way_out(tensor.device), torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
    stream.wait_stream(torch.cuda.current_stream(tensor.device))
    with torch.cuda.stream(stream):
        here.copy_(tensor, non_blocking=True)
        tensor.record_stream(stream)
        come = torch.cuda.Event()
        come.record(stream)
    return here, come


@cache
def _way_out(device: torch.device) -> torch.cuda.Stream:
    return torch.cuda.Stream(device)
