"""How close models come to real pairs: each clean half is degraded with its pair's own mu and sigma, and compared.

python benchmarks/real_pairs.py --pairs test.jsonl --out before-after.png bundled runs/mine/model

For each model and degradation: mean |mu asked - made| and |sigma asked - made| of the model itself (no strength gain),
PSNR to the pair's degraded half (what can be foretold: haze, light; not where streaks fall), and the distance of the
two changes' gradient histograms (0 to 1: how coarse the change is). The sheet shows clean, degraded, and each model.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from gendeg.intensity.measure import measure_intensity
from gendeg.metrics.alignment import psnr
from gendeg.model.weights import load_pipeline
from gendeg.pairs.pair import Pair, open_pairs
from gendeg.primitives.images import U8Image, signed_to_u8, write_image
from gendeg.primitives.kinds import parse_mix
from gendeg.prompts import make_prompt
from gendeg.report.sheet import Tile, draw_sheet
from gendeg.training.examples import to_tensor

EDGES = np.concatenate([np.arange(-64.5, 65), [256.0]])


def gradients(clean: U8Image, degraded: U8Image) -> np.ndarray:
    """Histogram of the change's differences between neighbours, summing to 1."""
    change = degraded.astype(float).mean(axis=2) - clean.astype(float).mean(axis=2)
    steps = np.concatenate([np.diff(change, axis=0).ravel(), np.diff(change, axis=1).ravel()])
    counts, _ = np.histogram(np.clip(steps, -64, 64), EDGES)
    return counts / counts.sum()


def compare(placed: Pair, clean: U8Image, degraded: U8Image, made: U8Image) -> list[float]:
    asked, measured = measure_intensity(clean, degraded), measure_intensity(clean, made)
    coarse = 0.5 * float(np.abs(gradients(clean, degraded) - gradients(clean, made)).sum())
    return [abs(measured.mu - asked.mu), abs(measured.sigma - asked.sigma), psnr(degraded, made), coarse]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=["bundled"])
    parser.add_argument("--pairs", type=Path, action="append", help="manifest; may be given several times")
    parser.add_argument("--split", default="test")
    parser.add_argument("--short-side", type=int, default=192)
    parser.add_argument("--out", type=Path, help="a sheet")
    options = parser.parse_args()
    if not options.pairs:
        print("needs --pairs of real images, which do not come along")
        return
    pairs = open_pairs(options.pairs, options.split)
    images = [placed.read(options.short_side) for placed in pairs]
    rows = [
        [Tile(clean, "clean"), Tile(degraded, f"{p.degradation}, real")]
        for p, (clean, degraded) in zip(pairs, images, strict=True)
    ]
    for model in options.models:
        pipeline = load_pipeline(model)
        pipeline.register_to_config(strength_gain=1.0)
        found: dict[str, list[list[float]]] = {}
        for number, (placed, (clean, degraded), row) in enumerate(zip(pairs, images, rows, strict=True)):
            asked = measure_intensity(clean, degraded)
            prompt = make_prompt(placed.caption, parse_mix(placed.degradation))
            generator = torch.Generator().manual_seed(number)
            (made,) = pipeline(to_tensor([clean]), [prompt], [asked.mu], [asked.sigma], [generator])
            image = signed_to_u8(made.permute(1, 2, 0).numpy())
            found.setdefault(placed.degradation, []).append(compare(placed, clean, degraded, image))
            row.append(Tile(image, Path(model).parent.name or model))
        print(model)
        print(f"  {'degradation':<12}{'pairs':>6}{'mu error':>10}{'sigma error':>13}{'PSNR':>8}{'coarseness':>12}")
        for degradation, values in sorted(found.items()):
            mu, sigma, decibel, coarse = np.mean(values, axis=0)
            print(f"  {degradation:<12}{len(values):>6}{mu:>10.4f}{sigma:>13.4f}{decibel:>8.1f}{coarse:>12.3f}")
    if options.out:
        write_image(draw_sheet(rows), options.out, "png")


if __name__ == "__main__":
    main()
