"""The GenDeg authors' JSON histograms (their `data/<degradation>/`) → priors that draw as their code draws.

For each source a folder holds three files, all over the bins of `intensity/bins.py`:

- `Mu_<source>.json`: [{"Mu min", "Mu max", "Count", "Dataset"}, …], the source's own counts of mu;
- `Mu-Sigma-_<source>.json` (also without the underscore): [{"Mu range": "0.000 - 0.005", "Count": [{"Sigma min",
  "Sigma max", "Count"}, …], "Dataset"}, …], counts of sigma in each bin of mu. In the published files these are the
  counts of *all* sources of that degradation, the same in every file, so they say p(sigma | mu) and not how many;
- `Sigma_<source>.json`: as the first, of sigma. Their code draws from it only what it draws evenly; here it is a check.
"""

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from gendeg.intensity.bins import MU_BINS, SIGMA_BINS, Bins
from gendeg.intensity.priors import Prior
from gendeg.primitives.errors import BadManifest, GendegError, MissingPath
from gendeg.primitives.files import read_bytes
from gendeg.primitives.kinds import mix_name, parse_mix

JOINT = re.compile(r"Mu-Sigma-_?.+\.json")
DECIMALS = 12  # of a share of a pair
Counts = Float[np.ndarray, " bins"]
Table = Float[np.ndarray, "mu sigma"]


@dataclass(frozen=True)
class Published:
    """The histograms of one source. `sigma` is None when its own file is not there."""

    degradation: str
    source: str
    mu: Counts
    given_mu: Table  # each row with a count sums to 1
    sigma: Counts | None

    @property
    def mean_mu(self) -> float:
        return _mean(self.mu, MU_BINS)

    @property
    def mean_sigma(self) -> float:
        """Of the source's own histogram, or as drawn where that is not there."""
        return self.mean_drawn_sigma if self.sigma is None else _mean(self.sigma, SIGMA_BINS)

    @property
    def mean_drawn_sigma(self) -> float:
        """What drawing sigma given mu comes to: other sources had a say in it."""
        return _mean(self.mu @ self.given_mu, SIGMA_BINS)

    def prior(self, weight: float, degradation: str = "") -> Prior:
        """mu as the source has it, sigma given mu (and evenly) as the published code draws it."""
        joint = self.mu[:, None] * self.given_mu
        counts = {(int(m), int(s)): round(float(joint[m, s]), DECIMALS) for m, s in np.argwhere(joint)}
        seen = np.flatnonzero(joint.sum(axis=0) if self.sigma is None else self.sigma)
        return Prior(degradation or self.degradation, self.source, weight, counts, (int(seen[0]), int(seen[-1])))


def read_published(folder: Path) -> tuple[list[Published], list[Path]]:
    """Every source in `folder` and below, sorted, and the JSON files there that belong to none.

    The degradation is the name of the folder that the files lie in. Raises `MissingPath`, and `BadManifest` for files
    that are not as above, or when there are none.
    """
    if not folder.is_dir():
        raise MissingPath(folder)
    files = sorted(folder.rglob("*.json"), key=os.fsencode)
    joints = [path for path in files if JOINT.fullmatch(path.name)]
    if not joints:
        reason = "no Mu-Sigma-*.json in it; give the folder that holds the authors' haze/, rain/ …"
        raise BadManifest(folder, 0, reason, "")
    used: set[Path] = set()
    found = [_read_source(path, used) for path in joints]
    names = [(one.degradation, one.source) for one in found]
    for path, name in zip(joints, names, strict=True):
        if names.count(name) > 1:
            raise BadManifest(path, 0, f"{name[1]} is there twice for {name[0]}")
    return sorted(found, key=lambda one: (one.degradation, one.source)), [path for path in files if path not in used]


def _read_source(path: Path, used: set[Path]) -> Published:
    degradation = _degradation(path)
    rows = _rows(path, MU_BINS.count)
    source = _dataset(path, rows)
    mu_path, sigma_path = (path.with_name(f"{name}_{source}.json") for name in ("Mu", "Sigma"))
    given = np.array([_counts(path, row.get("Count"), "Sigma", SIGMA_BINS) for row in rows])
    for number, row in enumerate(rows):
        _check_range(path, number, row.get("Mu range"))
    mu = _histogram(mu_path, source, "Mu", MU_BINS)
    empty = np.flatnonzero((mu > 0) & (given.sum(axis=1) == 0))
    if mu.sum() == 0 or len(empty):
        where = f"no sigma for the pairs whose mu lies in bin {empty[0]}" if len(empty) else "no pairs"
        raise BadManifest(path, 0, f"{where} ({mu_path.name} counts {mu.sum():.0f} pairs)")
    used |= {path, mu_path, sigma_path}
    sigma = _histogram(sigma_path, source, "Sigma", SIGMA_BINS) if sigma_path.is_file() else None
    if sigma is not None and sigma.sum() != mu.sum():
        raise BadManifest(sigma_path, 0, f"counts {sigma.sum():.0f} pairs where {mu_path.name} counts {mu.sum():.0f}")
    shares = given / np.maximum(given.sum(axis=1, keepdims=True), 1)
    return Published(degradation, source, mu, shares, sigma)


def _degradation(path: Path) -> str:
    """`motion blur/…` → motion_blur."""
    name = path.parent.absolute().name
    try:
        return mix_name(parse_mix(name.replace(" ", "-")))
    except GendegError as error:
        reason = f"its folder '{name}' should be named after its degradation: {error}"
        raise BadManifest(path, 0, reason, "rename it") from error


def _histogram(path: Path, source: str, what: str, bins: Bins) -> Counts:
    rows = _rows(path, bins.count)
    if _dataset(path, rows) != source:
        raise BadManifest(path, 0, f"is about {_dataset(path, rows)}, not {source}")
    return _counts(path, rows, what, bins)


def _counts(path: Path, rows: object, what: str, bins: Bins) -> Counts:
    """Counts of one histogram. Raises `BadManifest` unless its bins are the ones that the model knows."""
    if not isinstance(rows, list) or len(rows) != bins.count:
        raise BadManifest(path, 0, f"a histogram of {what.lower()} needs {bins.count} bins")
    for number, row in enumerate(rows):
        low, high, count = (row.get(name) if isinstance(row, dict) else None
                            for name in (f"{what} min", f"{what} max", "Count"))  # fmt: skip
        if not (_is_near(low, number * bins.width) and _is_near(high, (number + 1) * bins.width)):
            place = f"{number * bins.width:.6f} to {(number + 1) * bins.width:.6f}"
            raise BadManifest(path, 0, f"{what.lower()} bin {number} is not {place}")
        if not isinstance(count, int) or isinstance(count, bool) or count < 0:
            raise BadManifest(path, 0, f"{what.lower()} bin {number} counts {count!r}, which is no number of pairs")
    return np.array([row["Count"] for row in rows], dtype=np.float64)


def _check_range(path: Path, number: int, text: object) -> None:
    """`"0.005 - 0.011"` of the second bin: three decimals."""
    wanted = (number * MU_BINS.width, (number + 1) * MU_BINS.width)
    try:
        ends = [float(end) for end in str(text).split(" - ")]
    except ValueError:
        ends = []
    if len(ends) != 2 or not all(map(partial(_is_near, within=1e-3), ends, wanted)):
        raise BadManifest(path, 0, f"mu bin {number} is '{text}', not '{wanted[0]:.3f} - {wanted[1]:.3f}'")


def _rows(path: Path, count: int) -> list[Mapping[str, Any]]:
    try:
        rows = json.loads(read_bytes(path))
    except (ValueError, RecursionError) as error:
        raise BadManifest(path, 0, f"not JSON ({error})") from error
    if not isinstance(rows, list) or len(rows) != count or not all(isinstance(row, dict) for row in rows):
        raise BadManifest(path, 0, f"not a list of {count} bins")
    return rows


def _dataset(path: Path, rows: Sequence[Mapping[str, Any]]) -> str:
    """The one source that every bin names; it becomes a file's name."""
    names = {str(row.get("Dataset")) for row in rows}
    if len(names) != 1 or not re.fullmatch(r"\w[\w .+-]*", min(names)) or "Dataset" not in rows[0]:
        raise BadManifest(path, 0, "every bin has to name the same plain 'Dataset'")
    return min(names)


def _is_near(value: object, wanted: float, within: float = 1e-6) -> bool:
    return isinstance(value, int | float) and abs(value - wanted) < within


def _mean(counts: Counts, bins: Bins) -> float:
    """With every pair in the middle of its bin."""
    centres = (np.arange(bins.count) + 0.5) * bins.width
    return float(counts @ centres / counts.sum())
