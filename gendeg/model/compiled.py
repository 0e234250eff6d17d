"""torch.compile for sampling: the UNet and the decoder, compiled for each size of image before the first batch."""

import sys
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch

from gendeg.intensity.ask import ask_intensity
from gendeg.model.generate import Generator
from gendeg.primitives.errors import BadOption
from gendeg.primitives.kinds import parse_mixes

MOST_SIZES = 12
"""Each size takes up to minutes: with more of them nothing is won."""

Size = tuple[int, int]
"""Height and width in pixels."""


def check_compiler(device: str) -> None:
    """Raises `BadOption` where torch.compile does not work: it needs a C++ compiler, on a GPU Triton and a C compiler."""
    try:
        made = torch.compile(lambda x: torch.sin(x) + 1, dynamic=False)(torch.zeros(4, device=device))
        assert bool((made == 1).all())
    except Exception as error:  # whatever a compiler, or the lack of one, raises
        raise BadOption("--compile", f"torch.compile does not work here ({first_line(error)}); leave it out") from error


def first_line(error: BaseException) -> str:
    """Of what a compiler says, which can be pages."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0].strip()[:200]}" if lines else type(error).__name__


def compile_networks(generator: Generator, rows: int) -> None:
    """The UNet and the decoder as they will be called: batches of `rows` images, filled up where they are smaller."""
    pipeline = generator.pipeline
    check_compiler(pipeline.device.type)
    torch._dynamo.config.recompile_limit = 8 * MOST_SIZES  # sizes, each with and without guidance, and windows
    pipeline.rows = rows
    pipeline.unet.compile(dynamic=False)
    pipeline.vae.decoder.compile(dynamic=False)


def warm(generator: Generator, sizes: Sequence[Size], kinds: str) -> None:
    """One image of each size, so that everything is compiled before the first batch; says so.

    Raises `BadOption` for too many sizes, and where a network cannot be compiled.
    """
    if len(sizes) > MOST_SIZES:
        raise BadOption("--compile", f"the photos have {len(sizes)} sizes, and each is compiled for: add --size --square")
    named = ", ".join(f"{width} x {height}" for height, width in sizes)
    print(f"gendeg: compiling for {named}: the first time it takes minutes", file=sys.stderr, flush=True)
    began, ask = time.monotonic(), ask_intensity(parse_mixes(kinds)[0], 0.5)
    for height, width in sizes:
        photo = np.full((height, width, 3), 127, np.uint8)
        try:
            list(generator.degrade(generator.encode([photo]), [ask], [torch.Generator().manual_seed(0)]))
        except torch._dynamo.exc.TorchDynamoException as error:
            reason = f"this model cannot be compiled ({first_line(error)}); leave it out"
            raise BadOption("--compile", reason) from error
    print(f"gendeg: compiled in {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)


# --- batches that fit ---

MOST, PLAIN = 64, 8
"""Images of a batch at most on a GPU, where more of them win nothing; and anywhere else."""
LEFT_FREE = 0.2
"""Of the memory: fragments, and what other sizes and the decoder's workspace take."""


def fitting_batch(generator: Generator, size: Size, kinds: str) -> int:
    """Images of this size that fit into a GPU's free memory together, tried with one and two; elsewhere `PLAIN`."""
    device = generator.pipeline.device
    if device.type != "cuda":
        return PLAIN

    def peak(count: int) -> int:
        """Bytes beyond what the weights take."""
        torch.cuda.synchronize(device)
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        ask, photo = ask_intensity(parse_mixes(kinds)[0], 0.5), np.full((*size, 3), 127, np.uint8)
        photos = [photo + np.uint8(number) for number in range(count)]
        noise = [torch.Generator().manual_seed(number) for number in range(count)]
        list(generator.degrade(generator.encode(photos), [ask] * count, noise))
        return torch.cuda.max_memory_allocated(device) - before

    peak(1)  # the first call allocates workspaces
    return most_that_fit(peak, torch.cuda.mem_get_info(device)[0] + _reserved(device))


def most_that_fit(peak: Callable[[int], int], free: int) -> int:
    """The largest power of two up to `MOST` whose peak, on the line through those of one and two, fits into `free`."""
    one, two = peak(1), peak(2)
    each = max(two - one, one // 4, 1)
    count = 1
    while 2 * count <= MOST and one + (2 * count - 1) * each <= (1 - LEFT_FREE) * free:
        count *= 2
    return count


def _reserved(device: torch.device) -> int:
    """Bytes that torch holds and does not use."""
    return torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
