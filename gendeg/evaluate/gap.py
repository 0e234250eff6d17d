"""gendeg evaluate gap: how far synthetic degradations are from real ones → gap.json and gap.html."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from gendeg import __version__
from gendeg.evaluate.config import GapConfig
from gendeg.evaluate.gap_images import Images, real_images, synthetic_images
from gendeg.evaluate.gap_page import gap_page
from gendeg.metrics.gap import STATISTICS, compare_gaps, distances, gap_statistics
from gendeg.pairs.photo import Photo
from gendeg.primitives.errors import BadImage, BadOption
from gendeg.primitives.files import atomic_write, ensure_writable, refuse_existing, write_json
from gendeg.primitives.images import resize_short_side
from gendeg.primitives.parallel import in_order, per_core
from gendeg.primitives.progress import track
from gendeg.primitives.rng import for_sample
from gendeg.report.cells import interval
from gendeg.report.html import render_page

SCHEMA = "gendeg-gap-1"
REAL, SYNTHETIC = "real", "synthetic"
FEWEST_REAL = 4
MOST_SETS = 3  # beside the synthetic one: the page has no more colours
Statistics = dict[str, np.ndarray]
Measured = dict[str, dict[str, list[Statistics]]]
"""Degradation → set ("real", "synthetic", …) → statistics of each image."""


def gap(config: GapConfig) -> dict[str, Any]:
    """Measure every image, compare, write `gap.json` and `gap.html` below `config.out`, and return the results.

    Raises `BadOption`, `OutputExists`, `MissingPath`, `NoImages`, `NoPairs`, `BadManifest`, `OutputNotWritable`.
    """
    _check(config)
    sets = {SYNTHETIC: synthetic_images(config.synthetic, "--synthetic", config.split, config.type, config.most)}
    for name, place in config.also:
        sets[name] = synthetic_images(place, "--also", config.split, config.type, config.most)
    sets[REAL] = real_images(config.real, config.split, config.type, config.most)
    kinds = [kind for kind in sets[SYNTHETIC] if kind in sets[REAL]]
    if not kinds:
        there, wanted = (", ".join(sets[name]) for name in (SYNTHETIC, REAL))
        raise BadOption("--real", f"no degradation on both sides: synthetic has {there}, real has {wanted}")
    ensure_writable(config.out)
    notes, failures = _left_out(sets, kinds), list[str]()
    measured = {kind: _measure(config, kind, sets, notes, failures) for kind in kinds}
    results = _results(config, measured, notes, failures)
    if not results["gaps"]:
        raise BadOption("--real", f"{FEWEST_REAL} real photos of a degradation are needed at least; {notes[-1]}")
    page = gap_page(results, measured, {kind: {name: sets[name].get(kind, []) for name in sets} for kind in kinds})
    atomic_write(config.out / "gap.html", render_page(page))
    write_json(config.out / "gap.json", results)
    return results


def _check(config: GapConfig) -> None:
    names = [name for name, _ in config.also]
    if len(names) > MOST_SETS or len({*names, REAL, SYNTHETIC}) < len(names) + 2:
        raise BadOption("--also", f"takes up to {MOST_SETS} sets with names of their own, not real or synthetic")
    refuse_existing(config.overwrite, config.out / "gap.json", config.out / "gap.html")


def _left_out(sets: Mapping[str, Images], kinds: Sequence[str]) -> list[str]:
    return [
        f"{kind}: only in {name}, not compared"
        for name in (SYNTHETIC, REAL)
        for kind in sets[name]
        if kind not in kinds
    ]


# --- measuring ---


def _measure(
    config: GapConfig, kind: str, sets: Mapping[str, Images], notes: list[str], failures: list[str]
) -> dict[str, list[Statistics]]:
    """The sets that have this degradation; what is odd about them goes to `notes`, unreadable images to `failures`."""
    found = {}
    for name, images in sets.items():
        halves = images.get(kind, [])
        bar = track(_describe_all(config, halves), f"{kind}, {name}", len(halves), config.progress)
        good, enlarged = [], 0
        for described in bar:
            if isinstance(described, str):
                failures.append(described)
                continue
            good.append(described[0])
            enlarged += described[1]
        if enlarged:
            notes.append(f"{kind}: {enlarged} of {name} are smaller than --size {config.size} and were enlarged")
        if good:
            found[name] = good
    return found


def _describe_all(config: GapConfig, halves: Sequence[Photo]) -> Any:
    return in_order(lambda half: _describe(half, config.size), halves, per_core(config.workers))


def _describe(half: Photo, size: int) -> tuple[Statistics, bool] | str:
    """Its statistics, and whether it had to be enlarged; or why it cannot be read."""
    try:
        image = half.image()
    except BadImage as error:
        return str(error)
    return gap_statistics(resize_short_side(image, size)), min(image.shape[:2]) < size


# --- comparing ---


def _results(config: GapConfig, measured: Measured, notes: list[str], failures: list[str]) -> dict[str, Any]:
    gaps = {}
    for kind, sets in measured.items():
        real, others = sets.get(REAL, []), {name: images for name, images in sets.items() if name != REAL}
        if len(real) < FEWEST_REAL or SYNTHETIC not in others:
            notes.append(f"{kind}: {len(real)} real photos can be read, not compared")
            continue
        gaps[kind] = {name: _compare(config, kind, name, real, others) for name in STATISTICS}
    settings = {name: str(value) if isinstance(value, Path) else value for name, value in asdict(config).items()}
    return {
        "schema": SCHEMA,
        "gendeg": __version__,
        "settings": settings | {"also": {name: str(place) for name, place in config.also}},
        "images": {kind: {name: len(images) for name, images in sets.items()} for kind, sets in measured.items()},
        "gaps": gaps,
        "times": {kind: _times(found) for kind, found in gaps.items()},
        "notes": notes,
        "failures": failures,
    }


def _compare(
    config: GapConfig, kind: str, name: str, real: Sequence[Statistics], sets: Mapping[str, Sequence[Statistics]]
) -> dict[str, Any]:
    """Both distances of one statistic."""
    found = {}
    for measure, distance in distances(name).items():
        generator = for_sample(config.seed, f"{kind}/{name}/{measure}", "gap")
        images = {one: [statistics[name] for statistics in those] for one, those in sets.items()}
        gap = compare_gaps([one[name] for one in real], images, distance, config.draws, generator)
        found[measure] = {
            "sets": {one: estimate.as_row() for one, estimate in gap.sets.items()},
            "real": gap.scale.as_row(),
            "gains": {one: estimate.as_row() for one, estimate in gap.gains.items()},
            "closer": gap.closer,
        }
    return found


def _times(found: Mapping[str, Any]) -> dict[str, float]:
    """Set → how many times as far as other real photos: the geometric mean over statistics, by Wasserstein distance."""
    rows = [found[name]["wasserstein"] for name in found]
    return {
        one: round(float(np.exp(np.mean([np.log(_ratio(row["sets"][one], row["real"])) for row in rows]))), 4)
        for one in rows[0]["sets"]
    }


def _ratio(one: Mapping[str, float], scale: Mapping[str, float]) -> float:
    return max(one["value"], 1e-9) / max(scale["value"], 1e-9)


def tabulate(results: Mapping[str, Any]) -> str:
    """Wasserstein distances for people: a row a degradation and statistic."""
    names = list(dict.fromkeys(one for kind in results["times"].values() for one in kind))
    width = max(26, *(len(name) + 2 for name in names))
    heads = [*names, "other real photos"]
    lines = [f"{'degradation':<13}{'statistic':<16}" + "".join(f"{head:>{width}}" for head in heads) + "   closer"]
    for kind, found in results["gaps"].items():
        for name, both in found.items():
            row = both["wasserstein"]
            cells = [row["sets"].get(one) for one in names] + [row["real"]]
            line = "".join(f"{interval(one, 4):>{width}}" for one in cells)
            lines.append(f"{kind:<13}{name:<16}{line}   {row['closer'] if row['gains'] else ''}".rstrip())
        cells = [f"{results['times'][kind][one]:.1f} times" if one in results["times"][kind] else "–" for one in names]
        lines.append(f"{kind:<13}{'all':<16}" + "".join(f"{cell:>{width}}" for cell in [*cells, "1"]))
    return "\n".join(lines)
