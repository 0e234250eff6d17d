"""What an evaluation finds: `samples.jsonl` is a `Sample` a line, `results.json` a `Results`; see manifests/README.md.

What was not measured is None, and absent in the files. Keys of a `dict[str, …]` are degradations, and "all" pools them,
unless something else is said.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from gendeg.metrics.uncertainty import Estimate
from gendeg.primitives.errors import BadManifest, GendegError
from gendeg.primitives.files import read_json_object, read_numbered_jsonl, write_json, write_jsonl
from gendeg.primitives.records import Failure, Record

RESULTS, SAMPLES = "results.json", "samples.jsonl"
SCHEMA = "gendeg-evaluation-1"
"""Raise the number when a field changes its meaning."""
ALL = "all"


@dataclass(frozen=True)
class Made:
    """One image of an evaluation; `clean` and `degraded` are its files, relative to the evaluation's folder."""

    arm: str
    purpose: str
    photo: str
    clean: str
    degraded: str
    record: Record


@dataclass(frozen=True)
class Metrics:
    """Of one image beside its clean photo; `named` is the classifier's name for it."""

    psnr: float | None = None  # dB
    shift: float | None = None  # pixels
    shift_peak: float | None = None  # [0, 1]
    detail: float | None = None  # [−1, 1]
    ssim: float | None = None  # [−1, 1]
    named: str | None = None
    named_probability: float | None = None


@dataclass(frozen=True)
class Sample:
    """One image with what was measured on it; `verdict`: why the build's filter refuses it, or nothing."""

    arm: str
    purpose: str
    photo: str
    clean: str
    degraded: str
    verdict: str
    message: str
    metrics: Metrics
    record: Record

    @property
    def degradation(self) -> str:
        return self.record.degradation

    @property
    def place(self) -> tuple[str, str, float]:
        """Photo, degradation, intensity: equal for what two arms made of the same request."""
        return self.photo, self.degradation, self.record.intensity

    @property
    def error(self) -> float:
        return abs(self.record.mu - self.record.mu_requested)

    @property
    def certainty(self) -> float:
        """Probability of the right name; 0 under a wrong one."""
        return (self.metrics.named_probability or 0.0) if self.metrics.named == self.degradation else 0.0


@dataclass(frozen=True)
class CalibrationPoint:
    intensity: float
    mu_requested: float
    mu: Estimate
    sigma_requested: float
    sigma: Estimate
    refused: float | None = None  # share


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Measured against asked; `refused` and `reasons` of the build's filter, of arms that it would judge."""

    mu_mae: Estimate
    mu_bias: Estimate
    mu_spearman: Estimate | None = None
    sigma_mae: Estimate
    sigma_bias: Estimate
    sigma_spearman: Estimate | None = None
    refused: Estimate | None = None
    reasons: dict[str, int] | None = None
    by_intensity: list[CalibrationPoint] | None = None


@dataclass(frozen=True)
class StructurePoint:
    intensity: float
    psnr: Estimate
    detail: Estimate
    ssim: Estimate | None = None
    detail_relative: Estimate | None = None


@dataclass(frozen=True)
class Structure:
    """Is it still this photo? `shift` and `aligned` of the share `sure`; `detail_relative` to the simulator's."""

    psnr: Estimate
    detail: Estimate
    ssim: Estimate
    sure: float
    shift: Estimate | None = None
    aligned: Estimate | None = None
    detail_relative: Estimate | None = None
    by_intensity: list[StructurePoint] | None = None


@dataclass(frozen=True)
class AutoencoderLimit:
    """PSNR of the autoencoder alone, on clean photos and on the simulators' images: the limit of everything."""

    psnr_clean: Estimate
    psnr_degraded: dict[str, Estimate]


@dataclass(frozen=True)
class Realism:
    """Distances to real photos; `gain` is simulator − model, `closer` who is, where its interval says so."""

    model: Estimate
    simulator: Estimate
    clean: Estimate
    real: Estimate
    gain: Estimate
    closer: str
    real_photos: int


@dataclass(frozen=True)
class Diversity:
    model: Estimate
    simulator: Estimate
    ratio: Estimate | None = None


@dataclass(frozen=True)
class ChangePoint:
    intensity: float
    distance: Estimate


@dataclass(frozen=True)
class Change:
    """As in `metrics/energy.py`; `model` and `simulator`: statistic → its median."""

    distance: Estimate
    by_intensity: list[ChangePoint]
    groups: dict[str, Estimate]  # by what the statistics speak of
    spread: Estimate | None
    photos: int
    versions: int
    model: dict[str, Estimate]
    simulator: dict[str, Estimate]


@dataclass(frozen=True)
class Naming:
    """How an arm's images are named, and those at intensities from 0.5; rows: asked for, columns: named."""

    accuracy: dict[str, Estimate]
    accuracy_strong: dict[str, Estimate]
    confusion: list[list[int]]
    confusion_strong: list[list[int]]


@dataclass(frozen=True)
class Recognition:
    classifier: dict[str, Any]  # trained_on, held_out, held_out_accuracy
    labels: list[str]
    model: Naming
    simulator: Naming


@dataclass(frozen=True)
class Headline:
    """A number that decides, flat; `wanted` and `met` where the project has set a bound."""

    id: str
    title: str
    degradation: str
    value: float
    low: float
    high: float
    n: int
    unit: str
    better: str  # lower, higher, zero
    wanted: float | None = None
    met: bool | None = None

    @property
    def estimate(self) -> Estimate:
        return Estimate(self.value, self.low, self.high, self.n)


@dataclass(frozen=True)
class Results:
    schema: str
    gendeg: str
    created: str
    seconds: float
    model: dict[str, Any]
    settings: dict[str, Any]
    thresholds: dict[str, float]
    headline: list[Headline] = field(default_factory=list)
    calibration: dict[str, dict[str, Calibration]] = field(default_factory=dict)  # by arm
    structure: dict[str, dict[str, Structure]] = field(default_factory=dict)  # by arm
    autoencoder: AutoencoderLimit | None = None
    realism: dict[str, dict[str, Realism]] | None = None  # by measure
    diversity: dict[str, Diversity] | None = None
    change: dict[str, Change] | None = None
    recognition: Recognition | None = None
    failures: list[Failure] = field(default_factory=list)


# --- files ---


def write_evaluation(folder: Path, results: Results, samples: list[Sample]) -> None:
    write_jsonl(folder / SAMPLES, map(as_row, samples))
    write_json(folder / RESULTS, as_row(results))


def read_results(folder: Path) -> Results:
    """Raises `MissingPath`, and `BadManifest` for what is no evaluation of this version."""
    path = folder / RESULTS
    row = read_json_object(path)
    if row.get("schema") != SCHEMA:
        reason = f"an evaluation of another version ({row.get('schema')!r}, not {SCHEMA})"
        raise BadManifest(path, 0, reason, "evaluate again")
    try:
        return from_row(Results, row)
    except (KeyError, TypeError, AttributeError, GendegError) as error:
        raise BadManifest(path, 0, f"not as gendeg evaluate writes it ({error!r})", "evaluate again") from error


def read_samples(folder: Path) -> list[Sample]:
    """Raises `MissingPath`, and `BadManifest` with the line that is no sample."""
    path, samples = folder / SAMPLES, []
    for number, row in read_numbered_jsonl(path):
        try:
            samples.append(from_row(Sample, {"verdict": "", "message": "", "metrics": {}} | row))
        except (KeyError, TypeError, AttributeError, GendegError) as error:
            raise BadManifest(path, number, f"not a sample of an evaluation ({error})") from error
    return samples


def as_row(one: Any) -> Any:
    """As it stands in a file: fields that are None are left out."""
    if isinstance(one, Estimate | Record | Failure):
        return one.as_row()
    if is_dataclass(one):
        values = {each.name: getattr(one, each.name) for each in fields(one)}
        return {name: as_row(value) for name, value in values.items() if value is not None}
    if isinstance(one, Mapping):
        return {name: as_row(value) for name, value in one.items()}
    return [as_row(value) for value in one] if isinstance(one, list) else one


def from_row(kind: Any, row: Any) -> Any:
    """The inverse of `as_row`; what is not known is left out. Raises `TypeError` for what is missing."""
    if kind in (Record, Failure):
        return kind.from_row(row)
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        return kind(**{name: from_row(hint, row[name]) for name, hint in hints.items() if name in row})  # type: ignore[operator]
    outer, inner = get_origin(kind), get_args(kind)
    if outer is dict:
        return {name: from_row(inner[1], value) for name, value in row.items()}
    if outer is list:
        return [from_row(inner[0], value) for value in row]
    return from_row(inner[0], row) if outer is UnionType else row
