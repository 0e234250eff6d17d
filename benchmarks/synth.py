"""How long one image takes, stage by stage: load, encode, denoise, decode, correct, write. `make bench` runs it."""

import argparse
import os
import platform
import resource
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import torch

from gendeg.intensity.ask import Ask
from gendeg.model.generate import Generator, finite, to_signed_tensor
from gendeg.model.moves import Stored
from gendeg.model.settings import settings_of
from gendeg.model.weights import load_pipeline
from gendeg.primitives.errors import GendegError
from gendeg.primitives.images import U8Image, encode_image, read_rgb, resize_short_side
from gendeg.primitives.kinds import parse_mix
from gendeg.primitives.memory import keep_freed
from gendeg.primitives.options import BUNDLED
from gendeg.primitives.rng import torch_generator
from gendeg.prompts import make_prompt
from gendeg.synth.plan import sample_photos

Result = TypeVar("Result")
BOTH = "decode and correct"
MU, SIGMA = 0.15, 0.1


@dataclass(frozen=True)
class Stopwatch:
    """Seconds of each stage, one entry a repeat."""

    device: str
    seconds: dict[str, list[float]]

    def time(self, stage: str, work: Callable[[], Result]) -> Result:
        """Run the work; the clock stops when the device has finished it, not when it was told to begin."""
        began = time.perf_counter()
        result = work()
        if self.device == "cuda":
            torch.cuda.synchronize()
        self.seconds.setdefault(stage, []).append(time.perf_counter() - began)
        return result


def ask_of(name: str) -> Ask:
    mix = parse_mix(name)
    return Ask(mix, "", make_prompt("", mix), 0.5, MU, SIGMA, "")


def degrade_once(generator: Generator, photo: U8Image, ask: Ask, watch: Stopwatch) -> None:
    """What `Generator.degrade` does for one sample, with a clock at each stage."""
    asks, noise = [ask], [torch_generator(0, 0, "bench")]
    clean = watch.time("encode", lambda: generator.pipeline.encode_clean(to_signed_tensor(photo)))
    settled = watch.time("settle", lambda: generator.settle(asks))
    made = watch.time("denoise", lambda: generator.generate(clean, settled, noise))
    images = watch.time(
        "decode", lambda: generator.pipeline.decode_latents(made.latents, clean, False, made.sketch, [ask.name])
    )
    if generator.pipeline.structure is not None:
        images = watch.time(BOTH, lambda: generator.decode(clean, settled, made))
    brought = watch.time("bring", lambda: generator.bring(clean, settled, images))
    watch.time("write", lambda: encode_image(finite(Stored(brought))[0], "png"))


def main() -> None:
    options = _options()
    keep_freed()  # as the command line does
    watch = Stopwatch(options.device, {})
    try:
        pipeline = watch.time("load", lambda: load_pipeline(options.model, options.device))
    except GendegError as error:
        sys.exit(f"benchmarks/synth.py: {error}")
    steps = options.steps or pipeline.config.steps
    photo = resize_short_side(read_rgb(sample_photos()[0]), options.size)
    # The first call allocates and picks kernels.
    ask, generator = ask_of(options.type), Generator(pipeline, settings_of(pipeline, steps))
    degrade_once(Generator(pipeline, settings_of(pipeline, 1)), photo, ask, Stopwatch(options.device, {}))
    for _ in range(options.repeats):
        degrade_once(generator, photo, ask, watch)
    passes = generator.used(ask).passes
    print(f"model {options.model}, {photo.shape[1]} x {photo.shape[0]}, {ask.name}: {passes} UNet passes")
    print(f"device {options.device}, {torch.get_num_threads()} threads of {os.cpu_count()}, {platform.machine()}")
    if BOTH in watch.seconds:
        both = watch.seconds.pop(BOTH)
        watch.seconds["correct"] = [max(a - b, 0.0) for a, b in zip(both, watch.seconds["decode"], strict=True)]
    for stage, seconds in watch.seconds.items():
        print(f"  {stage:<20} {statistics.median(seconds):8.3f} s   (median of {len(seconds)})")
    print(f"  peak memory          {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:8.2f} GiB")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default=BUNDLED, help="bundled, a folder or a hub id")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--size", type=int, default=256, help="short side in pixels")
    parser.add_argument("--steps", type=int, default=0, help="0: the model's own number")
    parser.add_argument("--type", default="haze", help="a degradation, or a mix that the model has learnt")
    parser.add_argument("--repeats", type=int, default=3)
    return parser.parse_args()


if __name__ == "__main__":
    main()
