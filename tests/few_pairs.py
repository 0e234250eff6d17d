"""A few pairs on disk that a small model can learn: haze and low light as plain arithmetic, of several strengths."""

from pathlib import Path

import numpy as np

from gendeg.intensity.measure import measure_intensity
from gendeg.pairs.pair import listed, write_manifest
from gendeg.primitives.images import write_image
from tests.tiny import photo

KINDS = ("haze", "low_light")


def write_pairs(folder: Path, count: int = 8, height: int = 32, width: int = 40, held_out: int = 2) -> Path:
    """`count` pairs to train on and a few of split `validation`; returns the manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for number in range(count + held_out):
        kind, strength = KINDS[number % 2], 0.25 + 0.5 * (number % 4) / 3
        clean = photo(height, width, seed=number)
        airlight = 230 if kind == "haze" else 0
        degraded = np.rint(clean * (1 - strength) + airlight * strength).astype(np.uint8)
        write_image(clean, folder / f"c{number}.png", "png")
        write_image(degraded, folder / f"d{number}.png", "png")
        measured, split = measure_intensity(clean, degraded), "train" if number < count else "validation"
        told = (kind, "plain", split, "a photo", measured.mu, measured.sigma, width, height)
        rows.append(listed(folder, f"c{number}.png", f"d{number}.png", *told))
    write_manifest(folder / "manifest.jsonl", rows)
    return folder / "manifest.jsonl"
