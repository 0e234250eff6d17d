"""gendeg pairs show: pairs as a table and as a picture."""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gendeg.pairs.pair import Pair, by_degradation_and_source, measured, open_pairs
from gendeg.pairs.photo import Photo
from gendeg.primitives.errors import BadImage
from gendeg.primitives.files import write_new
from gendeg.primitives.images import U8Image, encode_image
from gendeg.report.sheet import Tile, draw_sheet

QUANTILES = (0.01, 0.25, 0.5, 0.75, 0.99)
SHOWN = (0.1, 0.5, 0.9)  # quantiles of mu whose pairs are drawn


def show_pairs(place: str | Path, target: Path, overwrite: bool = False) -> str:
    """Write the contact sheet of a place's pairs to `target` and return its table.

    Raises `OutputExists` for another file in its place, and as `open_pairs`.
    """
    pairs = measured(open_pairs([place]))
    write_new(target, encode_image(draw_pairs(pairs), "png"), overwrite, "--sheet")
    return tabulate_pairs(pairs)


def tabulate_pairs(pairs: Sequence[Pair]) -> str:
    """One line per degradation and source: pairs, then quantiles of mu and of sigma."""
    heads = "".join(f"{f'{name} {q:.0%}':>10}" for name in ("mu", "sigma") for q in QUANTILES)
    lines = [f"{'degradation':<13}{'source':<16}{'pairs':>7}{heads}"]
    for (degradation, source), group in by_degradation_and_source(pairs).items():
        columns = [np.quantile([getattr(pair, name) for pair in group], QUANTILES) for name in ("mu", "sigma")]
        numbers = "".join(f"{value:>10.4f}" for value in np.concatenate(columns))
        lines.append(f"{degradation:<13}{source:<16}{len(group):>7}{numbers}")
    return "\n".join(lines)


def _readable(photo: Photo) -> U8Image:
    """The image, or a grey field where it cannot be read: a table of a million pairs should not end at one of them."""
    try:
        return photo.image()
    except BadImage as error:
        print(f"gendeg: {error}", file=sys.stderr)
        return np.full((96, 128, 3), 128, np.uint8)


def draw_pairs(pairs: Sequence[Pair]) -> U8Image:
    """A row per degradation and source: clean and degraded of a weak, a middling and a strong pair."""
    rows = []
    for (degradation, source), group in by_degradation_and_source(pairs).items():
        ordered = sorted(group, key=lambda pair: (pair.mu, pair.degraded.place))
        row = []
        for pair in (ordered[int(q * (len(ordered) - 1))] for q in SHOWN):
            row.append(Tile(_readable(pair.clean), f"{source}, clean"))
            label = f"{degradation} mu {pair.mu:.3f} sigma {pair.sigma:.3f}"
            row.append(Tile(_readable(pair.degraded), label))
        rows.append(row)
    return draw_sheet(rows)
