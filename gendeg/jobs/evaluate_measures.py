"""Images of an evaluation → one row of measures each, and rows → calibration and structure with their uncertainty."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from itertools import groupby
from typing import Any

import numpy as np

from gendeg.configs import EvaluateConfig
from gendeg.jobs.evaluate_images import GRID, MODEL, ROUNDTRIP, SIMULATOR, UNCALIBRATED, UNCORRECTED, Made
from gendeg.metrics.alignment import detail_kept, edge_shift, psnr, ssim_without_low_frequencies
from gendeg.metrics.calibration import spearman
from gendeg.metrics.uncertainty import Estimate, bootstrap, bootstrap_mean, bootstrap_ratio
from gendeg.pairs.align import find_shift
from gendeg.pairs.judge import judge
from gendeg.primitives.images import U8Image
from gendeg.primitives.kinds import Degradation
from gendeg.primitives.rng import for_sample

ALL = "all"
JUDGED = (MODEL, UNCORRECTED, UNCALIBRATED)
CALIBRATED_ARMS = (MODEL, UNCALIBRATED, UNCORRECTED, SIMULATOR)
STRUCTURE_ARMS = (MODEL, UNCORRECTED, UNCALIBRATED, SIMULATOR, ROUNDTRIP)
FINE_SHIFT = 3.0  # pixels within which a shift is looked for in fractions
SURE = 0.1  # peak of the phase correlation; by chance the highest of a 128-pixel image's reaches 0.04
ALIGNED = 0.5  # pixels: the issue's own bound for edges that have not moved


@dataclass
class Row:
    """One image with what was measured on it; the classifier's name for it is added later."""

    made: Made
    verdict: str
    message: str
    metrics: dict[str, float | str] = field(default_factory=dict)

    @property
    def degradation(self) -> str:
        return self.made.record.degradation

    @property
    def place(self) -> tuple[str, str, float]:
        """Photo, degradation, intensity: equal for what two arms made of the same request."""
        return self.made.photo, self.degradation, self.made.record.intensity

    def as_row(self) -> dict[str, Any]:
        made = asdict(self.made)
        record = made.pop("record")
        return made | {"verdict": self.verdict, "message": self.message, "metrics": self.metrics, "record": record}


def measure(made: Made, clean: U8Image, degraded: U8Image, config: EvaluateConfig) -> Row:
    """Everything that is measured on one image beside its clean photo."""
    verdict, message = "", ""
    if made.arm in JUDGED:
        judged = judge(clean, degraded, made.record.mu_requested, config.tolerance, config.structure)
        verdict, message = judged.reason, judged.message
    coarse = find_shift(clean, degraded)
    shift = float(np.hypot(*edge_shift(clean, degraded, FINE_SHIFT))) if coarse.length <= FINE_SHIFT else coarse.length
    metrics: dict[str, float | str] = {
        "psnr": round(psnr(clean, degraded), 4),
        "shift": round(shift, 4),
        "shift_peak": round(coarse.peak, 4),
        "detail": round(detail_kept(clean, degraded), 6),
        "ssim": round(ssim_without_low_frequencies(clean, degraded), 6),
    }
    return Row(made, verdict, message, metrics)


class Summary:
    """Rows → estimates; every number's draws depend on the seed and its own name only."""

    def __init__(self, rows: Sequence[Row], draws: int, seed: int):
        self.rows, self.draws, self.seed = list(rows), draws, seed
        known = {row.degradation for row in rows}
        singles = [str(kind) for kind in Degradation if str(kind) in known]
        self.degradations = [*singles, *sorted(known - set(singles))]

    def grid(self, arm: str, degradation: str = ALL) -> list[Row]:
        return [
            row for row in self.rows
            if row.made.arm == arm and row.made.purpose == GRID and degradation in (ALL, row.degradation)
        ]  # fmt: skip

    def mean(self, name: str, rows: Sequence[Row], values: Iterable[float]) -> Estimate:
        return bootstrap_mean(_photos(rows), np.array(list(values), float), self.draws, self._generator(name))

    def ratio(self, name: str, rows: Sequence[Row], top: Iterable[float], bottom: Iterable[float]) -> Estimate:
        one, other = (np.array(list(values), float) for values in (top, bottom))
        return bootstrap_ratio(_photos(rows), one, other, self.draws, self._generator(name))

    def over(self, name: str, rows: Sequence[Row], statistic: Callable[[np.ndarray], float]) -> Estimate:
        return bootstrap(_photos(rows), statistic, self.draws, self._generator(name))

    def _generator(self, name: str) -> np.random.Generator:
        return for_sample(self.seed, name, "bootstrap")

    def by_arm(self, arms: Sequence[str], summarise: Callable[[str, str, list[Row]], dict[str, Any]]) -> dict[str, Any]:
        """arm → degradation (and "all") → what `summarise` says of its rows; arms that made nothing are left out."""
        found: dict[str, Any] = {}
        for arm in arms:
            groups = {name: self.grid(arm, name) for name in (*self.degradations, ALL)}
            present = {name: summarise(arm, name, rows) for name, rows in groups.items() if rows}
            if present:
                found[arm] = present
        return found


def _photos(rows: Sequence[Row]) -> list[str]:
    return [row.made.photo for row in rows]


# --- calibration ---


def summarise_calibration(summary: Summary) -> dict[str, Any]:
    """The section `calibration` of the results."""

    def one(arm: str, name: str, rows: list[Row]) -> dict[str, Any]:
        section = _statistics(summary, f"{arm}/{name}", rows)
        if arm in JUDGED:
            section |= _refusals(summary, f"{arm}/{name}", rows)
        if name != ALL:
            section["by_intensity"] = [_at_intensity(summary, arm, q, group) for q, group in by_intensity(rows)]
        return section

    return summary.by_arm(CALIBRATED_ARMS, one)


def _statistics(summary: Summary, name: str, rows: list[Row]) -> dict[str, Any]:
    section: dict[str, Any] = {}
    for statistic in ("mu", "sigma"):
        asked = np.array([getattr(row.made.record, f"{statistic}_requested") for row in rows])
        measured = np.array([getattr(row.made.record, statistic) for row in rows])
        key = f"{name}/{statistic}"
        section[f"{statistic}_mae"] = summary.mean(f"{key}/mae", rows, np.abs(measured - asked)).as_row()
        section[f"{statistic}_bias"] = summary.mean(f"{key}/bias", rows, measured - asked).as_row()
        if len(np.unique(asked)) > 1 and len(np.unique(measured)) > 1:
            rank = summary.over(f"{key}/rank", rows, lambda at, a=asked, m=measured: spearman(a[at], m[at]))  # type: ignore[misc]
            section[f"{statistic}_spearman"] = rank.as_row()
    return section


def _refusals(summary: Summary, name: str, rows: list[Row]) -> dict[str, Any]:
    refused = summary.mean(f"{name}/refused", rows, [float(bool(row.verdict)) for row in rows])
    reasons = Counter(row.verdict for row in rows if row.verdict)
    return {"refused": refused.as_row(), "reasons": dict(sorted(reasons.items()))}


def by_intensity(rows: Sequence[Row]) -> list[tuple[float, list[Row]]]:
    def asked(row: Row) -> float:
        return row.made.record.intensity

    return [(q, list(group)) for q, group in groupby(sorted(rows, key=asked), key=asked)]


def _at_intensity(summary: Summary, arm: str, intensity: float, rows: list[Row]) -> dict[str, Any]:
    name, record = f"{arm}/{rows[0].degradation}/{intensity}", rows[0].made.record
    point: dict[str, Any] = {
        "intensity": intensity,
        "mu_requested": record.mu_requested,
        "mu": summary.mean(f"{name}/mu", rows, [row.made.record.mu for row in rows]).as_row(),
        "sigma_requested": record.sigma_requested,
        "sigma": summary.mean(f"{name}/sigma", rows, [row.made.record.sigma for row in rows]).as_row(),
    }
    if arm in JUDGED:
        point["refused"] = round(sum(bool(row.verdict) for row in rows) / len(rows), 6)
    return point


# --- structure ---


def summarise_structure(summary: Summary) -> dict[str, Any]:
    """The section `structure` of the results. `detail_relative` compares with the simulator's image of the same mu."""
    simulated = {row.place: row for row in summary.grid(SIMULATOR)}

    def one(arm: str, name: str, rows: list[Row]) -> dict[str, Any]:
        section = _measures(summary, f"{arm}/{name}", rows)
        sure = [row for row in rows if float(row.metrics["shift_peak"]) >= SURE]
        section["sure"] = round(len(sure) / len(rows), 6)
        if sure:
            section["shift"] = summary.mean(f"{arm}/{name}/shift", sure, numbers(sure, "shift")).as_row()
            within = [float(value <= ALIGNED) for value in numbers(sure, "shift")]
            section["aligned"] = summary.mean(f"{arm}/{name}/aligned", sure, within).as_row()
        if arm != SIMULATOR:
            section |= _relative(summary, f"{arm}/{name}", rows, simulated)
        if name != ALL:
            section["by_intensity"] = [
                {"intensity": q}
                | _measures(summary, f"{arm}/{name}/{q}", group)
                | (_relative(summary, f"{arm}/{name}/{q}", group, simulated) if arm != SIMULATOR else {})
                for q, group in by_intensity(rows)
            ]
        return section

    return summary.by_arm(STRUCTURE_ARMS, one)


def _measures(summary: Summary, name: str, rows: list[Row]) -> dict[str, Any]:
    return {
        measure: summary.mean(f"{name}/{measure}", rows, numbers(rows, measure)).as_row()
        for measure in ("psnr", "detail", "ssim")
    }


def _relative(summary: Summary, name: str, rows: list[Row], simulated: dict[Any, Row]) -> dict[str, Any]:
    paired = [row for row in rows if row.place in simulated]
    if not paired:
        return {}
    reference = [float(simulated[row.place].metrics["detail"]) for row in paired]
    return {"detail_relative": summary.ratio(f"{name}/relative", paired, numbers(paired, "detail"), reference).as_row()}


def numbers(rows: Sequence[Row], metric: str) -> list[float]:
    return [float(row.metrics[metric]) for row in rows]
