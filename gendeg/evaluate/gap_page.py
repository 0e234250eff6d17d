"""The page of a gap: distances with their intervals, the distributions behind them, what was taken for the layers."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import UInt8
from markupsafe import Markup

from gendeg import __version__
from gendeg.evaluate.gap_images import Images
from gendeg.metrics.gap import CONTRAST, LEVELS, PATCH, RADIUS, STATISTICS, split_layers
from gendeg.pairs.photo import Photo
from gendeg.primitives.errors import BadImage
from gendeg.primitives.images import U8Image, resize_short_side, u8_to_unit, unit_to_u8
from gendeg.report.cells import column
from gendeg.report.html import Block, Card, Cell, Figure, Figures, Page, Section, Sheet, Table, make_picture, plain
from gendeg.report.plots import Axis, Frame, draw, stairs

KINDS = ("generated", "simulated", "prior", "ideal")  # colours of the page, in the order of the sets
AMPLIFIED = 3  # times, the fine layer in pictures
GROUP = 4  # grey levels that are one step of a drawn histogram
DISTANCES = {
    "wasserstein": "Wasserstein-1 distance to one half of the real photos (lower is closer)",
    "jensen_shannon": "Jensen-Shannon divergence, bits (0: equal, 1: nothing in common)",
}
LAYERS = (
    "Real photos have no clean half, so the degradation layer is estimated, the same way on all sides: a guided filter "
    f"of {RADIUS} pixels keeps what is stronger than a standard deviation of {CONTRAST} (the coarse layer: light, "
    "haze, strong edges); the rest is the fine layer (streaks, flakes, drops, and how sharp it all is). The veil is "
    f"the darkest value within {PATCH} pixels. Some of the scene stays in all of them."
)
SCALE = (
    "The scale is how far one half of the real photos is from the other: 1 means as near as real photos. A set of "
    "other scenes, cameras or sizes than the real photos' is further away for that alone."
)
Results = Mapping[str, Any]


def gap_page(results: Results, measured: Mapping[str, Any], halves: Mapping[str, Images]) -> Page:
    """Everything of `gap.json`, with plots and a picture of each set; `halves` are the images, as `measured`."""
    names = [
        name
        for name in ["synthetic", *results["settings"]["also"]]
        if any(name in t for t in results["times"].values())
    ]
    sections = [_overview(results, names)]
    for kind, found in results["gaps"].items():
        blocks: list[Block] = [_plots(kind, names, measured[kind])]
        blocks += [_distances(title, found, names, key) for key, title in DISTANCES.items()]
        pictures = _pictures(halves[kind], names, results["settings"]["size"])
        if pictures:
            blocks.append(pictures)
        counts = results["images"][kind]
        text = ", ".join(f"{counts[name]} {name}" for name in [*names, "real"] if name in counts)
        sections.append(Section(kind.replace("_", "-").replace("+", "-"), kind, [f"Images: {text}."], blocks))
    sections.append(_settings(results))
    return Page(
        title=" and ".join(filter(None, [", ".join(names), "real photos"])),
        kind="Gap",
        text="How far degraded images are from real ones, by the statistics of an estimated degradation layer.",
        tiles=[(f"{value:.1f} ×", f"{kind}: {name}, of other real photos' distance")
               for kind, times in results["times"].items() for name, value in times.items() if name == "synthetic"],
        sections=sections,
        warning="; ".join(results["notes"]),
        footer=f"Written by gendeg {__version__}. Numbers in brackets: 95 % interval over random halves of the real "
        "photos and random draws of the others.",
    )  # fmt: skip


def _overview(results: Results, names: Sequence[str]) -> Section:
    rows: list[list[Cell | str]] = []
    for kind, times in results["times"].items():
        closer = [found["wasserstein"]["closer"] for found in results["gaps"][kind].values()]
        wins = ", ".join(f"{name} {closer.count(name)}" for name in [*names, "undecided"] if name in closer)
        cells = [f"{times[name]:.1f}" if name in times else "–" for name in names]
        rows.append([kind, *cells, wins if len(names) > 1 else "–"])
    texts = [LAYERS, SCALE]
    table = Table(
        "Distance to real photos, in units of the distance of other real photos (geometric mean over statistics)",
        ["degradation", *names, "closer by so many statistics"],
        rows,
    )
    return Section("overview", "Overview", texts, [table])


def _distances(title: str, found: Results, names: Sequence[str], measure: str) -> Table:
    rows = {name: found[name][measure] for name in found}
    there = [one for one in names if any(one in row["sets"] for row in rows.values())]
    lines: list[list[Cell | str]] = []
    for name, row in rows.items():  # statistics have units of their own: each row its own scale
        cells = column([row["sets"].get(one) for one in there] + [row["real"]], 4)
        unit = f" ({STATISTICS[name].unit})" if STATISTICS[name].unit and measure == "wasserstein" else ""
        lines.append([name.replace("_", " ") + unit, *cells, row["closer"] if row["gains"] else "–"])
    return Table(title, ["statistic", *there, "other real photos", "closer"], lines)


# --- plots ---


def _plots(kind: str, names: Sequence[str], sets: Mapping[str, Sequence[Mapping[str, np.ndarray]]]) -> Figures:
    colours = dict(zip(names, KINDS, strict=False)) | {"real": "existing"}
    there = {name: colours[name] for name in [*names, "real"] if name in sets}
    figures = []
    for name, statistic in STATISTICS.items():
        curves = {one: np.mean([image[name] for image in sets[one]], axis=(0, 1)) for one in there}
        figures.append(Figure(_plot(f"{kind}, {name}", name, curves, there), statistic.about))
    return Figures(figures, [(colour, name) for name, colour in there.items()])


def _plot(title: str, name: str, curves: Mapping[str, np.ndarray], colours: Mapping[str, str]) -> Markup:
    """Mean shares of all images, channels together; the axis ends where nearly nothing is left."""
    edges = STATISTICS[name].edges
    group = GROUP if edges is LEVELS else 1
    starts = np.arange(0, len(edges) - 1, group)
    shares = {one: np.add.reduceat(curve, starts) for one, curve in curves.items()}
    steps = np.append(edges[starts], edges[-1])
    last = max(int(np.searchsorted(np.cumsum(share), 0.995)) for share in shares.values()) + 2
    last = min(max(last, 4), len(steps) - 1)
    label = "log₂ cycles per pixel" if name == "frequency" else name.replace("_", " ")
    tallest = max(float(share[:last].max()) for share in shares.values())
    frame = Frame(Axis(label, float(steps[last]), float(steps[0])), Axis("share", 1.08 * tallest))
    marks = [stairs(frame, steps[: last + 1], share[:last], colours[one]) for one, share in shares.items()]
    return draw(frame, title, *marks)


# --- pictures ---


def _pictures(halves: Mapping[str, Sequence[Photo]], names: Sequence[str], size: int) -> Sheet | None:
    """The middle image of each set's list: as it is, its coarse layer, its fine layer around grey."""
    cards = []
    for name in [*names, "real"]:
        images = halves.get(name, [])
        if not images:
            continue
        half = images[len(images) // 2]
        try:
            image = resize_short_side(half.image(), size)
        except BadImage:
            continue
        picture = make_picture(layers_side_by_side(image), 960)
        note = f"{half.title}: the image, its coarse layer, its fine layer × {AMPLIFIED} around grey"
        cards.append(Card(name, [note], "", name, picture, single="an image and its two layers"))
    return Sheet(cards, large=True, heading="What is taken for the layers") if cards else None


def layers_side_by_side(image: U8Image) -> UInt8[np.ndarray, "h wide 3"]:
    """Image, coarse layer, fine layer amplified."""
    coarse, fine = split_layers(u8_to_unit(image).astype(np.float64))
    return np.concatenate([image, unit_to_u8(coarse), unit_to_u8(0.5 + AMPLIFIED * fine)], axis=1)


def _settings(results: Results) -> Section:
    shown = [(name, plain(value)) for name, value in results["settings"].items() if value not in ("", {}, None)]
    rows: list[list[Cell | str]] = [[name.replace("_", " "), value] for name, value in shown]
    texts = [f"{len(results['failures'])} images could not be read."] if results["failures"] else []
    return Section("settings", "Settings", texts, [Table("Settings", ["setting", "value"], rows)])
