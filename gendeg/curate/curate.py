"""gendeg curate: what there is to learn in backgrounds and in degradations, and pairs chosen so that it is balanced."""

import os
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from gendeg.curate.autoencoder import train_measure
from gendeg.curate.config import CurateConfig
from gendeg.curate.export import Export, exported_bytes
from gendeg.curate.measure import Cache, Candidate, Measured, measure_all
from gendeg.curate.select import HELD_OUT, KEPT, parse_ranges, select
from gendeg.curate.table import describe, tabulate
from gendeg.metrics.complexity import MEASURES, mean_ranks
from gendeg.pairs.pair import GENERATED, Pair, measured, open_pairs, write_manifest
from gendeg.pairs.split import SPLITS
from gendeg.primitives.errors import BadOption, NoPairs
from gendeg.primitives.files import ensure_writable, refuse_existing, sha256_lines, write_json, write_jsonl
from gendeg.primitives.folders import says
from gendeg.primitives.quantities import say_bytes

SCHEMA = "gendeg-curate-1"
MANIFEST_ENDING = ".jsonl"
UNREADABLE = "cannot be measured"
MOST_MESSAGES = 20
EVEN = 1.05  # counts that differ by less need no weights


@dataclass(frozen=True)
class Curated:
    """What was chosen: all pairs that could be measured, why each is dropped ("" or held out: kept), and the rest."""

    candidates: list[Candidate]
    reasons: list[str]
    bad: list[tuple[Pair, str]]
    report: dict[str, Any]
    manifest: Path

    @property
    def kept(self) -> list[Candidate]:
        return [one for one, why in zip(self.candidates, self.reasons, strict=True) if why in (KEPT, HELD_OUT)]


def curate(config: CurateConfig) -> Curated:
    """Measure every pair, choose, and write the manifest, `.report.json` and `.dropped.jsonl` beside it.

    Measurements lie in `.measures.jsonl` (or `config.measures`): the same command, or another choice, goes on there.
    Raises `BadOption`, `OutputExists`, `ForeignFolder`, `MissingPath`, `NoPairs`, `BadManifest`, `NotADataset`,
    `OutputNotWritable`.
    """
    _check(config)
    places = _pairs(config)
    export = _export(config)
    export.check(places)
    ensure_writable(config.out.parent)
    found = _measure(config, places)
    bad = [(one, why) for one, why in zip(places, found, strict=True) if isinstance(why, str)]
    candidates = score([(one, m) for one, m in zip(places, found, strict=True) if isinstance(m, Measured)])
    if not candidates:
        raise NoPairs(config.data[0], "readable pairs")
    mine = [i for i, one in enumerate(candidates) if one.pair.split == config.split]
    if not mine:
        raise NoPairs(config.data[0], f"pairs of split {config.split}")
    reasons = [HELD_OUT] * len(candidates)
    for i, why in zip(mine, select([candidates[i] for i in mine], config), strict=True):
        reasons[i] = why
    if not any(reasons[i] == KEPT for i in mine):
        raise BadOption("--range", f"no pair of split {config.split} is left; widen it")
    curated = Curated(candidates, reasons, bad, _report(config, candidates, reasons, bad), config.out)
    _write(config, curated, export)
    return curated


def _pairs(config: CurateConfig) -> list[Pair]:
    """Every pair, once, however often a place is named. Those that were generated say so before their prior's name."""
    once: dict[str, Pair] = {}
    for one in open_pairs(config.data):
        once.setdefault(one.name, one)
    return [
        replace(one, source=f"{GENERATED}-{one.source}") if one.origin == GENERATED else one
        for one in measured(list(once.values()))
    ]


def _export(config: CurateConfig) -> Export:
    """Where images go. Those of an earlier run lie there already when its report does."""
    ours = config.overwrite and says(config.out.with_suffix(".report.json"), "schema") == SCHEMA
    return Export(config.out, config.copy, ours)


def _check(config: CurateConfig) -> None:
    if config.out.suffix != MANIFEST_ENDING:
        raise BadOption("--out", f"must end in {MANIFEST_ENDING}: it is a pair manifest")
    if config.balance and (config.samples or config.backgrounds):
        raise BadOption("--balance", "finds the number of backgrounds itself; leave --samples and --backgrounds out")
    if not 0 < config.simplest <= 1:
        raise BadOption("--simplest", f"must lie in (0, 1], got {config.simplest:g}")
    if config.split not in SPLITS:
        raise BadOption("--split", f"'{config.split}' is none of {', '.join(SPLITS)}")
    parse_ranges(config.ranges)
    beside = [config.out.with_suffix(ending) for ending in (".dropped.jsonl", ".report.json")]
    refuse_existing(config.overwrite, config.out, *beside)
    if any(os.path.abspath(place) == os.path.abspath(config.out) for place in config.data):
        raise BadOption("--out", f"{config.out} is what is read; choose another name")


def _measure(config: CurateConfig, places: Sequence[Pair]) -> list[Measured | str]:
    """The autoencoder is trained only when a pair is new, and is part of what makes a measurement another one."""
    names = sha256_lines(sorted(one.name for one in places))
    settings = {"steps": config.autoencoder_steps, "seed": config.seed,
                "pairs": names if config.autoencoder_steps else ""}  # fmt: skip
    cache = Cache(config.measures or config.out.with_suffix(".measures.jsonl"), settings)
    errors = None
    if config.autoencoder_steps and any(cache.get(one) is None for one in places):
        errors = train_measure(places, config.autoencoder_steps, config.seed)
    return measure_all(places, cache, errors, config.workers, config.progress)


def score(pairs: Sequence[tuple[Pair, Measured]]) -> list[Candidate]:
    """Combined scores: backgrounds and layers ranked together; of a photo's views the mean."""
    if not pairs:
        return []
    ranks = mean_ranks(np.array([m.background for _, m in pairs] + [m.layer for _, m in pairs]))
    views: dict[str, list[float]] = defaultdict(list)
    for (pair, _), rank in zip(pairs, ranks, strict=False):
        views[pair.photo].append(float(rank))
    return [
        Candidate(pair, measured, float(np.mean(views[pair.photo])), float(ranks[len(pairs) + i]))
        for i, (pair, measured) in enumerate(pairs)
    ]


# --- what is written ---


def _report(
    config: CurateConfig, candidates: Sequence[Candidate], reasons: Sequence[str], bad: Sequence[tuple[Pair, str]]
) -> dict[str, Any]:
    kept = [one for one, why in zip(candidates, reasons, strict=True) if why in (KEPT, HELD_OUT)]
    chosen = [one for one, why in zip(candidates, reasons, strict=True) if not why]
    dropped = Counter(why for why in reasons if why not in (KEPT, HELD_OUT)) + Counter({UNREADABLE: len(bad)})
    settings = {name: str(value) if isinstance(value, Path) else value for name, value in asdict(config).items()}
    return {
        "schema": SCHEMA,
        "settings": settings | {"data": [str(place) for place in config.data], "ranges": list(config.ranges)},
        "measures": list(MEASURES[: len(candidates[0].measured.layer)]),
        "pairs": len(candidates) + len(bad),
        "kept": len(kept),
        "held_out": len(kept) - len(chosen),
        "dropped": sum(dropped.values()),
        "reasons": dict(sorted(dropped.items())),
        "weights": even_weights(chosen),
        "bytes": exported_bytes([one.pair for one in kept], config.copy),
        "before": describe([one for one in candidates if one.pair.split == config.split]),
        "after": describe(chosen),
    }


def even_weights(chosen: Sequence[Candidate]) -> str:
    """For --weights of a training: every degradation is drawn equally often. Empty when they nearly are already."""
    counts = Counter(one.degradation for one in chosen)
    most = max(counts.values(), default=0)
    if not counts or most <= EVEN * min(counts.values()):
        return ""
    return ",".join(f"{kind}={most / count:.4g}" for kind, count in sorted(counts.items()))


def _write(config: CurateConfig, curated: Curated, export: Export) -> None:
    """Images first, the manifest last: it stands for the rest."""
    pairs = list(export.pairs([one.pair for one in curated.kept]))
    rows = [_dropped(pair, f"{UNREADABLE}: {why}") for pair, why in curated.bad]
    for one, why in zip(curated.candidates, curated.reasons, strict=True):
        if why not in (KEPT, HELD_OUT):
            rows.append(_dropped(one.pair, why))
    write_jsonl(config.out.with_suffix(".dropped.jsonl"), rows)
    write_json(config.out.with_suffix(".report.json"), curated.report)
    write_manifest(config.out, pairs)


def _dropped(pair: Pair, reason: str) -> dict[str, str]:
    return {"name": pair.name, "degradation": pair.degradation, "source": pair.source, "reason": reason}


# --- what is said ---


def say(curated: Curated) -> tuple[str, list[str]]:
    """The table (of all, and of what was chosen where that is less), and lines for stderr."""
    report = curated.report
    table = tabulate(report["before"])
    if report["dropped"]:
        table += "\n\nchosen:\n" + tabulate(report["after"])
    talk = [f"gendeg: {why}" for _, why in curated.bad[:MOST_MESSAGES]]
    talk += [f"{count} dropped: {reason}" for reason, count in report["reasons"].items()]
    low = [f"{row['degradation']} ({row['source']})" for row in report["after"] if row["bits"] < 1]
    if low:
        talk.append(
            f"backgrounds hold more than the degradations of {', '.join(low)}: ask for fewer --backgrounds, or make "
            "more and stronger degradations of the same photos (gendeg pairs simulate --per-image)"
        )
    if report["weights"]:
        talk.append(f"to draw all degradations equally often: gendeg restore train … --weights {report['weights']}")
    if report["bytes"]:
        talk.append(f"images written to {curated.manifest.with_suffix('')}/: {say_bytes(report['bytes'])}")
    talk.append(f"{report['kept']} of {report['pairs']} pairs in {curated.manifest} ({report['held_out']} held out)")
    return table, talk
