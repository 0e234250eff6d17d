"""Measure a restorer on pairs: PSNR, SSIM, LPIPS, and what is left of the degradation, per degradation and source."""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from gendeg.metrics.alignment import psnr, ssim
from gendeg.metrics.removal import degradation_mask, removal_errors
from gendeg.metrics.uncertainty import bootstrap_mean
from gendeg.pairs.pair import Pair
from gendeg.primitives.errors import CannotRestore, SizesDiffer
from gendeg.primitives.images import GREY, U8Image
from gendeg.primitives.kinds import Degradation
from gendeg.primitives.progress import track
from gendeg.primitives.rng import for_sample
from gendeg.restore.whole import Network, restore_photo

ALL = "all"
ADDITIVE = (Degradation.RAIN, Degradation.SNOW, Degradation.RAINDROP)
"""Degradations that cover a part of the photo: inside and outside of it can be told apart."""
MEASURES = (
    "psnr", "psnr_input", "gain", "ssim", "ssim_input", "e_r", "e_r_input", "e_b", "e_b_input", "lpips", "lpips_input",
)  # fmt: skip
Distance = Callable[[U8Image, U8Image], float]


@dataclass(frozen=True)
class ScoreRow:
    """One image. `…_input`: the same of the degraded image itself; NaN: not measured."""

    degradation: str
    source: str
    origin: str
    photo: str
    degraded: str  # path, or place in a dataset
    psnr: float  # dB
    psnr_input: float
    ssim: float  # of grey images, [−1, 1]
    ssim_input: float
    e_r: float  # [0, 1], see metrics/removal.py; additive degradations only
    e_r_input: float
    e_b: float
    e_b_input: float
    lpips: float
    lpips_input: float
    intensity: float = math.nan  # that was asked for

    @property
    def gain(self) -> float:
        """PSNR over that of the degraded image, dB."""
        return self.psnr - self.psnr_input

    def as_row(self) -> dict[str, Any]:
        """For JSON: without what was not measured."""
        numbers = {name: value for name, value in asdict(self).items() if isinstance(value, float)}
        told = {name: round(value, 6) for name, value in numbers.items() if not math.isnan(value)}
        return {name: value for name, value in asdict(self).items() if not isinstance(value, float)} | told


def evaluate_restorer(restorer: Network, examples: Sequence[Pair], progress: bool | None = None) -> list[ScoreRow]:
    """One row an example, in their order. Raises `BadImage`, `SizesDiffer`, `CannotRestore`."""
    restorer.eval()
    shown = track(examples, "restoring", total=len(examples), wanted=progress)
    return [restore_and_score(restorer, example) for example in shown]


def restore_and_score(
    restorer: Network, example: Pair, lpips: Distance | None = None, tile: int | None = None, overlap: int = 64
) -> ScoreRow:
    """The row of one example. Raises `BadImage`, `SizesDiffer`, `CannotRestore`."""
    clean, degraded = example.read()
    if clean.shape != degraded.shape:
        raise SizesDiffer(example.degraded.place, clean.shape[1::-1], degraded.shape[1::-1])
    try:
        restored = restore_photo(restorer, degraded, tile, overlap)
    except CannotRestore as error:
        raise error.named(example.degraded.place) from error
    return score(example, clean, degraded, restored, lpips)


def score(
    example: Pair, clean: U8Image, degraded: U8Image, restored: U8Image, lpips: Distance | None = None
) -> ScoreRow:
    """Everything that is measured on one restored image."""
    removed = dict.fromkeys(("e_r", "e_r_input", "e_b", "e_b_input"), math.nan)
    if example.degradation in ADDITIVE:
        mask = degradation_mask(clean, degraded)
        after, before = removal_errors(clean, restored, mask), removal_errors(clean, degraded, mask)
        removed = {
            "e_r": after.removal, "e_r_input": before.removal, "e_b": after.background, "e_b_input": before.background
        }  # fmt: skip
    return ScoreRow(
        degradation=example.degradation,
        source=example.source,
        origin=example.origin,
        photo=example.photo,
        degraded=example.degraded.place,
        psnr=psnr(restored, clean),
        psnr_input=psnr(degraded, clean),
        ssim=_grey_ssim(restored, clean),
        ssim_input=_grey_ssim(degraded, clean),
        lpips=lpips(restored, clean) if lpips else math.nan,
        lpips_input=lpips(degraded, clean) if lpips else math.nan,
        intensity=example.asked,
        **removed,
    )


def summarise(rows: Sequence[ScoreRow], draws: int = 500, seed: int = 0) -> list[dict[str, Any]]:
    """Per degradation and source, per degradation, and over all (`all`): means with intervals over photos.

    Each is {degradation, source, n, photos, <measure>: {value, low, high, n}}; what was not measured is left out.
    """
    groups: dict[tuple[str, str], list[ScoreRow]] = {}
    for row in rows:
        for place in ((row.degradation, row.source), (row.degradation, ALL), (ALL, ALL)):
            groups.setdefault(place, []).append(row)
    order = sorted(groups, key=lambda place: (place[0] == ALL, place[0], place[1] == ALL, place[1]))
    return [
        {"degradation": kind, "source": source, "n": len(groups[kind, source])}
        | {"photos": len({row.photo for row in groups[kind, source]})}
        | _estimates(f"{kind}/{source}", groups[kind, source], draws, seed)
        for kind, source in order
    ]


def _estimates(place: str, rows: Sequence[ScoreRow], draws: int, seed: int) -> dict[str, Any]:
    found = {}
    for name in MEASURES:
        values = np.array([getattr(row, name) for row in rows], np.float64)
        there = ~np.isnan(values)
        if there.any():
            photos = [row.photo for row, told in zip(rows, there, strict=True) if told]
            generator = for_sample(seed, f"{place}/{name}", "bootstrap")
            found[name] = bootstrap_mean(photos, values[there], draws, generator).as_row()
    return found


def _grey_ssim(first: U8Image, second: U8Image) -> float:
    return ssim(first.astype(np.float64) @ GREY / 255, second.astype(np.float64) @ GREY / 255)
