"""gendeg restore eval: a restorer and pairs → results.json, scores.jsonl, page.html and tables."""

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gendeg.metrics.lpips import load_lpips
from gendeg.pairs.pair import Pair, open_pairs
from gendeg.primitives.device import choose_device
from gendeg.primitives.errors import BadImage, CannotRestore, SizesDiffer
from gendeg.primitives.files import atomic_write, ensure_writable, refuse_existing, write_json, write_jsonl
from gendeg.primitives.progress import track
from gendeg.primitives.records import Failure
from gendeg.report.cells import interval, number
from gendeg.report.html import render_page
from gendeg.restore.by_intensity import by_intensity
from gendeg.restore.config import RestoreEvalConfig
from gendeg.restore.loading import network_name, open_restorer
from gendeg.restore.page import COLUMNS, scores_page
from gendeg.restore.score import ScoreRow, restore_and_score, summarise
from gendeg.restore.whole import check_windows

SCHEMA = "gendeg-restoration-1"


def report_restorer(config: RestoreEvalConfig) -> dict[str, Any]:
    """Measure, write and return the results. A pair that cannot be read or restored is a failure among them.

    Raises `OutputExists`, `BadModel`, `BadOption`, `MissingExtra`, `MissingPath`, `NoPairs`.
    """
    check_windows(config.tile, config.overlap)
    target, scores, page = (config.out / name for name in ("results.json", "scores.jsonl", "page.html"))
    refuse_existing(config.overwrite, target, scores, page)
    examples = _limited(open_pairs(config.pairs, config.split, config.seed), config.limit)
    device = choose_device(config.device)
    lpips = load_lpips(Path(config.lpips), device) if config.lpips else None
    restorer = open_restorer(config.model).to(device)
    ensure_writable(config.out)
    rows: list[ScoreRow] = []
    failures: list[Failure] = []
    for example in track(examples, "restoring", total=len(examples), wanted=config.progress):
        try:
            rows.append(restore_and_score(restorer, example, lpips, config.tile, config.overlap))
        except (BadImage, SizesDiffer, CannotRestore) as error:
            failures.append(Failure.of(error, example.photo, degradation=example.degradation))
    results = {
        "schema": SCHEMA, "model": str(config.model), "network": network_name(restorer),
        "pairs": [str(place) for place in config.pairs],
        "split": config.split, "draws": config.draws, "seed": config.seed, "limit": config.limit,
        "summary": summarise(rows, config.draws, config.seed) if rows else [],
        "by_intensity": [one.as_row() for one in by_intensity(rows, config.draws, config.seed)],
        "failures": [failure.as_row() for failure in failures],
    }  # fmt: skip
    write_jsonl(scores, [row.as_row() for row in rows])
    atomic_write(page, render_page(scores_page(results)).encode())
    write_json(target, results)
    return results


def tabulate_scores(summary: Sequence[dict[str, Any]]) -> str:
    """A line for each degradation and source: before → after, and the interval of after. Only what was measured."""
    shown = [column for column in COLUMNS if any(column[0] in row for row in summary)]
    lines = [["degradation", "source", "n", *(title for _, title, _ in shown)]]
    for row in summary:
        cells = [_cell(row, name, digits) for name, _, digits in shown]
        lines.append([row["degradation"], row["source"], str(row["n"]), *cells])
    return _aligned(lines)


def tabulate_intensities(rows: Sequence[dict[str, Any]]) -> str:
    """A line for each score, degradation and level: before → after, the paired gain, and what that means."""
    lines = [["degradation", "score", "intensity", "photos", "before → after", "gain", ""]]
    for row in rows:
        _, title, digits = next(one for one in COLUMNS if one[0] == row["score"])
        for point in row["points"]:
            sides = " → ".join(number(point[side]["value"], digits) for side in ("before", "after"))
            gain = interval(point["gain"], digits, signed=True)
            place = [f"{point['intensity']:.3g}", str(point["photos"])]
            lines.append([row["degradation"], title, *place, sides, gain, point["verdict"]])
    told = [f"{row['degradation']}, {row['score'].upper()}: {row['says']}" for row in rows]
    return "\n".join([_aligned(lines), *told])


def _aligned(lines: Sequence[Sequence[str]]) -> str:
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)


def _cell(row: dict[str, Any], name: str, digits: int) -> str:
    if name not in row:
        return "-"
    return f"{number(row[f'{name}_input']['value'], digits)} → {interval(row[name], digits)}"


def _limited(examples: list[Pair], limit: int) -> list[Pair]:
    """The first of each degradation and source: their order is random already. Levels of a photo go together."""
    seen: Counter[tuple[str, str]] = Counter()
    kept = []
    for example in _series_together(examples) if limit else examples:
        place = example.degradation, example.source
        seen[place] += 1
        if not limit or seen[place] <= limit:
            kept.append(example)
    return kept


def _series_together(examples: Sequence[Pair]) -> list[Pair]:
    """Pairs of one photo and degradation that were asked for at different intensities, one after the other."""
    series: dict[tuple[str, ...], list[Pair]] = {}
    for example in examples:
        alone = () if math.isfinite(example.asked) else (example.name,)
        series.setdefault((example.degradation, example.source, example.photo, *alone), []).append(example)
    return [example for those in series.values() for example in those]
