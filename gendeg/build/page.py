"""A dataset's report: the sections of its page, from its marks and indexes, and the pictures of a few samples."""

from collections import Counter

import numpy as np

from gendeg import __version__
from gendeg.build.page_failures import failures_section
from gendeg.build.page_rows import Dataset, Rows, Shown, evenly_ranked, read_dataset, read_shown
from gendeg.build.page_strength import distribution_section, strength_section
from gendeg.pairs.sources import licence_of
from gendeg.primitives.progress import track
from gendeg.primitives.records import ORIGINS
from gendeg.report.cells import strength_notes
from gendeg.report.config import ReportConfig
from gendeg.report.html import Card, Cell, Facts, Page, Section, Sheet, Table, percent, plain

OTHERS = 3  # of existing and simulated pairs a third as many are shown as of generated ones
LEGEND = tuple((origin, origin) for origin in ORIGINS)


def dataset_page(config: ReportConfig) -> Page:
    """Raises `NotADataset`, `DamagedDataset`."""
    data = read_dataset(config.path)
    return Page(
        title=data.layout.root.absolute().name,
        kind="Dataset",
        text=_summary(data),
        tiles=_tiles(data),
        sections=[
            _pairs(config, data),
            strength_section(data),
            distribution_section(data),
            _counts(data),
            failures_section(config, data),
            _provenance(data),
        ],
        warning=_unfinished(data),
        footer=f"Written by gendeg {__version__}. mu and sigma are the mean and the standard deviation of "
        "|clean − degraded| over all pixels and channels, images in [0, 1], measured on the stored images.",
    )


def _summary(data: Dataset) -> str:
    kinds = ", ".join(data.rows.kinds) or "nothing yet"
    return (
        f"Pairs of a clean photograph and its degraded version ({kinds}), made with the model {data.description.model}."
    )


def _tiles(data: Dataset) -> list[tuple[str, str]]:
    rows, failed = data.rows, sum(data.reasons.values())
    made = rows.where(origin="generated")
    size = sum(mark.bytes for _, mark in data.done)
    tiles = [
        (f"{len(rows):,}", "pairs"),
        (f"{data.description.photos:,}", "clean photos"),
        (f"{len(rows.kinds)}", "degradations and mixes"),
        (f"{failed:,} ({percent(failed, len(rows) + failed)})", "planned but failed"),
    ]
    if len(made):
        tiles.append((f"{np.abs(rows.passes.off('mu')).mean():.4f}", "mean |mu measured − asked|"))
        first = int(np.count_nonzero(rows.those(made, "attempt") == 0))
        tiles.append((percent(first, len(made) + failed), "of those planned, made at the first attempt"))
    return [*tiles, (f"{size / 1e9:.2f} GB" if size > 1e9 else f"{size / 1e6:.1f} MB", "in tars")]


def _unfinished(data: Dataset) -> str:
    done, all_of_them = len(data.done), len(data.description.shards)
    if done == all_of_them:
        return ""
    return (
        f"Only {done} of {all_of_them} shards are here (the build is under way, or not all was downloaded). "
        "All numbers are of those."
    )


# --- pictures ---


def _pairs(config: ReportConfig, data: Dataset) -> Section:
    rows, fewer = data.rows, max(1, config.pictures // OTHERS)
    chosen: list[int] = []
    for kind in rows.kinds:
        for origin in ORIGINS:
            here = rows.where(degradation=kind, origin=origin)
            count = config.pictures if origin == "generated" else fewer
            chosen += here[evenly_ranked(rows.those(here, "mu"), count)].tolist() if len(here) else []
    shown = read_shown(data.layout, data.description, rows, np.array(chosen, np.int64), config.picture_size)
    cards = [_card(one) for one in track(shown, "reading pictures", len(chosen), config.progress)]
    text = (
        f"{len(cards):,} of {len(rows):,} pairs, chosen by rule and not by hand: the generated samples of each "
        f"degradation are put in the order of their measured mu, and up to {config.pictures} at evenly spaced ranks "
        f"are shown, the weakest and the strongest among them; of existing and simulated pairs {fewer}. "
        f"Pictures are scaled to at most {config.picture_size} pixels. Move the line with the pointer, a finger, or "
        "the arrow keys."
    )
    return Section("pairs", "Contact sheet", [text], [Sheet(cards, controls=True)])


def _card(one: Shown) -> Card:
    record = one.entry.record
    generated = record.origin == "generated"
    notes = strength_notes(record, generated)
    if one.clean is None or one.degraded is None:
        notes.append("an image of it cannot be read: run gendeg verify")
    facts = [(name, plain(value)) for name, value in record.as_row().items() if name not in ("schema", "prompt")]
    return Card(
        title=f"{record.degradation} · " + (f"intensity {record.intensity:.2f}" if generated else record.source),
        notes=notes,
        degradation=record.degradation,
        origin=record.origin,
        clean=one.clean,
        degraded=one.degraded,
        facts=[
            ("stored in", one.shard),
            ("prompt (caption shortened)" if record.shortened else "prompt", record.prompt),
            *facts,
        ],
        rank=record.mu,
    )


# --- counts ---


def _counts(data: Dataset) -> Section:
    rows = data.rows
    origins = [origin for origin in ORIGINS if len(rows.where(origin=origin))]
    splits = [split for split in ("train", "validation", "test") if len(rows.where(split=split))]
    most = max((len(rows.where(degradation=kind)) for kind in rows.kinds), default=1)
    lines: list[list[Cell | str]] = []
    for kind in rows.kinds:
        counts = [len(rows.where(degradation=kind, origin=origin)) for origin in origins]
        bar = Cell(bars=[(origin, count / most) for origin, count in zip(origins, counts, strict=True)])
        parts = [len(rows.where(degradation=kind, split=split)) for split in splits]
        lines.append([kind, bar, *(f"{count:,}" for count in (*counts, sum(counts), *parts))])
    totals = [len(rows.where(origin=o)) for o in origins] + [len(rows)] + [len(rows.where(split=s)) for s in splits]
    lines.append(["all", "", *(f"{count:,}" for count in totals)])
    columns = ["degradation", "", *origins, "in all", *splits]
    legend = [entry for entry in LEGEND if entry[0] in origins]
    table = Table("Pairs by degradation, origin and split", columns, lines, legend)
    text = (
        "Generated: made by the model. Existing: pairs that were put beside them. Simulated: such pairs out of "
        "gendeg's simple physics."
    )
    return Section("counts", "Counts", [text], [table])


# --- provenance ---


def _provenance(data: Dataset) -> Section:
    description, settings = data.description, dict(data.description.settings)
    seed, licence = (str(settings.pop(name, "")) for name in ("seed", "license"))
    told = [f"{name} {plain(value)}" for name, value in settings.items() if value not in ("", None)]
    facts = [
        ("model", description.model),
        ("SHA-256 of the model", description.model_sha256),
        ("fingerprint of the build", description.fingerprint),
        ("plan", description.plan_sha256),
        ("seed", seed),
        ("licence of the dataset", licence),
        ("made with", ", ".join(f"{name} {version}" for name, version in description.made_with.items())),
        ("settings", ", ".join(told)),
        ("shards", f"{len(data.done):,} of {len(description.shards):,}"),
    ]
    text = "The fingerprint is taken over model, settings, photos and plan: equal fingerprints, equal bytes."
    return Section("provenance", "Provenance", [text], [Facts(facts), _sources(data.rows)])


def _sources(rows: Rows) -> Table:
    words = zip(*(rows.words[name].tolist() for name in ("origin", "source", "degradation")), strict=True)
    lines = []
    counted = sorted(Counter(words).items(), key=lambda item: (ORIGINS.index(item[0][0]), item[0]))
    for (origin, source, kind), count in counted:
        licence, homepage = _licence(source, origin)
        lines.append([source, origin, kind, f"{count:,}", licence, homepage])
    columns = ["source", "origin", "degradation", "pairs", "licence", "homepage"]
    return Table("Sources: of the priors (generated) and of the pairs themselves", columns, lines)


def _licence(source: str, origin: str) -> tuple[str, str]:
    if origin == "generated":
        return "only its statistics were used, none of its files", ""
    if origin == "simulated" and source == "simulated":
        return "that of the clean photos: degraded by gendeg pairs simulate", ""
    return licence_of(source)
