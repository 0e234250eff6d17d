"""The pair manifest: one JSON line per (clean, degraded) pair."""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from gendeg.intensity.measure import Intensity
from gendeg.primitives.errors import BadManifest, GendegError, NoPairs
from gendeg.primitives.files import read_numbered_jsonl, write_jsonl
from gendeg.primitives.kinds import mix_name, parse_mix

SPLITS = ("train", "validation", "test")
HELD_OUT = ("test", "validation", "train")
"""A clean photo that appears in several splits belongs to the first of these."""


@dataclass(frozen=True)
class Pair:
    """One line. Paths are relative to the manifest's folder; mu and sigma were measured on the stored files."""

    clean: str
    degraded: str
    degradation: str
    source: str
    split: str
    caption: str
    mu: float
    sigma: float
    width: int
    height: int

    @property
    def intensity(self) -> Intensity:
        return Intensity(self.mu, self.sigma)


def write_manifest(path: Path, pairs: Iterable[Pair]) -> None:
    """The whole manifest at once, atomically."""
    write_jsonl(path, (asdict(pair) for pair in pairs))


def read_manifest(path: Path) -> list[Pair]:
    """Every pair. Raises `BadManifest` naming the line, or `NoPairs` when there is none."""
    pairs = [_parse(path, number, row) for number, row in read_numbered_jsonl(path)]
    if not pairs:
        raise NoPairs(path)
    return pairs


def by_degradation_and_source(pairs: Iterable[Pair]) -> dict[tuple[str, str], list[Pair]]:
    """Groups sorted by (degradation, source)."""
    groups: dict[tuple[str, str], list[Pair]] = defaultdict(list)
    for pair in pairs:
        groups[pair.degradation, pair.source].append(pair)
    return dict(sorted(groups.items()))


def _parse(path: Path, number: int, row: dict[str, object]) -> Pair:
    names = {field.name for field in fields(Pair)}
    if set(row) != names:
        odd = ", ".join(sorted(set(row) ^ names))
        raise BadManifest(path, number, f"a pair has the fields {', '.join(sorted(names))}; not right: {odd}")
    for field in fields(Pair):
        wanted = (int, float) if field.type is float else field.type
        if not isinstance(row[field.name], wanted) or isinstance(row[field.name], bool):  # type: ignore[arg-type]
            raise BadManifest(path, number, f"'{field.name}' must be a {field.type.__name__}")  # type: ignore[union-attr]
    try:
        mix = parse_mix(str(row["degradation"]))
    except GendegError as error:
        raise BadManifest(path, number, str(error)) from error
    if row["split"] not in SPLITS:
        raise BadManifest(path, number, f"split must be one of {', '.join(SPLITS)}")
    if not re.fullmatch(r"\w[\w .+-]*", str(row["source"])):  # it names a file of priors
        raise BadManifest(path, number, "source must be a plain name: letters, digits, spaces, '_', '.', '+' and '-'")
    pair = Pair(**row | {"degradation": mix_name(mix)})  # type: ignore[arg-type]
    if not (0 <= pair.mu <= 1 and 0 <= pair.sigma <= 1 and pair.width > 0 and pair.height > 0):
        raise BadManifest(path, number, "mu and sigma must lie in [0, 1], width and height above 0")
    return pair
