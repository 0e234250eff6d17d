"""gendeg records: what was asked and what came out, from a records.jsonl alone."""

import math
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from gendeg.primitives.files import read_jsonl
from gendeg.primitives.records import Failure, Part, Record, parse_row

COLUMNS = (
    "degradation",
    "intensity",
    "images",
    "mu asked",
    "mu measured",
    "mean error of mu",
    "sigma asked",
    "sigma measured",
    "PSNR, dB",
)


def read_records(path: Path) -> tuple[list[Record], list[Failure]]:
    """The made and the failed samples of a file. Raises `MissingPath`, `BadManifest`, `BadRecord`."""
    rows = [parse_row(row) for row in read_jsonl(path)]
    return [row for row in rows if isinstance(row, Record)], [row for row in rows if isinstance(row, Failure)]


def psnr(record: Record | Part) -> float:
    """Of the degraded image to its clean one, dB: the mean square of |clean − degraded| is mu² + sigma²."""
    return -10 * math.log10(max(record.mu**2 + record.sigma**2, 1e-10))


def tabulate_records(records: Sequence[Record]) -> str:
    """A Markdown table of means per degradation and intensity, then the mean error of mu per degradation.

    A mix made in parts has a line for each part, for nothing was asked of the whole.
    """
    groups: dict[str, dict[float, list[Record | Part]]] = defaultdict(lambda: defaultdict(list))
    for record in records:
        for one in record.parts if len(record.parts) > 1 else (record,):
            name = record.degradation if one is record else f"{record.degradation}: {one.degradation}"
            groups[name][one.intensity].append(one)
    lines = [f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|"]
    for degradation, by_intensity in groups.items():
        for intensity, group in sorted(by_intensity.items()):
            cells = [
                f"{_mean([r.mu_requested for r in group]):.3f}",
                f"{_mean([r.mu for r in group]):.3f}",
                f"{_mean([abs(r.mu - r.mu_requested) for r in group]):.3f}",
                f"{_mean([r.sigma_requested for r in group]):.3f}",
                f"{_mean([r.sigma for r in group]):.3f}",
                f"{_mean([psnr(r) for r in group]):.1f}",
            ]
            lines.append(f"| {degradation} | {intensity:g} | {len(group)} | {' | '.join(cells)} |")
    for degradation, by_intensity in groups.items():
        errors = [abs(r.mu - r.mu_requested) for group in by_intensity.values() for r in group]
        lines.append(f"{degradation}: mean error of mu {_mean(errors):.4f} over {len(errors)} images")
    return "\n".join(lines)


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
