"""The plots of a report about strength: asked against measured, and mu and sigma beside their priors."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from markupsafe import Markup

from gendeg.intensity.bins import MU_BINS, SIGMA_BINS, Bins
from gendeg.metrics.uncertainty import Estimate
from gendeg.report.cells import ends
from gendeg.report.plots import Axis, Frame, dots, draw, heat, line, spread, stairs, whiskers

Values = Float[np.ndarray, " n"]
Some = Float[np.ndarray, " _"]  # as many as there are
Joint = Float[np.ndarray, "mu sigma"]

MOST_DOTS = 400  # more samples than that are drawn as a density, or thinned
CELLS = 48  # of a density, along each axis
BARS = (12, 36)  # of a histogram, by the number of samples
BINS: dict[str, Bins] = {"mu": MU_BINS, "sigma": SIGMA_BINS}


def plot_agreement(title: str, name: str, asked: Values, measured: Values) -> Markup:
    """Asked (across) against measured (up), as dots or, where there are many, as a density."""
    high = spread([asked, measured], 0.02)
    frame = Frame(Axis(f"{name} asked", high), Axis(f"{name} measured", high))
    ends = np.array([0.0, high])
    if len(asked) <= MOST_DOTS:
        marks = dots(frame, asked, measured, "generated")
    else:
        edges = np.linspace(0.0, high, CELLS + 1)
        counts, _, _ = np.histogram2d(np.minimum(asked, high), np.minimum(measured, high), (edges, edges))
        marks = heat(frame, edges, edges, counts, "generated")
    return draw(frame, f"{title}: {name} asked against measured", marks, line(frame, ends, ends, "ideal"))


def plot_arms(title: str, name: str, arms: Mapping[str, tuple[Some, Some]]) -> Markup:
    """(asked, measured) of several ways to make an image, the last on top; the keys are colours of the page."""
    high = spread([side for both in arms.values() for side in both], 0.02)
    frame = Frame(Axis(f"{name} asked", high), Axis(f"{name} measured", high))
    ends = np.array([0.0, high])
    marks = [dots(frame, asked, measured, kind) for kind, (asked, measured) in arms.items()]
    return draw(frame, f"{title}: {name} asked against measured", line(frame, ends, ends, "ideal"), *marks)


def plot_by_intensity(title: str, label: str, arms: Mapping[str, Sequence[tuple[float, Estimate]]]) -> Markup:
    """Means with their intervals over the intensities that were asked for."""
    curves = {
        kind: np.array([(intensity, *ends(one)) for intensity, one in points], float).T
        for kind, points in arms.items()
        if points
    }
    limits = np.concatenate([curve[1:].ravel() for curve in curves.values()]) if curves else np.array([0.0, 1.0])
    room = 0.06 * (limits.max() - limits.min() + 1e-6)
    frame = Frame(Axis("intensity", 1.0), Axis(label, float(limits.max() + room), float(limits.min() - room)))
    marks: list[Markup] = []
    for kind, (intensity, value, low, high) in curves.items():
        marks.append(whiskers(frame, intensity, low, high, kind))
        marks.append(line(frame, intensity, value, kind) + dots(frame, intensity, value, kind))
    return draw(frame, f"{title}: {label} by intensity", *marks)


def plot_marginal(title: str, name: str, values: Mapping[str, Some], joint: Joint | None) -> Markup:
    """Histograms by origin, and the prior's p(name); each sums to 1."""
    bins = BINS[name]
    prior = np.zeros(bins.count) if joint is None else joint.sum(axis=1 if name == "mu" else 0)
    high = min(bins.high, spread([*values.values(), _upper(prior, bins)], 4 * bins.width))
    bars = np.clip(3 * np.sqrt(max(map(len, values.values()), default=0)), *BARS)
    group = max(1, round(high / bins.width / bars))
    edges = np.arange(0, int(np.ceil(high / bins.width / group)) * group + 1, group) * bins.width
    shares = {
        origin: np.histogram(np.minimum(those, edges[-1]), edges)[0] / len(those) for origin, those in values.items()
    }
    grouped = np.add.reduceat(np.append(prior, np.zeros(group)), np.arange(0, len(edges) - 1) * group)
    tallest = max([1e-9, *(share.max() for share in shares.values()), grouped.max()])
    frame = Frame(Axis(name, float(edges[-1])), Axis("share of samples", 1.08 * tallest))
    marks = [stairs(frame, edges, share, origin, filled=origin == "generated") for origin, share in shares.items()]
    if joint is not None:
        marks.append(stairs(frame, edges, grouped, "prior"))
    return draw(frame, f"{title}: distribution of {name}", *marks)


def plot_joint(title: str, pairs: Mapping[str, tuple[Some, Some]], joint: Joint | None) -> Markup:
    """Samples as dots in the plane of mu and sigma, over the prior's joint density."""
    prior = np.zeros((MU_BINS.count, SIGMA_BINS.count)) if joint is None else joint
    mu_high = spread([*(mu for mu, _ in pairs.values()), _upper(prior.sum(axis=1), MU_BINS)], 0.02)
    sigma_high = spread([*(sigma for _, sigma in pairs.values()), _upper(prior.sum(axis=0), SIGMA_BINS)], 0.02)
    frame = Frame(Axis("mu", mu_high), Axis("sigma", sigma_high))
    steps = [max(1, round(h / b.width / CELLS * 1.2)) for h, b in ((mu_high, MU_BINS), (sigma_high, SIGMA_BINS))]
    edges = [
        np.append(np.arange(0, b.count, s), b.count) * b.width
        for s, b in zip(steps, (MU_BINS, SIGMA_BINS), strict=True)
    ]
    for axis, step in enumerate(steps):
        prior = np.add.reduceat(prior, np.arange(0, prior.shape[axis], step), axis)
    marks = [heat(frame, edges[0], edges[1], prior, "prior")]
    for origin, (mu, sigma) in pairs.items():
        few = np.unique(np.linspace(0, len(mu) - 1, min(len(mu), MOST_DOTS)).round().astype(int))
        marks.append(dots(frame, mu[few], sigma[few], origin))
    return draw(frame, f"{title}: mu and sigma together", *marks)


def _upper(weights: Values, bins: Bins) -> Some:
    """Where 99.5 % of a histogram end; nothing for an empty one."""
    total = np.cumsum(weights)
    if not total[-1]:
        return np.zeros(0)
    return np.array([(np.searchsorted(total, 0.995 * total[-1]) + 1) * bins.width])
