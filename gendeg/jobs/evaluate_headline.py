"""The few numbers of an evaluation that decide, each with its uncertainty and what is wanted of it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

LOWER, HIGHER = "lower", "higher"
WEAK = 0.2  # the intensity at which rain, snow and raindrops must leave the photo nearly as it is
ALL = "all"


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


def headline(results: dict[str, Any]) -> list[dict[str, Any]]:
    """One row for each deciding number that was measured; `wanted` and `met` where the project has set a bound."""
    parts = (_calibration, _structure, _recognition, _realism, _change)
    return [row for part in parts for row in part(results)]


def _calibration(results: dict[str, Any]) -> Iterator[dict[str, Any]]:
    fine = len(results["settings"]["intensities"]) >= FINE_GRID
    for name, section in results["calibration"].get("model", {}).items():
        yield _row(MU, name, section["mu_mae"], WANTED_MU.get(name, 0.015))
        if name != ALL and "mu_spearman" in section:
            yield _row(MU_RANK, name, section["mu_spearman"], 0.98 if fine else None)
        yield _row(MU_BIAS, name, section["mu_bias"])
        yield _row(SIGMA, name, section["sigma_mae"])
        yield _row(SIGMA_BIAS, name, section["sigma_bias"])
        yield _row(REFUSED, name, section["refused"], 0.02 if name == ALL else None)


def _structure(results: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name, section in results["structure"].get("model", {}).items():
        if name == ALL:
            continue
        weak = [point["psnr"] for point in section["by_intensity"] if point["intensity"] == WEAK]
        if weak:
            yield _row(WEAK_PSNR, name, weak[0], 32.0 if name in ("rain", "snow", "raindrop") else None)
        if "shift" in section:
            yield _row(SHIFT, name, section["shift"], None if name == "motion_blur" else 0.5)
        if "detail_relative" in section:
            yield _row(DETAIL, name, section["detail_relative"], 0.9)
    yield _row(AUTOENCODER, ALL, results["autoencoder"]["psnr_clean"])


def _recognition(results: dict[str, Any]) -> Iterator[dict[str, Any]]:
    strong = results.get("recognition", {}).get("model", {}).get("accuracy_strong", {})
    for name, estimate in strong.items():
        yield _row(NAMED, name, estimate, 0.95)


def _realism(results: dict[str, Any]) -> Iterator[dict[str, Any]]:
    distances = results.get("realism", {}).get("sliced_wasserstein", {})
    for name, section in distances.items():
        yield _row(GAIN, name, section["gain"])
    if distances:
        closer = float(sum(section["closer"] == "model" for section in distances.values()))
        count = {"value": closer, "low": closer, "high": closer, "n": len(distances)}
        yield _row(CLOSER, ALL, count, 4.0)
    for name, section in results.get("diversity", {}).items():
        if "ratio" in section:
            yield _row(VARIETY, name, section["ratio"])


def _change(results: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name, section in results.get("change", {}).items():
        yield _row(CHANGE, name, section["distance"], 1.5)
        for point in section["by_intensity"]:
            at = f"{point['intensity']:g}"
            yield _row(
                replace(CHANGE, id=f"change_at_{at}", title=f"{CHANGE.title}, at {at}"), name, point["distance"], 1.5
            )
        yield _row(CHANGE_SPREAD, name, section["spread"], 0.7)


def _row(kind: Kind, degradation: str, estimate: dict[str, Any], wanted: float | None = None) -> dict[str, Any]:
    row = {
        "id": kind.id, "title": kind.title, "degradation": degradation, **estimate, "unit": kind.unit,
        "better": kind.better,
    }  # fmt: skip
    if wanted is None:
        return row
    met = estimate["value"] <= wanted if kind.better == LOWER else estimate["value"] >= wanted
    return row | {"wanted": wanted, "met": met}


def tabulate_headline(rows: list[dict[str, Any]]) -> str:
    """A line for each number: value, interval, how many images, and whether it is as wanted."""
    lines = [f"{'measure':<19}{'degradation':<13}{'value':>9}  {'95 % interval':<20}{'n':>6}  wanted"]
    for row in rows:
        interval = f"{row['low']:.4f} … {row['high']:.4f}"
        sign = "≤" if row["better"] == LOWER else "≥"
        wanted = f"{sign} {row['wanted']:g} {'met' if row['met'] else 'NOT MET'}" if "wanted" in row else ""
        line = f"{row['id']:<19}{row['degradation']:<13}{row['value']:>9.4f}  {interval:<20}{row['n']:>6}  {wanted}"
        lines.append(line.rstrip())
    return "\n".join(lines)
