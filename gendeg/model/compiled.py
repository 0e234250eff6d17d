"""torch.compile for sampling: the UNet and the decoder, compiled for each size of image before the first batch."""

import sys
import time
from collections.abc import Sequence

import torch

from gendeg.model.fitting import try_out
from gendeg.model.generate import Generator
from gendeg.primitives.errors import BadOption

MOST_SIZES = 12
"""Each size takes up to minutes: with more of them nothing is won."""

Size = tuple[int, int]
"""Height and width in pixels."""


def check_compiler(device: str) -> None:
    """Raises `BadOption` where torch.compile does not work: it needs a C++ compiler, or Triton and a C compiler."""
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
        raise BadOption(
            "--compile", f"the photos have {len(sizes)} sizes, and each is compiled for: add --size --square"
        )
    named = ", ".join(f"{width} x {height}" for height, width in sizes)
    print(f"gendeg: compiling for {named}: the first time it takes minutes", file=sys.stderr, flush=True)
    began = time.monotonic()
    for size in sizes:
        try:
            try_out(generator, size, kinds)
        except torch._dynamo.exc.TorchDynamoException as error:
            reason = f"this model cannot be compiled ({first_line(error)}); leave it out"
            raise BadOption("--compile", reason) from error
    print(f"gendeg: compiled in {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
