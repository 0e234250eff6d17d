"""gendeg restore eval: a restorer and pairs → results.json, scores.jsonl and a table."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gendeg.configs import RestoreEvalConfig
from gendeg.jobs.restore_data import Example, load_examples
from gendeg.jobs.restore_eval import ScoreRow, restore_and_score, summarise
from gendeg.metrics.lpips import load_lpips
from gendeg.primitives.device import choose_device
from gendeg.primitives.errors import BadImage, OutputExists, SizesDiffer
from gendeg.primitives.files import ensure_writable, write_json, write_jsonl
from gendeg.primitives.progress import track
from gendeg.primitives.records import Failure
from gendeg.report.cells import interval, number
from gendeg.restore.loading import load_restorer

SCHEMA = "gendeg-restoration-1"
COLUMNS = (("psnr", "PSNR", 2), ("ssim", "SSIM", 3), ("e_r", "E_R", 4), ("e_b", "E_B", 4), ("lpips", "LPIPS", 3))


def report_restorer(config: RestoreEvalConfig) -> dict[str, Any]:
    """Measure, write and return the results. A pair that cannot be read is a failure among them, and not measured.

    Raises `OutputExists`, `BadModel`, `BadOption`, `MissingPath`, `NoPairs`.
    """
    target = config.out / "results.json"
    there = [path for path in (target, config.out / "scores.jsonl") if path.exists()]
    if there and not config.overwrite:
        raise OutputExists(there[0])
    examples = _limited(load_examples(config.pairs, config.split, config.seed), config.limit)
    device = choose_device(config.device)
    lpips = load_lpips(Path(config.lpips), device) if config.lpips else None
    restorer = load_restorer(config.model).to(device)
    ensure_writable(config.out)
    rows: list[ScoreRow] = []
    failures: list[Failure] = []
    for example in track(examples, "restoring", total=len(examples), wanted=config.progress):
        try:
            rows.append(restore_and_score(restorer, example, lpips, config.tile, config.overlap))
        except (BadImage, SizesDiffer) as error:
            failures.append(Failure.of(error, example.photo, degradation=example.pair.degradation))
    results = {
        "schema": SCHEMA, "model": str(config.model), "pairs": [str(place) for place in config.pairs],
        "split": config.split, "draws": config.draws, "seed": config.seed, "limit": config.limit,
        "summary": summarise(rows, config.draws, config.seed) if rows else [],
        "failures": [failure.as_row() for failure in failures],
    }  # fmt: skip
    write_jsonl(config.out / "scores.jsonl", [row.as_row() for row in rows])
    write_json(target, results)
    return results


def tabulate_scores(summary: Sequence[dict[str, Any]]) -> str:
    """A line for each degradation and source: before → after, and the interval of after. Only what was measured."""
    shown = [column for column in COLUMNS if any(column[0] in row for row in summary)]
    lines = [["degradation", "source", "n", *(title for _, title, _ in shown)]]
    for row in summary:
        cells = [_cell(row, name, digits) for name, _, digits in shown]
        lines.append([row["degradation"], row["source"], str(row["n"]), *cells])
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)


def _cell(row: dict[str, Any], name: str, digits: int) -> str:
    if name not in row:
        return "-"
    return f"{number(row[f'{name}_input']['value'], digits)} → {interval(row[name], digits)}"


def _limited(examples: list[Example], limit: int) -> list[Example]:
    """The first of each degradation and source: their order is random already."""
    seen: Counter[tuple[str, str]] = Counter()
    kept = []
    for example in examples:
        place = example.pair.degradation, example.pair.source
        seen[place] += 1
        if not limit or seen[place] <= limit:
            kept.append(example)
    return kept
