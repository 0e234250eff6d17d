"""One degraded photo → what degraded it and how strongly, with how sure that is; or why that cannot be told."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gendeg.estimator.features import features
from gendeg.estimator.network import CLEAN, KINDS, Estimator, Notes, load_estimator, look
from gendeg.intensity.bins import MU_BINS, SIGMA_BINS
from gendeg.pairs.photos import open_photos
from gendeg.primitives.errors import BadOption, NotRecognised
from gendeg.primitives.images import U8Image
from gendeg.primitives.kinds import Degradation

SURE = 0.6
"""Probability of a degradation below which a photo is refused."""
COVERED = 0.9
"""Share of held-out photos of a degradation whose mu lies in the interval."""


LEAST = 0.001
"""mu below which there is nothing to make alike: a quarter of a grey level."""


@dataclass(frozen=True)
class Guess:
    """A number, and the interval in which `COVERED` of such photos have theirs."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ({COVERED:.0%}: {self.low:.3f} to {self.high:.3f})"


@dataclass(frozen=True)
class Estimate:
    """What was found in a photo. `probability` is that of the degradation among the six and none."""

    photo: str
    degradation: Degradation
    probability: float
    mu: Guess
    sigma: Guess

    def __str__(self) -> str:
        sure = f"probability {self.probability:.2f}"
        return f"{self.photo}: {self.degradation} ({sure}), mu {self.mu}, sigma {self.sigma}"

    def as_row(self) -> dict[str, str | float]:
        """Field → value, flat."""
        row: dict[str, str | float] = {"like": self.photo, "degradation": str(self.degradation)}
        return (
            row
            | {"probability": round(self.probability, 6)}
            | {
                f"{name}{ending}": round(value, 6)
                for name, guess in (("mu", self.mu), ("sigma", self.sigma))
                for ending, value in (("", guess.value), ("_low", guess.low), ("_high", guess.high))
            }
        )


def estimate_file(path: Path, kind: Degradation | None = None, weights: Path | None = None) -> Estimate:
    """Of one photo, as `kind` or as what it is taken for.

    Raises `MissingPath`, `BadImage`, `NoImages`, `BadOption` for more than one photo, `BadModel`, `NotRecognised`.
    """
    found = open_photos([path])
    if len(found) != 1:
        raise BadOption("--like", f"wants one degraded photo, and {path} holds {len(found)}")
    return estimate(found[0].image(), *load_estimator(weights), found[0].title, kind)


def estimate(photo: U8Image, network: Estimator, notes: Notes, name: str, kind: Degradation | None = None) -> Estimate:
    """Raises `NotRecognised` where nothing is seen, or nothing clearly, unless `kind` says what it is."""
    probabilities, roots = (found[0] for found in look(network, notes, features(photo)[None]))
    best = KINDS.index(kind) if kind else int(probabilities[:CLEAN].argmax())
    if (kind is None and probabilities[best] < SURE) or roots[best, 0] ** 2 < LEAST or roots[best, 0] < 0:
        nearest = np.argsort(-probabilities[:CLEAN])[:2]
        likely = {str(KINDS[number]): float(probabilities[number]) for number in nearest}
        raise NotRecognised(name, float(probabilities[CLEAN]), likely, kind or "")
    told = [
        _guess(float(root), reach, high)
        for root, reach, high in zip(
            roots[best], notes.reach[str(KINDS[best])], (MU_BINS.high, SIGMA_BINS.high), strict=True
        )
    ]
    return Estimate(name, KINDS[best], float(probabilities[best]), *told)


def _guess(root: float, reach: float, high: float) -> Guess:
    """From the scale of roots to that of mu, within what can be asked for."""
    value, low, up = (min(max(one, 0.0) ** 2, high) for one in (root, root - reach, root + reach))
    return Guess(value, low, up)
