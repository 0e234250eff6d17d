"""Priors as a picture: p(mu) and sigma given mu of every source, a row per degradation (like GenDeg's figure 2)."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FORMATS = ("png", "svg", "pdf")
Joint = Float[np.ndarray, "mu sigma"]
BAND = (0.1, 0.5, 0.9)  # quantiles of sigma given mu: the shade and the line in it
LEAST_SHARE = 0.002  # of a source's pairs around a mu, below which its sigma is not drawn
NEIGHBOURS = 2.0  # bins; width of the window over mu that sigma is looked up in


@dataclass(frozen=True)
class SourceCounts:
    """One source: joint counts over mu and sigma in equal bins."""

    name: str
    pairs: int
    joint: Joint


@dataclass(frozen=True)
class Panel:
    """All sources of one degradation."""

    degradation: str
    sources: tuple[SourceCounts, ...]


def draw_priors(panels: Sequence[Panel], mu_high: float, sigma_high: float, format: str) -> bytes:
    """The picture's bytes; `mu_high` and `sigma_high` end the last bins. Raises `ValueError` without panels."""
    from matplotlib.figure import Figure

    if not panels or format not in FORMATS:
        raise ValueError(f"needs panels and one of {', '.join(FORMATS)}, got {len(panels)} panels and '{format}'")
    figure = Figure(figsize=(12, 0.7 + 2.5 * len(panels)), layout="constrained")
    axes = figure.subplots(len(panels), 2, squeeze=False)
    for panel, (left, right) in zip(panels, axes, strict=True):
        for number, source in enumerate(panel.sources):
            _draw_mu(left, source, f"C{number}", mu_high)
            _draw_sigma(right, source, f"C{number}", mu_high, sigma_high)
        _label(left, right, panel, mu_high)
    figure.suptitle("mu and sigma of |clean − degraded|, images in [0, 1]: how strong the pairs of each source are")
    stream = io.BytesIO()
    # Without a date the same priors give the same bytes.
    metadata: dict[str, Any] = {} if format == "png" else {"Date" if format == "svg" else "CreationDate": None}
    figure.savefig(stream, format=format, dpi=110, metadata=metadata)
    return stream.getvalue()


def _draw_mu(axes: "Axes", source: SourceCounts, colour: str, mu_high: float) -> None:
    """A histogram of mu with an area of 1; the bins of few pairs are put together, or it would be spikes."""
    together = next((bins for most, bins in ((200, 8), (2000, 2)) if source.pairs < most), 1)
    density, edges = source.joint.sum(axis=1), np.linspace(0, mu_high, source.joint.shape[0] + 1)
    if len(density) % together == 0:
        density, edges = density.reshape(-1, together).sum(axis=1), edges[::together]
    density = density / density.sum() / (edges[1] - edges[0])
    axes.stairs(density, edges, color=colour, linewidth=1.4)
    axes.stairs(density, edges, color=colour, fill=True, alpha=0.12)


def _draw_sigma(axes: "Axes", source: SourceCounts, colour: str, mu_high: float, sigma_high: float) -> None:
    mu, low, middle, high = sigma_bands(source.joint, mu_high, sigma_high)
    axes.fill_between(mu, low, high, color=colour, alpha=0.15, linewidth=0)
    marker = "o" if len(mu) == 1 else ""  # a line of one point cannot be seen
    axes.plot(mu, middle, color=colour, label=f"{source.name} ({source.pairs:,})", linewidth=1.6, marker=marker)


def _label(left: "Axes", right: "Axes", panel: Panel, mu_high: float) -> None:
    bins = panel.sources[0].joint.shape[0]
    last = max(int(np.flatnonzero(source.joint.sum(axis=1))[-1]) for source in panel.sources)
    for axes in (left, right):
        axes.set_xlim(0, mu_high * min(last + 2, bins) / bins)
        axes.set_ylim(bottom=0)
        axes.set_xlabel("mu")
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    left.set_title(panel.degradation.replace("_", " "), loc="left", fontweight="bold")
    left.set_ylabel("density of mu")
    right.set_title("sigma given mu: median, 10 to 90 %", loc="left", fontsize="medium")
    right.set_ylabel("sigma")
    options = {"fontsize": "small", "title_fontsize": "small", "frameon": False, "alignment": "left"}
    right.legend(title="source (pairs)", loc="upper left", bbox_to_anchor=(1.01, 1.0), **options)


def sigma_bands(joint: Joint, mu_high: float, sigma_high: float) -> tuple[np.ndarray, ...]:
    """(mu, and the quantiles BAND of sigma there) wherever enough pairs lie around mu; within a bin linear."""
    centres = (np.arange(joint.shape[0]) + 0.5) * mu_high / joint.shape[0]
    edges = np.linspace(0, sigma_high, joint.shape[1] + 1)
    distance = (centres[:, None] - centres[None, :]) / (centres[1] - centres[0])
    rows = np.exp(-0.5 * (distance / NEIGHBOURS) ** 2) @ joint
    filled = np.flatnonzero(joint.sum(axis=1))
    inside = (np.arange(len(centres)) >= filled[0]) & (np.arange(len(centres)) <= filled[-1])
    shown = np.flatnonzero(inside & (rows.sum(axis=1) >= LEAST_SHARE * joint.sum()))
    quantiles = [_quantiles(rows[number], edges) for number in shown]
    return (centres[shown], *np.array(quantiles).reshape(len(shown), len(BAND)).T)


def _quantiles(counts: Float[np.ndarray, " sigma"], edges: Float[np.ndarray, " edges"]) -> Float[np.ndarray, " band"]:
    cumulative = np.concatenate([[0.0], np.cumsum(counts)])
    keep = slice(np.flatnonzero(counts)[0], np.flatnonzero(counts)[-1] + 2)
    return np.interp(BAND, cumulative[keep] / cumulative[-1], edges[keep])
