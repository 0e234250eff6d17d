"""Which images of an evaluation a report shows, by rule and not by hand, and their cards."""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from gendeg.evaluate.results import Scored
from gendeg.primitives.errors import BadImage
from gendeg.primitives.images import read_rgb
from gendeg.report.cells import strength_notes
from gendeg.report.html import Card, Picture, make_picture

VISIBLE = 0.3  # intensity from which there is something to see, and so a best and a worst
OF_A_KIND = 2  # at most so many of one degradation, and of one photo, among the best and among the worst
LARGEST = 1600  # pixels; larger pictures would make the page too heavy to send
LABELS = {
    "psnr": ("PSNR", "{:.1f} dB"), "detail": ("detail kept", "{:.2f}"), "ssim": ("SSIM", "{:.2f}"),
    "shift": ("shift", "{:.2f} px"), "named_probability": ("probability of it", "{:.2f}"),
}  # fmt: skip


# --- the best and the worst ---


def best_and_worst(samples: Sequence[Scored], count: int) -> tuple[list[Scored], list[Scored]]:
    """Of the model's own images at intensities that show; the worst begin with those that the filter refuses.

    A score is the mean of ranks among the images of the same degradation and intensity: error of mu, error of sigma,
    detail kept, certainty of the right name, as far as they were measured. No image is in both lists.
    """
    mine = [one for one in samples if one.arm == "model" and one.purpose == "grid"]
    mine = [one for one in mine if one.record.intensity >= VISIBLE] or mine
    scores = score(mine)
    order = sorted(range(len(mine)), key=lambda i: (scores[i], mine[i].record.key))
    half = min(count, len(mine) // 2)
    worst = _varied([mine[i] for i in order[: len(order) // 2]], half)
    best = _varied([mine[i] for i in order[::-1][: len(order) // 2]], half)
    return best, worst


def score(samples: Sequence[Scored]) -> Float[np.ndarray, " n"]:
    """In [0, 1], the higher the better; −1 for a refused image."""
    measures: list[Callable[[Scored], float]] = [
        lambda one: -one.error,
        lambda one: -abs(one.record.sigma - one.record.sigma_requested),
        lambda one: one.metrics.detail or 0.0,
        lambda one: one.certainty,
    ]
    cells: dict[tuple[str, float], list[int]] = defaultdict(list)
    for index, one in enumerate(samples):
        cells[one.record.degradation, one.record.intensity].append(index)
    scores = np.zeros(len(samples))
    for members in cells.values():
        scores[members] = np.mean([_ranks([measure(samples[i]) for i in members]) for measure in measures], axis=0)
    scores[[bool(one.verdict) for one in samples]] = -1.0
    return scores


def _ranks(values: Sequence[float]) -> Float[np.ndarray, " n"]:
    """Share of values that are lower, equal ones counted half: equal measures (all absent, too) rank equally."""
    here = np.asarray(values)
    return ((here[:, None] > here).mean(axis=1) + (here[:, None] == here).mean(axis=1) / 2).astype(np.float64)


def _varied(samples: Sequence[Scored], count: int) -> list[Scored]:
    """The first `count`, at most OF_A_KIND of a degradation and of a photo as long as there are others."""
    chosen: list[Scored] = []
    seen: Counter[str] = Counter()
    for most in (OF_A_KIND, len(samples)):
        for one in samples:
            marks = (f"kind {one.record.degradation}", f"photo {one.photo}")
            if len(chosen) < count and one not in chosen and all(seen[mark] < most for mark in marks):
                chosen.append(one)
                seen.update(marks)
    return chosen


# --- cards ---


def sample_card(folder: Path, one: Scored, longest: int) -> Card:
    """Its pictures, at most `longest` pixels, and everything that was measured."""
    record, metrics = one.record, one.metrics
    notes = strength_notes(record)
    there = [(*both, getattr(metrics, name)) for name, both in LABELS.items() if getattr(metrics, name) is not None]
    measured = [f"{label}\u00a0{form.format(value)}" for label, form, value in there]
    if metrics.named is not None:
        measured.insert(len(measured) - 1, f"named {metrics.named}")
    notes += [" · ".join(measured)] if measured else []
    notes += [f"refused by the filter: {one.verdict} ({one.message})"] if one.verdict else []
    clean, degraded = (_picture(folder, name, longest) for name in (one.clean, one.degraded))
    if clean is None or degraded is None:
        notes.append(f"not shown: {one.degraded} or {one.clean} cannot be read")
    return Card(
        f"{record.degradation} · intensity {record.intensity:.2f}", notes, record.degradation, one.arm, clean, degraded,
        [("photo", one.photo), ("file", one.degraded), ("prompt", record.prompt), ("seed", str(record.seed)),
         ("size", f"{record.width} × {record.height}")],
        record.mu,
    )  # fmt: skip


def _picture(folder: Path, name: str, longest: int) -> Picture | None:
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        return None  # a listing from somebody else does not choose which of this machine's pictures go into a page
    try:
        return make_picture(read_rgb(path), longest)
    except BadImage:
        return None
