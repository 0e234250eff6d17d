"""Priors: p(mu), p(sigma | mu) of one source dataset as joint counts by bin (GenDeg, section 3.3)."""

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from operator import index
from pathlib import Path

import numpy as np
from jaxtyping import Float

from gendeg.intensity.bins import MU_BINS, SIGMA_BINS
from gendeg.intensity.measure import Intensity
from gendeg.primitives.errors import BadManifest, GendegError, NoPrior, OutputExists
from gendeg.primitives.files import atomic_write, data_root, ensure_writable, read_json_object, sha256_lines
from gendeg.primitives.kinds import Mix, mix_name

AGAIN = "fit it again (gendeg priors fit), or import it"


@dataclass(frozen=True)
class Prior:
    """Joint counts of one source of one degradation; `counts` maps (mu bin, sigma bin) to pairs seen there.

    Whole numbers where pairs were counted; shares of a pair where only p(sigma | mu) is known (`priors/published.py`).
    """

    degradation: str
    source: str
    weight: float
    counts: dict[tuple[int, int], int] | dict[tuple[int, int], float]
    even_sigma: tuple[int, int] | None = None
    """Of an imported prior: first and last sigma bin of the source's own pairs. It is drawn from as its authors draw:
    sigma from the very row of mu's bin, and evenly from these bins wherever mu is drawn evenly."""

    @property
    def exact(self) -> bool:
        """Whether rows are drawn from as they stand; others are smoothed (`ask.sigma_given`)."""
        return self.even_sigma is not None

    @property
    def pairs(self) -> int:
        return round(sum(self.counts.values()))

    def density(self) -> Float[np.ndarray, "mu sigma"]:
        """Joint probability, shape (128, 128), summing to 1."""
        table = np.zeros((MU_BINS.count, SIGMA_BINS.count))
        for (mu_bin, sigma_bin), count in self.counts.items():
            table[mu_bin, sigma_bin] = count
        return table / table.sum()


def fit_prior(degradation: str, source: str, measured: Iterable[Intensity], weight: float = 1.0) -> Prior:
    """Count measured pairs by bin. Values past the last bin (mu > 0.7, sigma > 0.4) fall into it."""
    counts: dict[tuple[int, int], int] = {}
    for pair in measured:
        mu_bin = int(MU_BINS.index(np.array([min(pair.mu, MU_BINS.high)]))[0])
        sigma_bin = int(SIGMA_BINS.index(np.array([min(pair.sigma, SIGMA_BINS.high)]))[0])
        counts[mu_bin, sigma_bin] = counts.get((mu_bin, sigma_bin), 0) + 1
    if not counts:
        raise ValueError(f"no pairs to fit a prior of {degradation} from {source}")
    return Prior(degradation, source, weight, dict(sorted(counts.items())))


def refuse_other_priors(priors: Iterable[Prior], root: Path, overwrite: bool) -> None:
    """Raises `OutputExists` for the first file in the place of one of them that does not hold the same."""
    for prior in priors:
        path = _prior_path(prior, root)
        if path.exists() and not overwrite and not _holds(path, prior):
            raise OutputExists(path)


def _holds(path: Path, prior: Prior) -> bool:
    try:
        return load_prior(path) == prior
    except GendegError:
        return False


def _prior_path(prior: Prior, root: Path) -> Path:
    return root / prior.degradation / f"{prior.source}.json"


def save_prior(prior: Prior, root: Path) -> Path:
    """Write `<root>/<degradation>/<source>.json` and return its path."""
    path = _prior_path(prior, root)
    triples = [[mu_bin, sigma_bin, count] for (mu_bin, sigma_bin), count in prior.counts.items()]
    record = {
        "degradation": prior.degradation,
        "source": prior.source,
        "weight": prior.weight,
        "pairs": prior.pairs,
        "mu_bins": {"high": MU_BINS.high, "count": MU_BINS.count},
        "sigma_bins": {"high": SIGMA_BINS.high, "count": SIGMA_BINS.count},
        "counts": triples,
    }
    if prior.even_sigma is not None:
        record["even_sigma"] = list(prior.even_sigma)
    ensure_writable(path.parent)
    atomic_write(path, json.dumps(record) + "\n")
    return path


def load_prior(path: Path) -> Prior:
    """Read one prior file. Raises `BadManifest` when it is not one."""
    record = read_json_object(path)
    try:
        counts = {(index(m), index(s)): _number(n) for m, s, n in record["counts"]}
        even = _even_sigma(record["even_sigma"]) if "even_sigma" in record else None
        prior = Prior(str(record["degradation"]), str(record["source"]), float(record["weight"]), counts, even)
        bins = [(float(record[name]["high"]), index(record[name]["count"])) for name in ("mu_bins", "sigma_bins")]
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise BadManifest(path, 0, f"not a prior: {error!r}", AGAIN) from error
    if bins != [(MU_BINS.high, MU_BINS.count), (SIGMA_BINS.high, SIGMA_BINS.count)]:
        raise BadManifest(path, 0, "not a prior: counted in other bins than this version's", AGAIN)
    out_of_range = [c for c in counts if not (0 <= c[0] < MU_BINS.count and 0 <= c[1] < SIGMA_BINS.count)]
    total = sum(counts.values())
    if out_of_range or not 0 < total < math.inf or min(counts.values()) < 0 or not 0 <= prior.weight < math.inf:
        raise BadManifest(path, 0, "not a prior: bins, counts or weight out of range", AGAIN)
    return prior


def load_priors(mix: Mix, root: Path | None = None) -> list[Prior]:
    """All priors of one degradation below `root` (default: the ones packed with gendeg), sorted by source."""
    folder = (root or data_root("manifests") / "priors") / mix_name(mix)
    priors = [load_prior(path) for path in sorted(folder.glob("*.json"))]
    if not priors:
        raise NoPrior(mix_name(mix), folder)
    return priors


def priors_digest(mixes: Iterable[Mix], root: Path | None = None) -> str:
    """SHA-256 over all that a plan draws from: with other priors it would be another plan."""
    texts = [json.dumps([sorted(prior.counts.items()), prior.source, prior.weight, *(prior.even_sigma or ())])
             for mix in mixes for prior in load_priors(mix, root)]  # fmt: skip
    return sha256_lines(texts)


def mixture(priors: list[Prior]) -> Float[np.ndarray, "mu sigma"]:
    """Joint density of several sources by their weights, shape (128, 128), summing to 1."""
    weights = np.array([prior.weight for prior in priors])
    if weights.sum() <= 0:
        raise ValueError("the weights of the priors sum to zero")
    return sum(w * prior.density() for w, prior in zip(weights / weights.sum(), priors, strict=True))


def are_exact(priors: Iterable[Prior]) -> bool:
    """Whether `mixture`'s rows may be drawn from as they stand: all sources are imported ones."""
    return all(prior.exact for prior in priors)


def _even_sigma(value: object) -> tuple[int, int]:
    """Raises `TypeError` or `ValueError` for anything but two bins in order."""
    first, last = map(index, value)  # type: ignore[call-overload]
    if not 0 <= first <= last < SIGMA_BINS.count:
        raise ValueError(f"even_sigma {value}")
    return first, last


def _number(value: object) -> int | float:
    """A count as JSON has it; whole numbers stay whole. Raises `TypeError` for anything else."""
    return value if isinstance(value, float) else index(value)  # type: ignore[arg-type]
