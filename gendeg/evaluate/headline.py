"""The few numbers of an evaluation that decide, each with its uncertainty and what is wanted of it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from gendeg.evaluate.results import ALL, Headline, Results
from gendeg.metrics.uncertainty import Estimate
from gendeg.report.cells import interval

LOWER, HIGHER = "lower", "higher"
WEAK = 0.2  # the intensity at which rain, snow and raindrops must leave the photo nearly as it is


@dataclass(frozen=True)
class Kind:
    """A headline: what it is called and which way is better."""

    id: str
    title: str
    unit: str
    better: str


MU = Kind("mu_mae", "mean |measured mu − asked mu|", "", LOWER)
MU_RANK = Kind("mu_spearman", "rank correlation of asked and measured mu", "", HIGHER)
MU_BIAS = Kind("mu_bias", "mean (measured mu − asked mu)", "", "zero")
SIGMA = Kind("sigma_mae", "mean |measured sigma − asked sigma|", "", LOWER)
SIGMA_BIAS = Kind("sigma_bias", "mean (measured sigma − asked sigma)", "", "zero")
REFUSED = Kind("refused", "share that the build's filter refuses at the first attempt", "", LOWER)
WEAK_PSNR = Kind("psnr_weak", f"PSNR to the clean photo at intensity {WEAK}", "dB", HIGHER)
SHIFT = Kind("shift", "edges lie off the photo's by", "pixels", LOWER)
DETAIL = Kind("detail_relative", "detail kept, relative to the simulator's", "", HIGHER)
AUTOENCODER = Kind("autoencoder_psnr", "autoencoder alone: PSNR of clean photos", "dB", HIGHER)
NAMED = Kind("recognition_strong", "named rightly by the classifier, at intensity 0.5 and above", "", HIGHER)
CLOSER = Kind(
    "realism_closer", "degradations closer to real photos than the simulator's (sliced Wasserstein)", "", HIGHER
)
GAIN = Kind("realism_gain", "distance to real photos: simulator's less model's (sliced Wasserstein)", "", HIGHER)
VARIETY = Kind("diversity_ratio", "difference between seeds, relative to the simulator's", "", HIGHER)
CHANGE = Kind("change_distance", "distance of the change to the simulators', ÷ that of their other seeds", "", LOWER)
CHANGE_SPREAD = Kind(
    "change_spread", "difference between the changes of seeds, relative to the simulators'", "", HIGHER
)

FINE_GRID = 6  # intensities from which ties leave room for a rank correlation of 0.98 (see `spearman`)
WANTED_MU = {ALL: 0.010}  # others 0.015


def headline(results: Results) -> list[Headline]:
    """One row for each deciding number that was measured; `wanted` and `met` where the project has set a bound."""
    parts = (_calibration, _structure, _recognition, _realism, _change)
    return [row for part in parts for row in part(results)]


def _calibration(results: Results) -> Iterator[Headline]:
    fine = len(results.settings["intensities"]) >= FINE_GRID
    for name, found in results.calibration.get("model", {}).items():
        yield _row(MU, name, found.mu_mae, WANTED_MU.get(name, 0.015))
        if name != ALL and found.mu_spearman is not None:
            yield _row(MU_RANK, name, found.mu_spearman, 0.98 if fine else None)
        yield _row(MU_BIAS, name, found.mu_bias)
        yield _row(SIGMA, name, found.sigma_mae)
        yield _row(SIGMA_BIAS, name, found.sigma_bias)
        if found.refused is not None:
            yield _row(REFUSED, name, found.refused, 0.02 if name == ALL else None)


def _structure(results: Results) -> Iterator[Headline]:
    for name, found in results.structure.get("model", {}).items():
        if name == ALL:
            continue
        weak = [point.psnr for point in found.by_intensity or () if point.intensity == WEAK]
        if weak:
            yield _row(WEAK_PSNR, name, weak[0], 32.0 if name in ("rain", "snow", "raindrop") else None)
        if found.shift is not None:
            yield _row(SHIFT, name, found.shift, None if name == "motion_blur" else 0.5)
        if found.detail_relative is not None:
            yield _row(DETAIL, name, found.detail_relative, 0.9)
    if results.autoencoder is not None:
        yield _row(AUTOENCODER, ALL, results.autoencoder.psnr_clean)


def _recognition(results: Results) -> Iterator[Headline]:
    if results.recognition is not None:
        for name, one in results.recognition.model.accuracy_strong.items():
            yield _row(NAMED, name, one, 0.95)


def _realism(results: Results) -> Iterator[Headline]:
    distances = (results.realism or {}).get("sliced_wasserstein", {})
    for name, found in distances.items():
        yield _row(GAIN, name, found.gain)
    if distances:
        closer = float(sum(found.closer == "model" for found in distances.values()))
        yield _row(CLOSER, ALL, Estimate(closer, closer, closer, len(distances)), 4.0)
    for name, varied in (results.diversity or {}).items():
        if varied.ratio is not None:
            yield _row(VARIETY, name, varied.ratio)


def _change(results: Results) -> Iterator[Headline]:
    for name, found in (results.change or {}).items():
        yield _row(CHANGE, name, found.distance, 1.5)
        for point in found.by_intensity:
            at = f"{point.intensity:g}"
            kind = replace(CHANGE, id=f"change_at_{at}", title=f"{CHANGE.title}, at {at}")
            yield _row(kind, name, point.distance, 1.5)
        if found.spread is not None:
            yield _row(CHANGE_SPREAD, name, found.spread, 0.7)


def _row(kind: Kind, degradation: str, estimate: Estimate, wanted: float | None = None) -> Headline:
    row = estimate.as_row()
    met = None if wanted is None else row["value"] <= wanted if kind.better == LOWER else row["value"] >= wanted
    return Headline(kind.id, kind.title, degradation, **row, unit=kind.unit, better=kind.better, wanted=wanted, met=met)


def tabulate_headline(rows: list[Headline]) -> str:
    """A line for each number: its value and 95 % interval, how many images, and whether it is as wanted."""
    wide = max(13, *(len(row.degradation) + 1 for row in rows)) if rows else 13
    lines = [f"{'measure':<19}{'degradation':<{wide}}{'value [95 % interval]':<28}{'n':>6}  wanted"]
    for row in rows:
        sign = "≤" if row.better == LOWER else "≥"
        wanted = "" if row.wanted is None else f"{sign} {row.wanted:g} {'met' if row.met else 'NOT MET'}"
        lines.append(
            f"{row.id:<19}{row.degradation:<{wide}}{interval(row.estimate, 4):<28}{row.n:>6}  {wanted}".rstrip()
        )
    return "\n".join(lines)
