"""How complex backgrounds and degradations of a set are, and how far it ranges: a row a degradation and source."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from gendeg.curate.backgrounds import description
from gendeg.curate.measure import Candidate
from gendeg.curate.range import COHERENT
from gendeg.metrics.complexity import MEASURES, relative_complexity

ENDS = (0.05, 0.95)
RANGES = ("mu", "sigma", "density", "width", "direction")


def describe(candidates: Sequence[Candidate]) -> list[dict[str, Any]]:
    """Rows with keys degradation, source, pairs, photos, background, layer (mean scores), ratio (of the measures), bits
    (of all layers, per bit of all backgrounds), `measures`, and the 5 and 95 % quantiles of every one of `RANGES`."""
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for i, one in enumerate(candidates):
        groups[one.degradation, one.pair.source].append(i)
    return [_row(kind, source, candidates, group) for (kind, source), group in sorted(groups.items())]


def _row(kind: str, source: str, candidates: Sequence[Candidate], group: Sequence[int]) -> dict[str, Any]:
    pairs = [candidates[i] for i in group]
    layers, backgrounds = (
        np.array([getattr(one.measured, half) for one in pairs], float) for half in ("layer", "background")
    )
    bits = description(candidates, group)
    row: dict[str, Any] = {
        "degradation": kind,
        "source": source,
        "pairs": len(pairs),
        "photos": len({one.photo for one in pairs}),
        "background": round(float(np.mean([one.background for one in pairs])), 4),
        "layer": round(float(np.mean([one.layer for one in pairs])), 4),
        "ratio": round(relative_complexity(layers, backgrounds), 4),
        "bits": round(bits[0] / bits[1], 4),
        "measures": {
            name: {
                "background": round(float(backgrounds[:, i].mean()), 5),
                "layer": round(float(layers[:, i].mean()), 5),
            }
            for i, name in enumerate(MEASURES[: layers.shape[1]])
        },
    }
    return row | {name: _quantiles(name, pairs) for name in RANGES}


def _quantiles(name: str, pairs: Sequence[Candidate]) -> list[float]:
    """5 and 95 %; of directions only where there is one, nothing where there is none."""
    if name in ("mu", "sigma"):
        values = [getattr(one.pair, name) for one in pairs]
    else:
        shapes = [one.measured.shape for one in pairs]
        values = [getattr(shape, name) for shape in shapes if name != "direction" or shape.coherence >= COHERENT]
    return [round(float(value), 4) for value in np.quantile(values, ENDS)] if values else []


def tabulate(rows: Sequence[dict[str, Any]]) -> str:
    """The rows for people."""
    heads = ("background", "layer", "ratio", "bits")
    forms = {"mu": ".3f", "sigma": ".3f", "density": ".2f", "width": ".0f", "direction": ".0f"}
    top = f"{'degradation':<13}{'source':<16}{'pairs':>7}{'photos':>8}" + "".join(f"{head:>11}" for head in heads)
    lines = [top + "".join(f"{name:>14}" for name in forms)]
    for row in rows:
        line = f"{row['degradation']:<13}{row['source']:<16}{row['pairs']:>7}{row['photos']:>8}"
        line += "".join(f"{row[head]:>11.2f}" for head in heads)
        for name, form in forms.items():
            line += f"{' … '.join(format(end, form) for end in row[name]) or '–':>14}"
        lines.append(line)
    return "\n".join(lines)
