"""The page of a restorer's scores: a table of all of them, and the scores by the intensity that was asked for."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from gendeg import __version__
from gendeg.report.cells import NOTHING, column, number, verdict
from gendeg.report.html import Cell, Facts, Figure, Figures, Page, Section, Table, plain
from gendeg.report.plots import Axis, Frame, band, dots, draw, line, whiskers
from gendeg.restore.by_intensity import FEWEST

Results = Mapping[str, Any]
COLUMNS = (("psnr", "PSNR", 2), ("ssim", "SSIM", 3), ("e_r", "E_R", 4), ("e_b", "E_B", 4), ("lpips", "LPIPS", 3))
UNITS = {"psnr": "PSNR, dB", "ssim": "SSIM", "lpips": "LPIPS (less is better)"}
BEFORE, AFTER = "existing", "generated"  # colours of the page
LEGEND = ((BEFORE, "before: the degraded image"), (AFTER, "after: restored"))
RULE = (
    "The gain is paired: of the same image, after minus before (of LPIPS: before minus after), so that more is better. "
    "At a level the restorer helps where the 95 % interval of the mean gain lies above zero, harms where it is below, "
    f"and is undecided else, and of fewer than {FEWEST} photos. The mean gain is zero where the straight line between "
    "two levels is. Intervals are of a bootstrap that redraws whole photos with all of their levels: they speak of "
    "other photos, not of other restorers."
)
BINNED = "These intensities are no levels, so pairs are put into five equal parts of [0, 1], at their mean."


def scores_page(results: Results) -> Page:
    """Everything of `results.json`."""
    rows = results["by_intensity"]
    sections = [_by_intensity(rows)] if rows else []
    everything = next((row for row in results["summary"] if row["degradation"] == row["source"] == "all"), None)
    tiles = [(f"{everything['n']:,}", "pairs"), (f"{everything['photos']:,}", "photos")] if everything else []
    if everything:
        tiles.append((f"{number(everything['gain']['value'], 2, signed=True)} dB", "mean gain in PSNR"))
    failed = len(results["failures"])
    return Page(
        title=Path(results["model"]).name,
        kind="Restorer",
        text=f"{results['network']}, measured on pairs: before and after.",
        tiles=tiles,
        sections=[*sections, _scores(results), _provenance(results)],
        warning=f"{failed:,} pairs could not be measured: see results.json." if failed else "",
        footer=f"Written by gendeg {__version__}. Numbers in brackets are 95 % intervals over photos.",
    )


def _by_intensity(rows: Sequence[Results]) -> Section:
    blocks: list[Table | Figures] = [_verdicts(rows)]
    for score in dict.fromkeys(row["score"] for row in rows):
        those = [row for row in rows if row["score"] == score]
        curves = [Figure(_plot_sides(row), row["degradation"]) for row in those]
        gains = [Figure(_plot_gain(row), f"{row['degradation']}: {row['says']}") for row in those]
        blocks += [
            Figures(curves, LEGEND, f"{UNITS[score]}, by intensity"),
            Figures(gains, (), f"Gain in {UNITS[score]}"),
        ]
        blocks.append(_numbers(score, those))
    texts = [RULE, BINNED] if any(row["binned"] for row in rows) else [RULE]
    return Section("by-intensity", "By intensity", texts, blocks)


def _verdicts(rows: Sequence[Results]) -> Table:
    lines: list[list[Cell | str]] = [[row["degradation"], row["score"].upper(), row["says"]] for row in rows]
    return Table("Where it helps, and where it harms", ["degradation", "score", "intensity"], lines)


def _numbers(score: str, rows: Sequence[Results]) -> Table:
    digits = next(digits for name, _, digits in COLUMNS if name == score)
    lines: list[list[Cell | str]] = []
    for row in rows:
        points = row["points"]
        sides = [column([point[side] for point in points], digits) for side in ("before", "after")]
        for place, point in enumerate(points):
            head = [f"{row['degradation']} {point['intensity']:.3g}", str(point["photos"])]
            lines.append([*head, *(side[place] for side in sides), _gain(point, digits), point["verdict"]])
    columns = ["degradation, intensity", "photos", "before", "after", "gain", "it"]
    return Table(UNITS[score], columns, lines)


def _gain(row: Results, digits: int = 2) -> Cell:
    """Coloured where there are photos enough to say so."""
    coloured = verdict(row["gain"], digits)
    return coloured if row["photos"] >= FEWEST else Cell(coloured.text)


def _points(row: Results, side: str) -> np.ndarray:
    """Intensity, value, low, high."""
    told = [(point["intensity"], *(point[side][end] for end in ("value", "low", "high"))) for point in row["points"]]
    return np.array(told, float).T


def _frame(row: Results, label: str, limits: np.ndarray) -> Frame:
    room = 0.06 * (limits.max() - limits.min() + 1e-6)
    return Frame(Axis("intensity", 1.0), Axis(label, float(limits.max() + room), float(limits.min() - room)))


def _plot_sides(row: Results) -> Markup:
    sides = {BEFORE: _points(row, "before"), AFTER: _points(row, "after")}
    frame = _frame(row, UNITS[row["score"]], np.concatenate([side[1:].ravel() for side in sides.values()]))
    marks = []
    for kind, (intensity, value, low, high) in sides.items():
        marks += [whiskers(frame, intensity, low, high, kind), line(frame, intensity, value, kind)]
        marks.append(dots(frame, intensity, value, kind))
    return draw(frame, f"{row['degradation']}: {UNITS[row['score']]} before and after, by intensity", *marks)


def _plot_gain(row: Results) -> Markup:
    """The gain with its interval over the line of none, and on that line where it is crossed."""
    intensity, value, low, high = _points(row, "gain")
    frame = _frame(row, f"gain, {UNITS[row['score']].split(' (')[0]}", np.append(np.concatenate([low, high]), 0.0))
    zero = np.zeros(2)
    marks = [band(frame, intensity, low, high, AFTER), line(frame, np.array([0.0, 1.0]), zero, "ideal")]
    marks += [line(frame, intensity, value, AFTER), dots(frame, intensity, value, AFTER)]
    for one in row["crossings"]:
        ends = np.array([one["at"]["low"], one["at"]["high"]])
        marks += [line(frame, ends, zero, "prior"), dots(frame, np.array([one["at"]["value"]]), zero[:1], "prior")]
    return draw(frame, f"{row['degradation']}: gain in {UNITS[row['score']]} by intensity", *marks)


def _scores(results: Results) -> Section:
    summary = results["summary"]
    shown = [one for one in COLUMNS if any(one[0] in row for row in summary)]
    sides = {f"{name}{end}": column([row.get(f"{name}{end}") for row in summary], digits)
             for name, _, digits in shown for end in ("_input", "")}  # fmt: skip
    lines: list[list[Cell | str]] = []
    for place, row in enumerate(summary):
        cells = [sides[f"{name}{end}"][place] for name, _, _ in shown for end in ("_input", "")]
        gain = _gain(row) if "gain" in row else Cell(NOTHING)
        lines.append([f"{row['degradation']}, {row['source']}", str(row["n"]), gain, *cells])
    heads = [f"{title} {when}" for _, title, _ in shown for when in ("before", "after")]
    table = Table("Means over pairs", ["degradation, source", "pairs", "gain, dB", *heads], lines)
    return Section(
        "scores", "Scores", ["E_R: what is left of rain, snow and drops; E_B: what the rest suffered."], [table]
    )


def _provenance(results: Results) -> Section:
    told = ("model", "network", "pairs", "split", "draws", "seed", "limit")
    return Section("provenance", "Provenance", [], [Facts([(name, plain(results[name])) for name in told])])
