"""Images of an evaluation → one row of measures each, and rows → calibration and structure with their uncertainty."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any, TypeVar

import numpy as np

from gendeg.evaluate.config import EvaluateConfig
from gendeg.evaluate.images import GRID, MODEL, ROUNDTRIP, SIMULATOR, UNCALIBRATED, UNCORRECTED
from gendeg.evaluate.results import ALL, Calibration, CalibrationPoint, Metrics, Scored, Structure, StructurePoint
from gendeg.metrics.alignment import detail_kept, edge_shift, find_shift, psnr, ssim_without_low_frequencies
from gendeg.metrics.uncertainty import Estimate, bootstrap, bootstrap_mean, bootstrap_ratio, spearman
from gendeg.pairs.judge import judge
from gendeg.primitives.images import U8Image
from gendeg.primitives.kinds import Degradation
from gendeg.primitives.rng import for_sample

Section = TypeVar("Section")
JUDGED = (MODEL, UNCORRECTED, UNCALIBRATED)
CALIBRATED_ARMS = (MODEL, UNCALIBRATED, UNCORRECTED, SIMULATOR)
STRUCTURE_ARMS = (MODEL, UNCORRECTED, UNCALIBRATED, SIMULATOR, ROUNDTRIP)
FINE_SHIFT = 3.0  # pixels within which a shift is looked for in fractions
SURE = 0.1  # peak of the phase correlation; by chance the highest of a 128-pixel image's reaches 0.04
ALIGNED = 0.5  # pixels: the bound that was promised for edges that have not moved


def measure(made: Scored, clean: U8Image, degraded: U8Image, config: EvaluateConfig) -> Scored:
    """Everything that is measured on one image beside its clean photo."""
    verdict, message = "", ""
    if made.arm in JUDGED:
        judged = judge(clean, degraded, made.record.mu_requested, config.tolerance, config.structure)
        verdict, message = judged.reason, judged.message
    coarse = find_shift(clean, degraded)
    shift = float(np.hypot(*edge_shift(clean, degraded, FINE_SHIFT))) if coarse.length <= FINE_SHIFT else coarse.length
    metrics = Metrics(
        psnr=round(psnr(clean, degraded), 4),
        shift=round(shift, 4),
        shift_peak=round(coarse.peak, 4),
        detail=round(detail_kept(clean, degraded), 6),
        ssim=round(ssim_without_low_frequencies(clean, degraded), 6),
    )
    return replace(made, verdict=verdict, message=message, metrics=metrics)


class Summary:
    """Rows → estimates; every number's draws depend on the seed and its own name only."""

    def __init__(self, rows: Sequence[Scored], draws: int, seed: int):
        self.rows, self.draws, self.seed = list(rows), draws, seed
        known = {row.degradation for row in rows}
        singles = [str(kind) for kind in Degradation if str(kind) in known]
        self.degradations = [*singles, *sorted(known - set(singles))]

    def grid(self, arm: str, degradation: str = ALL) -> list[Scored]:
        return [
            row for row in self.rows
            if row.arm == arm and row.purpose == GRID and degradation in (ALL, row.degradation)
        ]  # fmt: skip

    def mean(self, name: str, rows: Sequence[Scored], values: Iterable[float]) -> Estimate:
        return bootstrap_mean(_photos(rows), np.array(list(values), float), self.draws, self._generator(name))

    def ratio(self, name: str, rows: Sequence[Scored], top: Iterable[float], bottom: Iterable[float]) -> Estimate:
        one, other = (np.array(list(values), float) for values in (top, bottom))
        return bootstrap_ratio(_photos(rows), one, other, self.draws, self._generator(name))

    def over(self, name: str, rows: Sequence[Scored], statistic: Callable[[np.ndarray], float]) -> Estimate:
        return bootstrap(_photos(rows), statistic, self.draws, self._generator(name))

    def _generator(self, name: str) -> np.random.Generator:
        return for_sample(self.seed, name, "bootstrap")

    def by_arm(
        self,
        arms: Sequence[str],
        summarise: Callable[[str, str, list[Scored]], Section],
        keep: Callable[[Scored], bool] = lambda row: True,
    ) -> dict[str, dict[str, Section]]:
        """arm → degradation (and "all") → what `summarise` says of its rows; arms that made nothing are left out."""
        found = {}
        for arm in arms:
            groups = {name: list(filter(keep, self.grid(arm, name))) for name in (*self.degradations, ALL)}
            present = {name: summarise(arm, name, rows) for name, rows in groups.items() if rows}
            if present:
                found[arm] = present
        return found


def _photos(rows: Sequence[Scored]) -> list[str]:
    return [row.photo for row in rows]


# --- calibration ---


def summarise_calibration(summary: Summary) -> dict[str, dict[str, Calibration]]:
    """Arm → degradation → errors of mu and sigma, and what the build's filter says.

    Of a mix made in parts nothing was asked as a whole, so it has no place here.
    """

    def one(arm: str, name: str, rows: list[Scored]) -> Calibration:
        judged = _refusals(summary, f"{arm}/{name}", rows) if arm in JUDGED else {}
        points = None if name == ALL else [_at_intensity(summary, arm, q, group) for q, group in by_intensity(rows)]
        return Calibration(**_statistics(summary, f"{arm}/{name}", rows), **judged, by_intensity=points)

    in_parts = {row.degradation for row in summary.rows if len(row.record.parts) > 1}
    return summary.by_arm(CALIBRATED_ARMS, one, lambda row: row.degradation not in in_parts)


def _statistics(summary: Summary, name: str, rows: list[Scored]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for statistic in ("mu", "sigma"):
        asked = np.array([getattr(row.record, f"{statistic}_requested") for row in rows])
        measured = np.array([getattr(row.record, statistic) for row in rows])
        key = f"{name}/{statistic}"
        found[f"{statistic}_mae"] = summary.mean(f"{key}/mae", rows, np.abs(measured - asked))
        found[f"{statistic}_bias"] = summary.mean(f"{key}/bias", rows, measured - asked)
        if len(np.unique(asked)) > 1 and len(np.unique(measured)) > 1:
            rank = summary.over(f"{key}/rank", rows, lambda at, a=asked, m=measured: spearman(a[at], m[at]))  # type: ignore[misc]
            found[f"{statistic}_spearman"] = rank
    return found


def _refusals(summary: Summary, name: str, rows: list[Scored]) -> dict[str, Any]:
    refused = summary.mean(f"{name}/refused", rows, [float(bool(row.verdict)) for row in rows])
    reasons = Counter(row.verdict for row in rows if row.verdict)
    return {"refused": refused, "reasons": dict(sorted(reasons.items()))}


def by_intensity(rows: Sequence[Scored]) -> list[tuple[float, list[Scored]]]:
    def asked(row: Scored) -> float:
        return row.record.intensity

    return [(q, list(group)) for q, group in groupby(sorted(rows, key=asked), key=asked)]


def _at_intensity(summary: Summary, arm: str, intensity: float, rows: list[Scored]) -> CalibrationPoint:
    name, record = f"{arm}/{rows[0].degradation}/{intensity}", rows[0].record
    return CalibrationPoint(
        intensity,
        record.mu_requested,
        summary.mean(f"{name}/mu", rows, [row.record.mu for row in rows]),
        record.sigma_requested,
        summary.mean(f"{name}/sigma", rows, [row.record.sigma for row in rows]),
        round(sum(bool(row.verdict) for row in rows) / len(rows), 6) if arm in JUDGED else None,
    )


# --- structure ---


def summarise_structure(summary: Summary) -> dict[str, dict[str, Structure]]:
    """Arm → degradation → what is left of the photo, also beside the simulator's image of the same mu."""
    simulated = {row.place: row for row in summary.grid(SIMULATOR)}

    def measures(arm: str, name: str, rows: list[Scored]) -> dict[str, Estimate]:
        found = {
            measure: summary.mean(f"{name}/{measure}", rows, numbers(rows, measure))
            for measure in ("psnr", "detail", "ssim")
        }
        paired = [row for row in rows if row.place in simulated]
        if arm != SIMULATOR and paired:
            reference = numbers([simulated[row.place] for row in paired], "detail")
            found["detail_relative"] = summary.ratio(f"{name}/relative", paired, numbers(paired, "detail"), reference)
        return found

    def one(arm: str, name: str, rows: list[Scored]) -> Structure:
        found = measures(arm, f"{arm}/{name}", rows)
        sure = [row for row in rows if (row.metrics.shift_peak or 0.0) >= SURE]
        if sure:
            found["shift"] = summary.mean(f"{arm}/{name}/shift", sure, numbers(sure, "shift"))
            within = [float(value <= ALIGNED) for value in numbers(sure, "shift")]
            found["aligned"] = summary.mean(f"{arm}/{name}/aligned", sure, within)
        points = None if name == ALL else [
            StructurePoint(q, **measures(arm, f"{arm}/{name}/{q}", group)) for q, group in by_intensity(rows)
        ]  # fmt: skip
        return Structure(**found, sure=round(len(sure) / len(rows), 6), by_intensity=points)

    return summary.by_arm(STRUCTURE_ARMS, one)


def numbers(rows: Sequence[Scored], metric: str) -> list[float]:
    return [float(getattr(row.metrics, metric)) for row in rows]
