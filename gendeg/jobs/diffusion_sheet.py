"""The sheet of a diffusion run: held-out photos under every degradation it is trained on, at three intensities."""

import numpy as np
import torch

from gendeg.configs import DiffusionConfig
from gendeg.intensity.measure import Intensity, measure_intensity
from gendeg.model.pipeline import GenDegPipeline
from gendeg.pairs.manifest import Pair
from gendeg.primitives.images import read_rgb, signed_to_u8, write_image
from gendeg.primitives.kinds import parse_mix
from gendeg.primitives.rng import torch_generator
from gendeg.prompts import make_prompt
from gendeg.report.sheet import Cell, draw_sheet
from gendeg.training.examples import PlacedPair, held_out_pairs, to_tensor
from gendeg.training.state import LossLog

QUANTILES = (0.2, 0.5, 0.85)


def draw_samples(pipeline: GenDegPipeline, config: DiffusionConfig, step: int) -> None:
    """Write `sheet-<step>.png` (clean, asked mu and measured mu) and add the mean error of mu to `calibration.csv`."""
    pipeline.set_progress_bar_config(disable=True)
    pairs = held_out_pairs(config.pairs)
    rows, errors = [], []
    for index, degradation in enumerate(sorted({placed.pair.degradation for placed in pairs})):
        group = sorted((p for p in pairs if p.pair.degradation == degradation), key=lambda p: p.pair.mu)
        chosen = group[index * 7 % len(group)]
        asked = [group[int(q * (len(group) - 1))].pair for q in QUANTILES]
        made = _generate(pipeline, chosen, degradation, [pair.intensity for pair in asked], config.seed)
        clean = read_rgb(chosen.folder / chosen.pair.clean)
        measured = [measure_intensity(clean, image) for image in made]
        errors += [abs(m.mu - pair.mu) for m, pair in zip(measured, asked, strict=True)]
        cells = [Cell(image, _label(pair, m)) for image, pair, m in zip(made, asked, measured, strict=True)]
        rows.append([Cell(clean, "clean"), *cells])
    LossLog(config.out / "calibration.csv", step - 1, main=True).add(step=step, mu_error=float(np.mean(errors)))
    write_image(draw_sheet(rows), config.out / f"sheet-{step:08d}.png", "png")


def _label(pair: Pair, measured: Intensity) -> str:
    return f"{pair.degradation} mu asked {pair.mu:.3f}, made {measured.mu:.3f}"


def _generate(
    pipeline: GenDegPipeline, placed: PlacedPair, degradation: str, asked: list[Intensity], seed: int
) -> list[np.ndarray]:
    clean = to_tensor([read_rgb(placed.folder / placed.pair.clean)])
    count = len(asked)
    images: torch.Tensor = pipeline(
        clean,
        prompts=[make_prompt(placed.pair.caption, parse_mix(degradation))] * count,
        mu=[a.mu for a in asked],
        sigma=[a.sigma for a in asked],
        generators=[torch_generator(seed, i, "sheet") for i in range(count)],
    )
    return list(signed_to_u8(images.permute(0, 2, 3, 1).cpu().numpy()))
