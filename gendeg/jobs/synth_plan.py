"""What `gendeg synth` will write, decided before any model is loaded (and without torch)."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from gendeg.configs import SynthConfig
from gendeg.jobs.evaluate_photos import listed_photos, pictures_in
from gendeg.jobs.requests import Request, request_intensity, request_statistics
from gendeg.jobs.sample_photos import sample_photos
from gendeg.primitives.errors import OutputExists
from gendeg.primitives.files import output_stems
from gendeg.primitives.kinds import KNOWN, mix_name, parse_mixes
from gendeg.primitives.records import DECIMALS

WRITTEN = re.compile(rf".+\.({'|'.join(re.escape(mix_name(mix)) for mix in KNOWN)})\.[im]\d+\.s\d+\.(png|jpg|webp)")
"""Names of the pictures that `synth` writes, which no camera gives."""
RECORDS, SHEET = "records.jsonl", "sheet.png"


@dataclass(frozen=True)
class Sample:
    """One image to make: what is asked, with which seed, and where it goes."""

    request: Request
    seed: int
    key: str
    path: Path


@dataclass(frozen=True)
class PhotoPlan:
    """One photo and all the samples that are made of it."""

    photo: Path
    samples: tuple[Sample, ...]


@dataclass(frozen=True)
class Plan:
    """Everything a run will write, known before a model is loaded."""

    photos: tuple[PhotoPlan, ...]
    records: Path
    sheet: Path

    @property
    def samples(self) -> list[Sample]:
        return [sample for photo in self.photos for sample in photo.samples]


def plan_synthesis(config: SynthConfig) -> Plan:
    """Decide every sample.

    Raises `BadOption`, `UnknownDegradation`, `MissingPath`, `NoImages`, and `OutputExists` when a file that would be
    written is there already.
    """
    requests = plan_requests(config)
    paths, _ = listed_photos(config.paths or sample_photos(), None)
    found = pictures_in(paths, lambda path: _is_own(path, config.out))
    photos = []
    for one, stem in zip(found, output_stems(found), strict=True):
        samples = [
            _place(request, config.seed + variant, stem, config)
            for request in requests
            for variant in range(config.variants)
        ]
        photos.append(PhotoPlan(one.path, tuple(samples)))
    plan = Plan(tuple(photos), config.out / RECORDS, config.out / SHEET)
    if not config.overwrite:
        existing = [path for path in (plan.records, plan.sheet, *(s.path for s in plan.samples)) if path.exists()]
        if existing:
            raise OutputExists(existing[0])
    return plan


def plan_requests(config: SynthConfig) -> list[Request]:
    """Every degradation at every intensity, or at the statistics given instead."""
    mixes = parse_mixes(config.types)
    if config.mu is not None:
        return [request_statistics(mix, config.mu, config.sigma, config.caption, config.priors) for mix in mixes]
    asked = [(mix, q) for mix in mixes for q in _distinct(config.intensities)]
    return [request_intensity(mix, q, config.caption, config.priors) for mix, q in asked]


def _distinct(intensities: tuple[float, ...]) -> list[float]:
    """Each once, at the precision of records and file names: two that share a name would overwrite each other."""
    return list(dict.fromkeys(round(q, DECIMALS) for q in intensities))


def _is_own(path: Path, out: Path) -> bool:
    """Whether a picture found in a folder is what an earlier run wrote into `out`: it is not degraded a second time."""
    if os.path.realpath(path.parent) != os.path.realpath(out):
        return False
    return bool(WRITTEN.fullmatch(path.name)) or (path.name in (SHEET, RECORDS) and (out / RECORDS).is_file())


def _place(request: Request, seed: int, stem: str, config: SynthConfig) -> Sample:
    """`<stem>.<type>.i060.s0.png`: intensity in hundredths (finer where it is), or mu in ten-thousandths."""
    name = mix_name(request.mix)
    if config.mu is None:
        coarse = round(request.intensity, 2) == request.intensity
        strength = "i" + f"{request.intensity:.{2 if coarse else 6}f}".replace(".", "")
    else:
        strength = f"m{round(request.mu * 1e4):04d}"
    path = config.out / f"{stem}.{name}.{strength}.s{seed}.{config.format}"
    return Sample(request, seed, f"{stem}-{name.replace('+', '-')}-{strength}-s{seed}", path)
