"""What `gendeg synth` will write, decided before any model is loaded (and, but for --like, without torch)."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from gendeg.intensity.ask import (
    Ask,
    ask_direction,
    ask_intensities,
    ask_statistics,
    intensity_word,
    learnt_by,
    refuse_parts,
    strengths_of,
)
from gendeg.model.loading import check_model
from gendeg.pairs.photo import Photo
from gendeg.pairs.photos import open_photos
from gendeg.primitives.errors import BadOption, IncompleteInstall, OutputExists
from gendeg.primitives.files import refuse_missing
from gendeg.primitives.folders import DEGRADED, RECORDS, SHEET
from gendeg.primitives.kinds import SINGLES, Degradation, parse_mixes, parse_types
from gendeg.primitives.options import PHYSICS, refuse_choices
from gendeg.synth.config import SynthConfig

if TYPE_CHECKING:
    from gendeg.estimator.estimate import Estimate

OWN_PHOTOS = ("china.jpg", "flower.jpg")


@dataclass(frozen=True)
class Sample:
    """One image to make: what is asked, with which seed, and where it goes."""

    ask: Ask
    seed: int
    key: str
    path: Path


@dataclass(frozen=True)
class PhotoPlan:
    """One photo and all the samples that are made of it."""

    photo: Photo
    samples: tuple[Sample, ...]


@dataclass(frozen=True)
class Plan:
    """Everything a run will write, known before a model is loaded."""

    photos: tuple[PhotoPlan, ...]
    records: Path
    sheet: Path
    wish: "Estimate | None" = None  # what was found in the photo of --like

    @property
    def samples(self) -> list[Sample]:
        return [sample for photo in self.photos for sample in photo.samples]


def plan_synthesis(config: SynthConfig) -> Plan:
    """Decide every sample.

    Raises `BadOption`, `UnknownDegradation`, `BadModel`, `MissingPath`, `NoImages`, `OutputExists` when a file that
    would be written is there already, and of the photo of --like what `estimate_file` raises.
    """
    if config.model == PHYSICS:
        guidance = {"guidance_text": config.guidance_text, "guidance_image": config.guidance_image}
        refuse_choices(config.sampler, steps=config.steps, **guidance)
    check_model(config.model)
    wish = _wish(config) if config.like else None
    asks = plan_asks(config) if wish is None else ask_direction([_ask_like(config, wish)], config.direction)
    found = open_photos(config.paths or sample_photos(), skip=lambda path: _is_own(path, config.out), gaps=True)
    seeds = range(config.seed, config.seed + config.variants)
    photos = plan_photos(found, asks, seeds, config.out, config.format, by_mu=not (config.mu is wish is None))
    plan = Plan(photos, config.out / RECORDS, config.out / SHEET, wish)
    if not config.overwrite:
        existing = [path for path in (plan.records, plan.sheet, *(s.path for s in plan.samples)) if path.exists()]
        if existing:
            raise OutputExists(existing[0])
    return plan


def plan_asks(config: SynthConfig) -> list[Ask]:
    """Every degradation at every intensity, or at the statistics given instead."""
    types = config.types or Degradation.HAZE
    learnt, wanted = learnt_by(config.model), parse_types(types)
    if config.mu is None:
        asks = ask_intensities(types, config.intensities, config.caption, config.priors, learnt)
    else:
        for one in wanted:
            refuse_parts(one, learnt)
        asks = [ask_statistics(one.mix, config.mu, config.sigma, config.caption, config.priors) for one in wanted]
    return ask_direction(asks, config.direction)


def _wish(config: SynthConfig) -> "Estimate":
    """What the photo of --like shows; --type goes over what it is taken for."""
    assert config.like is not None
    if config.mu is not None or config.sigma is not None:
        raise BadOption("--like", "tells the strength: it does not go with --mu or --sigma")
    mixes = parse_mixes(config.types) if config.types else []
    if len(mixes) > 1 or not set(mixes) <= set(SINGLES):
        raise BadOption(
            "--type", f"with --like: one of {', '.join(Degradation)}, for of mixes no strength is estimated"
        )
    for place in filter(None, (config.like, config.estimator)):
        refuse_missing(place)
    from gendeg.estimator.estimate import estimate_file  # brings torch

    return estimate_file(config.like, mixes[0][0] if mixes else None, config.estimator)


def _ask_like(config: SynthConfig, wish: "Estimate") -> Ask:
    ask = ask_statistics((wish.degradation,), wish.mu.value, wish.sigma.value, config.caption, config.priors)
    return replace(ask, source=f"like:{wish.photo}")


def plan_photos(
    photos: Sequence[Photo],
    asks: Sequence[Ask],
    seeds: Sequence[int],
    out: Path,
    format: str = "png",
    by_mu: bool = False,
) -> tuple[PhotoPlan, ...]:
    """Every photo with its samples."""
    return tuple(
        PhotoPlan(one, tuple(_place(ask, seed, one.stem, out, format, by_mu) for ask in asks for seed in seeds))
        for one in photos
    )


def with_prompts(samples: Sequence[Sample], rewrite: Callable[[Ask], Ask]) -> tuple[Sample, ...]:
    """Samples that were planned before there was a model, asked in prompts that it reads whole."""
    return tuple(replace(sample, ask=rewrite(sample.ask)) for sample in samples)


def sample_photos() -> tuple[Path, ...]:
    """The photos to take when none are given: the two that scikit-learn ships, found without importing it.

    Raises `IncompleteInstall` when they are not there.
    """
    spec = find_spec("sklearn")
    folders = [Path(place) / "datasets" / "images" for place in (spec.submodule_search_locations or [])] if spec else []
    paths = tuple(folder / name for folder in folders for name in OWN_PHOTOS if (folder / name).is_file())
    if not paths:
        raise IncompleteInstall("scikit-learn's sample photographs", folders)
    return paths


def _is_own(path: Path, out: Path) -> bool:
    """Whether a picture found in a folder is what an earlier run wrote into `out`: it is not degraded a second time."""
    if os.path.realpath(path.parent) != os.path.realpath(out):
        return False
    return bool(DEGRADED.fullmatch(path.name)) or (path.name in (SHEET, RECORDS) and (out / RECORDS).is_file())


def _place(ask: Ask, seed: int, stem: str, out: Path, format: str, by_mu: bool) -> Sample:
    """`<stem>.<type>.i060.s0.png`: intensity in hundredths (finer where it is), or mu in ten-thousandths.

    `i060-040`: of two parts, in the order of the mix's name.
    """
    strength = f"m{round(ask.mu * 1e4):04d}" if by_mu else intensity_word(*strengths_of(ask))
    key = f"{stem}-{ask.name.replace('+', '_')}-{strength}-s{seed}"
    return Sample(ask, seed, key, out / f"{stem}.{ask.name}.{strength}.s{seed}.{format}")
