"""How many images a GPU takes at a time: measured with one and two, and never so many that nothing is left."""

from collections.abc import Callable

import numpy as np
import torch

from gendeg.intensity.ask import ask_intensity
from gendeg.model.generate import Generator
from gendeg.primitives.kinds import parse_types

MOST, PLAIN_BATCH = 64, 8
"""Images of a batch at most on a GPU, where more of them win nothing; and anywhere else."""
LEFT_FREE = 0.2
"""Of the memory: fragments, and what other sizes and the decoder's workspace take."""


def fitting_batch(generator: Generator, size: tuple[int, int], kinds: str) -> int:
    """Images of this size that fit into a GPU's free memory together; elsewhere `PLAIN_BATCH`."""
    device = generator.pipeline.device
    if device.type != "cuda":
        return PLAIN_BATCH

    def peak(count: int) -> int:
        """Bytes beyond what the weights take."""
        torch.cuda.synchronize(device)
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        try_out(generator, size, kinds, count)
        return torch.cuda.max_memory_allocated(device) - before

    peak(1)  # the first call allocates workspaces
    return most_that_fit(peak, torch.cuda.mem_get_info(device)[0] + _reserved(device))


def try_out(generator: Generator, size: tuple[int, int], kinds: str, count: int = 1) -> None:
    """So many images of this height and width, made for nothing but what making them does."""
    ask, photo = ask_intensity(parse_types(kinds)[0].kinds[:1], 0.5), np.full((*size, 3), 127, np.uint8)
    photos = [photo + np.uint8(number) for number in range(count)]
    noise = [torch.Generator().manual_seed(number) for number in range(count)]
    list(generator.degrade(generator.encode(photos), [ask] * count, noise))


def most_that_fit(peak: Callable[[int], int], free: int) -> int:
    """The largest power of two up to `MOST` whose peak, on the line through those of one and two, fits into `free`."""
    one, two = peak(1), peak(2)
    each = max(two - one, one // 8, 1)
    count = 1
    while 2 * count <= MOST and one + (2 * count - 1) * each <= (1 - LEFT_FREE) * free:
        count *= 2
    return count


def _reserved(device: torch.device) -> int:
    """Bytes that torch holds and does not use."""
    return torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
