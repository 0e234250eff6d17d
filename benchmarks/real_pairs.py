"""How close models come to real pairs: each clean half is degraded with its pair's own mu, sigma and direction.

python benchmarks/real_pairs.py --pairs test.jsonl --out sheet.png bundled physics runs/mine/model

What is compared is the change, degraded − clean, by the statistics of gendeg/metrics/change.py, in standard deviations
of the real pairs (each group of statistics counts as one). The photo is the same on both sides, so content decides
nothing. For each degradation and model:

- `set`: energy distance of the model's changes to the real ones (0: the same), with its 95 % interval over scenes;
- `less`: how much less that is than of the last model that is named; above 0, the model is nearer to reality;
- `pair`: mean distance of an image's statistics to those of its own real half, and how much less that is than of the
  last model; it sees what `set` cannot, whether a photo gets what belongs to it, and favours who varies little;
- the set once more, group by group: which statistics are off, each in its own standard deviations (halves beside them);
- mean |mu asked − made| and |sigma asked − made|, PSNR to the real half (what can be foretold: haze, light).

Two scales stand above them: `halves`, what chance alone makes of one half of the real pairs beside the other, and
`others`, the mean distance of a real pair's statistics to those of another scene's (a shuffled pairing).
"""

import argparse
import hashlib
import math
import sys
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from scipy.spatial.distance import cdist

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from gendeg.drive.driver import Degraded, Driver, open_driver
from gendeg.intensity.ask import Ask
from gendeg.intensity.direction import measure_direction
from gendeg.intensity.measure import measure_intensity
from gendeg.metrics.alignment import psnr
from gendeg.metrics.change import BLUR_WINDOW, GROUPS, NAMES, change_statistics
from gendeg.metrics.energy import standardised
from gendeg.metrics.uncertainty import Statistic, bootstrap
from gendeg.pairs.pair import Pair, open_pairs
from gendeg.pairs.photos import spread
from gendeg.primitives.images import U8Image, write_image
from gendeg.primitives.kinds import parse_mix
from gendeg.primitives.rng import for_sample
from gendeg.report.sheet import Tile, draw_sheet

DRAWS = 1000
Statistics = Float[np.ndarray, "pairs statistics"]


def ask_of(pair: Pair, clean: U8Image, degraded: U8Image) -> Ask:
    """Without a prompt: how long a one is read, each model knows."""
    mix, asked = parse_mix(pair.degradation), measure_intensity(clean, degraded)
    direction = measure_direction(clean, degraded, mix)
    return Ask(mix, pair.caption, "", math.nan, asked.mu, asked.sigma, pair.source, direction)


def make(driver: Driver, clean: U8Image, ask: Ask, number: int) -> U8Image | None:
    """None: the model cannot make it of this photo."""
    noise = torch.Generator().manual_seed(number)
    (made,) = driver.degrade([clean], [replace(ask, prompt=driver.write(ask.caption, ask.mix))], [noise])
    return made.image if isinstance(made, Degraded) else None


def energy(one: Statistics, two: Statistics, scenes: np.ndarray) -> Statistic:
    """Rows → 2 E|O − R| − E|O − O'| − E|R − R'| over images of different scenes, which chance alone brings to 0."""
    apart = 2 * cdist(one, two) - cdist(one, one) - cdist(two, two)
    different = scenes[:, None] != scenes

    def of(rows: np.ndarray) -> float:
        both = np.ix_(rows, rows)
        count = different[both].sum()
        return float((apart[both] * different[both]).sum() / count) if count else math.nan

    return of


def halves(real: Statistics, draws: int) -> float:
    """The 95th percentile of what two random halves of the real pairs are apart."""
    generator, half = for_sample(0, "halves", "benchmark"), len(real) // 2
    found = []
    for _ in range(draws):
        order = generator.permutation(len(real))
        one, two = real[order[:half]], real[order[half : 2 * half]]
        found.append(energy(one, two, np.arange(half))(np.arange(half)))
    return float(np.quantile(found, 0.95))


def _less(one: Statistic, two: Statistic, rows: np.ndarray) -> float:
    return one(rows) - two(rows)


def mean_of(values: Float[np.ndarray, " pairs"]) -> Statistic:
    """Rows → their mean."""
    return lambda rows: float(values[rows].mean())


def report(name: str, scenes: np.ndarray, real: Statistics, made: dict[str, Statistics], plain: dict[str, str]) -> None:
    """`made`: each model's statistics of the same pairs, the one to compare with last; `plain`: what else to print."""

    def units(found: Statistics) -> Statistics:
        return standardised(real[None, :, None], found[None, :, None])[1][0, :, 0]

    unit, last = units(real), list(made)[-1]
    others = cdist(unit, unit)[scenes[:, None] != scenes].mean()
    print(
        f"{name}: {len(scenes)} pairs of {len(set(scenes))} scenes; halves {halves(unit, 200):.2f}, others {others:.2f}"
    )

    def interval(statistic: Statistic) -> str:
        found = bootstrap(scenes.tolist(), statistic, DRAWS, for_sample(0, name, "benchmark"))
        return f"{found.value:+.2f} [{found.low:+.2f}, {found.high:+.2f}]"

    pairs = {model: np.linalg.norm(units(found) - unit, axis=1) for model, found in made.items()}
    compared = energy(units(made[last]), unit, scenes)
    for model, found in made.items():
        own = energy(units(found), unit, scenes)
        line = f"  {Path(model).name:<16} set {interval(own)}  pair {pairs[model].mean():.2f}"
        if model != last:
            line += f"  less: set {interval(partial(_less, compared, own))}"
            line += f", pair {interval(mean_of(pairs[last] - pairs[model]))}"
        print(f"{line}  {plain[model]}", flush=True)
    by_group("halves' by group", lambda here: halves(unit[:, here], 200))
    for model, found in made.items():
        all_off = units(found)

        def off(here: list[int], all_off: Statistics = all_off) -> float:
            return energy(all_off[:, here], unit[:, here], scenes)(np.arange(len(scenes)))

        by_group(Path(model).name, off)


def by_group(name: str, distance: Callable[[list[int]], float]) -> None:
    """What `distance` makes of the columns of one group of statistics at a time."""
    columns = {group: [NAMES.index(one) for one in names] for group, names in GROUPS.items()}
    told = (f"{group} {distance(here):+.2f}" for group, here in columns.items())
    print(f"    {name:<16} {'  '.join(told)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=["bundled", "physics"])
    parser.add_argument("--pairs", type=Path, action="append", help="manifest or table; may be given several times")
    parser.add_argument("--split", default="test")
    parser.add_argument("--short-side", type=int, default=256)
    parser.add_argument("--each", type=int, default=0, help="pairs of each degradation, spread over the list; 0: all")
    parser.add_argument("--out", type=Path, help="a sheet of pairs, .png or .jpg")
    parser.add_argument("--rows", type=int, default=4, help="of each degradation on the sheet, at most")
    options = parser.parse_args()
    if not options.pairs:
        print("needs --pairs of real images, which do not come along")
        return
    groups: dict[str, list[Pair]] = defaultdict(list)
    for pair in open_pairs(options.pairs, options.split):
        groups[pair.degradation].append(pair)
    drivers = {model: open_driver(model) for model in options.models}
    rows = []
    for name, found in sorted(groups.items()):
        chosen = spread(found, options.each)
        scenes: list[str] = []
        real: list[np.ndarray] = []
        made: dict[str, list[np.ndarray]] = defaultdict(list)
        errors: dict[str, list[list[float]]] = defaultdict(list)
        unmade = 0
        for number, pair in enumerate(chosen):
            clean, degraded = pair.read(options.short_side)
            if min(clean.shape[:2]) < BLUR_WINDOW:
                continue
            asked = ask_of(pair, clean, degraded)
            images = {model: make(driver, clean, asked, number) for model, driver in drivers.items()}
            if any(image is None for image in images.values()):
                unmade += 1
                continue
            blur = pair.degradation == "motion_blur"
            scenes.append(hashlib.sha256(clean.tobytes()).hexdigest())
            real.append(change_statistics(clean, degraded, blur))
            for model, image in images.items():
                assert image is not None
                made[model].append(change_statistics(clean, image, blur))
                got = measure_intensity(clean, image)
                errors[model].append([abs(got.mu - asked.mu), abs(got.sigma - asked.sigma), psnr(degraded, image)])
            if len(scenes) <= options.rows:
                tiles = [Tile(image, Path(model).name) for model, image in images.items() if image is not None]
                rows.append([Tile(clean, "clean"), Tile(degraded, f"{name}, real"), *tiles])
        if unmade:
            print(f"{name}: {unmade} left out, which one of the models cannot make")
        if len(set(scenes)) < 4:
            print(f"{name}: too few scenes, {len(set(scenes))}")
            continue
        means = {model: np.mean(found, axis=0) for model, found in errors.items()}
        plain = {m: f"mu off {mu:.4f}  sigma off {sigma:.4f}  {db:.1f} dB" for m, (mu, sigma, db) in means.items()}
        report(name, np.array(scenes), np.array(real), {model: np.array(found) for model, found in made.items()}, plain)
    if options.out:
        write_image(draw_sheet(rows), options.out, "jpg" if options.out.suffix == ".jpg" else "png")


if __name__ == "__main__":
    main()
