"""gendeg pairs ingest: pairs that exist already → a checked manifest; what is no good is kept out with its reason."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from gendeg.intensity.measure import measure_intensity
from gendeg.metrics.alignment import SURE, find_shift
from gendeg.pairs.candidates import Candidate, find_candidates
from gendeg.pairs.config import IngestConfig
from gendeg.pairs.pair import Pair, listed, write_manifest
from gendeg.pairs.sources import Lonely
from gendeg.pairs.split import HELD_OUT, LEAK, parse_split, split_of
from gendeg.primitives.errors import BadImage, NoPairs
from gendeg.primitives.files import atomic_write, refuse_existing, sha256_bytes, write_jsonl
from gendeg.primitives.folders import claim
from gendeg.primitives.images import U8Image, encode_image, read_header, read_rgb
from gendeg.primitives.lock import held
from gendeg.primitives.parallel import in_order, per_core
from gendeg.primitives.pictures import count_reasons
from gendeg.primitives.progress import track
from gendeg.primitives.records import Failure, refuse_foreign_failures
from gendeg.prompts import words

INGEST = "pairs ingest"  # the mark of the folders that it copies halves to
SIZE_MISMATCH, IDENTICAL, MISALIGNED = "size_mismatch", "identical", "misaligned"
LACKS = "no_{}"
"""no_clean, no_degraded: a half without the other."""


@dataclass(frozen=True)
class Ingested:
    """The manifest, how many pairs it holds, and what was kept out."""

    manifest: Path
    pairs: list[Pair]
    failures: list[Failure]

    @property
    def reasons(self) -> dict[str, int]:
        return count_reasons(failure.failed for failure in self.failures)


@dataclass(frozen=True)
class Checked:
    """A good pair, and the hash of its clean half."""

    pair: Pair
    clean_sha256: str


def ingest(config: IngestConfig) -> Ingested:
    """Write `manifest.jsonl` and `failures.jsonl` into `out`. Files of folders stay where they are.

    Raises `OutputExists`, `ForeignFolder`, `FolderInUse`, `UnknownSource`, `BadOption`, `MissingPath`, and `NoPairs`
    when none is good.
    """
    manifest = config.out / "manifest.jsonl"
    refuse_existing(config.overwrite, manifest)
    refuse_foreign_failures(config.out / "failures.jsonl")
    shares = parse_split(config.split)
    candidates, lonely = find_candidates(config.root, config.source, config.type, config.degraded, config.clean,
                                         config.side_by_side)  # fmt: skip
    with held(config.out):
        refuse_existing(config.overwrite, manifest)  # of another run that has ended since
        return _ingest(config, candidates, lonely, shares, manifest)


def _ingest(
    config: IngestConfig, candidates: list[Candidate], lonely: list[Lonely], shares: dict[str, float], manifest: Path
) -> Ingested:
    _claim_copies(config, candidates)
    failures = [
        _failure(one.path, LACKS.format(one.lacks), f"{one.path}: its {one.lacks} half is missing") for one in lonely
    ]
    good: list[Checked] = []
    threads = per_core(config.workers)
    results = in_order(partial(check, config, shares), candidates, threads)
    for result in track(results, "checking pairs", total=len(candidates), wanted=config.progress):
        good.append(result) if isinstance(result, Checked) else failures.append(result)
    kept, leaks = _without_leaks(good)
    failures += leaks
    write_jsonl(config.out / "failures.jsonl", (failure.as_row() for failure in failures))
    if not kept:
        raise NoPairs(manifest, f"good pairs ({config.out / 'failures.jsonl'} has the reasons)")
    write_manifest(manifest, kept)
    return Ingested(manifest, kept, failures)


def _claim_copies(config: IngestConfig, candidates: Iterable[Candidate]) -> None:
    """The folders of halves that are no files of their own: ours, or new. Raises `ForeignFolder`."""
    copied = {half for one in candidates for half, file in one.files.items() if file is None}
    for half in sorted(copied):
        claim(config.out / half, INGEST)


def check(config: IngestConfig, shares: dict[str, float], candidate: Candidate) -> Checked | Failure:
    """Reads both halves and measures them; those of a tar, a dataset or one file are stored below `out`."""
    try:
        clean_data, degraded_data = candidate.read()
        clean, degraded = read_rgb(clean_data), read_rgb(degraded_data)
    except BadImage as error:
        return _failure(candidate.name, error.reason, str(error.named(candidate.name)))
    if clean.shape != degraded.shape:
        sizes = " and ".join(f"{image.shape[1]} x {image.shape[0]}" for image in (clean, degraded))
        return _failure(candidate.name, SIZE_MISMATCH, f"{candidate.name}: the halves have {sizes} pixels")
    mu, sigma = measure_intensity(clean, degraded)
    if mu == 0:
        return _failure(candidate.name, IDENTICAL, f"{candidate.name}: both halves are the same picture")
    shift = find_shift(clean, degraded)
    if shift.peak >= SURE and shift.length > config.longest_shift:
        return _failure(candidate.name, MISALIGNED, f"{candidate.name}: shifted by {shift.length:.0f} pixels")
    sha256 = sha256_bytes(clean.tobytes())
    halves = (("clean", clean_data, clean), ("degraded", degraded_data, degraded))
    places = [_place(config.out, candidate, *half) for half in halves]
    pair = listed(
        config.out,
        clean=places[0],
        degraded=places[1],
        degradation=candidate.degradation,
        source=candidate.source,
        split=candidate.split or split_of(sha256, shares),
        caption=candidate.caption or words().fallback_caption,
        mu=round(mu, 6),
        sigma=round(sigma, 6),
        width=clean.shape[1],
        height=clean.shape[0],
    )
    return Checked(pair, sha256)


def _place(out: Path, candidate: Candidate, half: str, data: bytes, image: U8Image) -> str:
    """The path that the manifest names: of the file itself, or of the copy that is written here."""
    file = candidate.files[half]
    if file is not None:
        return os.path.relpath(os.path.realpath(file), os.path.realpath(out))
    plain = read_header(data).plain
    name = f"{half}/{candidate.stem}.{plain or 'png'}"
    target = out / name
    target.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(target, data if plain else encode_image(image, "png"))
    return name


def _without_leaks(good: Iterable[Checked]) -> tuple[list[Pair], list[Failure]]:
    """A clean photo belongs to one split: what would be trained on and measured with is kept out of training."""
    checked = list(good)
    first: dict[str, str] = {}
    for one in checked:
        before = first.get(one.clean_sha256, one.pair.split)
        first[one.clean_sha256] = min(before, one.pair.split, key=HELD_OUT.index)
    kept, leaks = [], []
    for one in checked:
        belongs = first[one.clean_sha256]
        if one.pair.split == belongs:
            kept.append(one.pair)
        else:
            message = f"{one.pair.degraded.place}: its clean photo is in split {belongs} too"
            leaks.append(_failure(one.pair.degraded.place, LEAK, message))
    return kept, leaks


def _failure(name: str | Path, reason: str, message: str) -> Failure:
    return Failure(key=Path(name).stem, failed=reason, message=message, clean_path=str(name))
