"""Samplers by what they cost and what they keep: passes of an image, seconds, and the quality of what comes out.

python benchmarks/samplers.py --clean index.csv --rows own,own:8,dpm++:3,unipc:3,heun:3 --table table.md

A row is a sampler and its steps: `own` (the model's), `paper`, `fast`, or one of diffusers' on the model's own noise
levels: `ddim`, `euler`, `dpm++`, `dpm++karras`, `dpm++ays`, `unipc`, `unipckarras`, `heun`, `heunkarras` (ays: Align
Your Steps, Sabour et al. 2024, interpolated in the logarithm; only for models with Stable Diffusion's levels).
`@.28-5.42` behind it is an interval of guidance. All make the same images: every degradation at three intensities, from
each photo with each seed. Columns: UNet passes of an image; seconds of its sampling; mean |mu made - asked|, and sigma
likewise; distance of the change's statistics to the simulators' ÷ what their own seeds have (`metrics/energy.py`);
share that a small classifier, trained on simulated pairs, calls by its name; PSNR to the image of the first row's
sampler with --reference steps, where neither draws noise. `*`: worse than the first row by more than 5 %.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks.change import Photo, simulate, square_photos
from gendeg.intensity.ask import Ask, ask_intensity
from gendeg.intensity.measure import measure_intensity
from gendeg.metrics.alignment import psnr
from gendeg.metrics.change import change_statistics
from gendeg.metrics.energy import compare_changes
from gendeg.metrics.recognition import Recogniser, name_image, train_recogniser
from gendeg.model.generate import Generator, finite, noise_of
from gendeg.model.pipeline import GenDegPipeline
from gendeg.model.samplers import MULTISTEP
from gendeg.model.settings import choose_sampler, settings_of
from gendeg.model.weights import load_pipeline
from gendeg.physics import degrade
from gendeg.primitives.errors import GendegError
from gendeg.primitives.images import U8Image, u8_to_unit, unit_to_u8
from gendeg.primitives.kinds import SINGLES, Degradation, Mix
from gendeg.primitives.options import BUNDLED
from gendeg.primitives.rng import for_sample

INTENSITIES = (0.3, 0.6, 0.9)
SLACK = 0.05
KARRAS, PLAIN = {"use_karras_sigmas": True}, {"use_karras_sigmas": False}
SAMPLERS: dict[str, tuple[str, dict[str, Any]]] = {
    "ddim": ("DDIMScheduler", {}),
    "euler": ("EulerDiscreteScheduler", PLAIN),
    "dpm++": ("DPMSolverMultistepScheduler", MULTISTEP | PLAIN),
    "dpm++karras": ("DPMSolverMultistepScheduler", MULTISTEP),
    "dpm++ays": ("DPMSolverMultistepScheduler", MULTISTEP | PLAIN),
    "unipc": ("UniPCMultistepScheduler", PLAIN),
    "unipckarras": ("UniPCMultistepScheduler", KARRAS),
    "heun": ("HeunDiscreteScheduler", PLAIN),
    "heunkarras": ("HeunDiscreteScheduler", KARRAS),
}
AYS = (14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.029)
"""Noise / signal of ten steps of Stable Diffusion 1.5 (Sabour et al., "Align Your Steps", ICML 2024, table 3)."""
NOISY = ("paper",)


@dataclass(frozen=True)
class Row:
    """One line of the table; NaN where a number makes no sense."""

    name: str
    passes: float
    seconds: float
    mu: float
    sigma: float
    distance: float
    recognised: float
    psnr: float
    worse: tuple[str, ...] = ()


def main() -> None:
    options = _options()
    torch.set_num_threads(1)
    photos, pipeline = square_photos(options), load_pipeline(options.model)
    seeds = range(options.seeds)
    network = recogniser(photos, options.size, options.classifier_steps)
    simulated = {mix: _statistics(photos, mix, range(4), simulate) for mix in SINGLES}
    name, *others = options.rows.split(",")
    reference = None
    if name.split(":")[0] not in NOISY and options.reference:
        with sampler(pipeline, f"{name.split(':')[0].split('@')[0]}:{options.reference}") as generator:
            reference = _images(generator, photos, range(1))
    rows: list[Row] = []
    for one in (name, *others):
        try:
            with sampler(pipeline, one) as generator:
                rows.append(measured(one, generator, photos, seeds, simulated, network, reference))
        except (GendegError, ValueError) as error:
            print(f"{one}: {error}", file=sys.stderr)
            continue
        text = table(rows, options)
        print(text.splitlines()[-1], flush=True)
        if options.table:
            options.table.write_text(text)
    print(f"\n{table(rows, options)}")


@contextmanager
def sampler(pipeline: GenDegPipeline, text: str) -> Iterator[Generator]:
    """`name:steps@low-high` → a generator that samples so; the pipeline is as before afterwards."""
    text, _, interval = text.partition("@")
    name, _, steps = text.partition(":")
    before, numbers = pipeline.scheduler, ("steps", "guidance_text", "guidance_image", "guidance_interval")
    config = {key: pipeline.config[key] for key in numbers}
    try:
        if name in SAMPLERS:
            kind, changes = SAMPLERS[name]
            pipeline.scheduler = getattr(diffusers, kind).from_config({**before.config, **changes})
            if name.endswith("ays"):
                pipeline.scheduler.set_timesteps = _ays(pipeline.scheduler)
        else:
            choose_sampler(pipeline, name)
        if interval:
            pipeline.register_to_config(guidance_interval=[float(level) for level in interval.split("-")])
        yield Generator(pipeline, settings_of(pipeline, int(steps) if steps else None, sampler=name))
    finally:
        pipeline.scheduler = before
        pipeline.register_to_config(**config)


def _ays(scheduler: Any) -> Callable[..., None]:
    """The ten levels of the table, interpolated to as many as are asked for; needs levels that reach 14.6."""
    plain, signal = scheduler.set_timesteps, scheduler.alphas_cumprod
    known = ((1 - signal) / signal).sqrt().log().numpy()
    if not known[-1] > np.log(AYS[0]) - 0.2:
        raise ValueError("these noise levels are not Stable Diffusion's")

    def set_timesteps(count: int, device: Any = None) -> None:
        logs = np.interp(np.linspace(0, 1, count + 1), np.linspace(0, 1, len(AYS)), np.log(AYS))
        timesteps = np.interp(logs[:-1], known, np.arange(len(known))).round().astype(int)
        plain(device=device, timesteps=timesteps.tolist())

    return set_timesteps


# --- images ---


def _images(generator: Generator, photos: list[Photo], seeds: range) -> dict[Mix, list[list[list[U8Image]]]]:
    """Mix → photo → seed → image of each intensity."""
    return {mix: [[_make(generator, photo, mix, seed) for seed in seeds] for photo in photos] for mix in SINGLES}


def _asks(mix: Mix) -> list[Ask]:
    return [ask_intensity(mix, q) for q in INTENSITIES]


def _make(generator: Generator, photo: Photo, mix: Mix, seed: int) -> list[U8Image]:
    asks = _asks(mix)
    noise = [noise_of(seed, photo.name, ask) for ask in asks]
    return finite(generator.degrade(generator.encode([photo.image]), asks, noise))


def _statistics(photos: list[Photo], mix: Mix, seeds: range, make: Callable[..., list[U8Image]]) -> np.ndarray:
    """[intensities photos versions statistics]"""
    blur = Degradation.MOTION_BLUR in mix
    rows = [[[change_statistics(photo.image, image, blur) for image in make(photo, _asks(mix), seed)] for seed in seeds]
            for photo in photos]  # fmt: skip
    return np.transpose(rows, (2, 0, 1, 3))


def recogniser(photos: list[Photo], size: int, steps: int) -> Recogniser:
    """Trained on simulated pairs of squares of the photos, at strengths of all kinds."""
    pairs = []
    for number, photo in enumerate(photos):
        for label, mix in enumerate(SINGLES):
            for version in range(8):
                draw = for_sample(version, f"{number}/{label}", "classifier")
                clean = u8_to_unit(photo.image)
                made = degrade(clean, mix, float(draw.uniform(0.2, 0.95)), draw)
                pairs.append((photo.image, unit_to_u8(made), label))

    def batch(step: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        draw, side = for_sample(step, "batch", "classifier"), size * 7 // 8
        chosen = [pairs[i] for i in draw.integers(len(pairs), size=32)]
        cut = [(slice(y, y + side), slice(x, x + side)) for y, x in draw.integers(size - side + 1, size=(32, 2))]
        clean, made = (np.stack([one[half][place] for one, place in zip(chosen, cut, strict=True)]) for half in (0, 1))
        return clean, made, np.array([label for *_, label in chosen])

    return train_recogniser(batch, len(SINGLES), steps, 0)


# --- numbers ---


def measured(
    name: str, generator: Generator, photos: list[Photo], seeds: range, simulated: dict[Mix, np.ndarray],
    network: Recogniser, reference: dict[Mix, list[list[list[U8Image]]]] | None,
) -> Row:  # fmt: skip
    began = time.process_time()
    made = _images(generator, photos, seeds)
    count = len(SINGLES) * len(INTENSITIES) * len(photos) * len(seeds)
    seconds = (time.process_time() - began) / count
    off, named, close, distances = [], [], [], []
    for label, mix in enumerate(SINGLES):
        for number, photo in enumerate(photos):
            for versions in made[mix][number]:
                for image, ask in zip(versions, _asks(mix), strict=True):
                    found = measure_intensity(photo.image, image)
                    off.append((abs(found.mu - ask.mu), abs(found.sigma - ask.sigma)))
                    named.append(name_image(network, photo.image, image).argmax() == label)
            if reference and name.split(":")[0] not in NOISY:
                close += [psnr(*pair) for pair in zip(made[mix][number][0], reference[mix][number][0], strict=True)]
        blur = Degradation.MOTION_BLUR in mix
        rows = [[[change_statistics(photo.image, image, blur) for image in versions] for versions in made[mix][number]]
                for number, photo in enumerate(photos)]  # fmt: skip
        compared = compare_changes(simulated[mix], np.transpose(rows, (2, 0, 1, 3)), 20, for_sample(0, name, "draws"))
        distances.append(compared.distance.value)
    mu, sigma = np.mean(off, axis=0)
    passes = float(np.mean([generator.used(_asks(mix)[0]).passes for mix in SINGLES]))
    return Row(
        name, passes, seconds, float(mu), float(sigma), float(np.mean(distances)),
        float(np.mean(named)), float(np.mean(close)) if close else float("nan"),
    )  # fmt: skip


def table(rows: list[Row], options: argparse.Namespace) -> str:
    """Markdown."""
    first = rows[0]

    def marked(row: Row, name: str, digits: int) -> str:
        value, own = getattr(row, name), getattr(first, name)
        worse = value < own * (1 - SLACK) if name == "recognised" else value > own * (1 + SLACK)
        return f"{value:.{digits}f}{'*' if worse else ''}"

    lines = [[
        row.name, f"{row.passes:.3g}", f"{row.seconds:.2f}", marked(row, "mu", 4), marked(row, "sigma", 4),
        marked(row, "distance", 2), marked(row, "recognised", 3), "" if np.isnan(row.psnr) else f"{row.psnr:.1f}",
    ] for row in rows]  # fmt: skip
    head = ["sampler", "passes", "s", "error of mu", "error of sigma", "distance", "recognised",
            f"dB to {options.reference} steps"]  # fmt: skip
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *lines))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=BUNDLED, help="bundled, a folder or a hub id")
    parser.add_argument("--rows", default="own,fast,dpm++:3,unipc:3,heun:2", help="samplers, the first to compare with")
    parser.add_argument("--clean", type=Path, help="photos, or a table; none: the samples that come along")
    parser.add_argument("--split", default="test", help="rows of a table")
    parser.add_argument("--photos", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--size", type=int, default=128, help="side of the squares in pixels")
    parser.add_argument("--reference", type=int, default=0, help="steps of the images that are compared with; 0: none")
    parser.add_argument("--classifier-steps", type=int, default=200)
    parser.add_argument("--table", type=Path, help="Markdown, written after each row")
    return parser.parse_args()


if __name__ == "__main__":
    main()
