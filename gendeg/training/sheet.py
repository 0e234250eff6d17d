"""The sheet of a diffusion run: held-out photos under every degradation it is trained on, at three intensities."""

import math
from collections import Counter
from collections.abc import Iterator

import numpy as np

from gendeg.intensity.ask import Ask
from gendeg.intensity.measure import Intensity, measure_intensity
from gendeg.model.generate import Generator, finite
from gendeg.model.moves import Stored
from gendeg.model.pipeline import GenDegPipeline
from gendeg.model.settings import settings_of
from gendeg.model.text import PromptWriter
from gendeg.pairs.pair import Pair, held_out_pairs, measured
from gendeg.primitives.images import U8Image, write_image
from gendeg.primitives.kinds import parse_mix
from gendeg.primitives.rng import torch_generator
from gendeg.report.sheet import Tile, draw_sheet
from gendeg.training.config import DiffusionConfig
from gendeg.training.state import LossLog

QUANTILES = (0.2, 0.5, 0.85)


def images_on_sheet(config: DiffusionConfig) -> int:
    """How many images the model makes for one."""
    counts = Counter(placed.degradation for placed in held_out_pairs(config.pairs))
    return len(QUANTILES) * sum(min(config.sheet_photos, count) for count in counts.values())


def draw_samples(pipeline: GenDegPipeline, config: DiffusionConfig, step: int) -> dict[str, float]:
    """Write `sheet-<step>.png` (clean, asked mu and made mu) and add a row to `calibration.csv`, which is returned.

    Columns: `mu_error`, the mean of |mu asked − mu made|, and the same for each degradation. What is measured is the
    model itself, without `strength_gain`.
    """
    pipeline.set_progress_bar_config(disable=True)
    rows: list[list[Tile]] = []
    errors: dict[str, list[float]] = {}
    for placed, asked in asked_on_sheet(config):
        clean, made = generate_asked(pipeline, placed, asked, config)
        found = [measure_intensity(clean, image) for image in made]
        off = [abs(m.mu - pair.mu) for m, pair in zip(found, asked, strict=True)]
        errors.setdefault(asked[0].degradation, []).extend(off)
        cells = [Tile(image, _label(pair, m)) for image, pair, m in zip(made, asked, found, strict=True)]
        rows.append([Tile(clean, "clean"), *cells])
    result = {"mu_error": float(np.mean([error for some in errors.values() for error in some]))}
    result |= {name: float(np.mean(some)) for name, some in errors.items()}
    LossLog(config.out / "calibration.csv", step - 1, main=True).add(step=step, **result)
    write_image(draw_sheet(rows), config.out / f"sheet-{step:08d}.png", "png")
    return result


def asked_on_sheet(config: DiffusionConfig) -> Iterator[tuple[Pair, list[Pair]]]:
    """The pair of a photo, and those of one degradation whose strength is asked of it, each at its quantile of mu."""
    pairs = measured(held_out_pairs(config.pairs))
    for index, degradation in enumerate(sorted({placed.degradation for placed in pairs})):
        group = sorted((p for p in pairs if p.degradation == degradation), key=lambda p: p.mu)
        asked = [group[int(q * (len(group) - 1))] for q in QUANTILES]
        for place in range(min(config.sheet_photos, len(group))):
            yield group[(index + place) * 7 % len(group)], asked


def _label(pair: Pair, measured: Intensity) -> str:
    return f"{pair.degradation} mu asked {pair.mu:.3f}, made {measured.mu:.3f}"


def generate_asked(
    pipeline: GenDegPipeline, placed: Pair, asked: list[Pair], config: DiffusionConfig
) -> tuple[U8Image, list[U8Image]]:
    """A clean photo, and it under one degradation as strong as each of the pairs that are asked for.

    In the model's own steps, but no more than `sample_steps`, and always with the same noise.
    """
    clean, caption = placed.read(config.short_side)[0], placed.caption
    mix = parse_mix(asked[0].degradation)
    prompt = PromptWriter(pipeline.reader)(caption, mix)
    asks = [Ask(mix, caption, prompt, math.nan, pair.mu, pair.sigma, pair.source) for pair in asked]
    generator = Generator(pipeline, settings_of(pipeline, min(pipeline.config.steps, config.sample_steps)))
    noise = [torch_generator(config.seed, i, "sheet") for i in range(len(asked))]
    encoded = generator.encode([clean])
    settled = generator.settle(asks)
    return clean, finite(Stored(generator.decode(encoded, settled, generator.generate(encoded, settled, noise))))
