"""How far degraded images are from real ones that have no clean half: statistics of an estimated degradation layer.

After the statistical study in "Removing Rain Streaks via Task Transfer Learning" (Wang et al., arXiv 2208.13133). An
image is cut in two the same way on all sides: the coarse layer is what a guided filter (He et al., TPAMI 2013, section
3.2; self-guided, each channel) leaves of it, where light, haze and strong edges are; the fine layer is the rest, where
streaks, flakes, drops and lost sharpness are. Both keep some of the scene: real photos against other real photos are
the scale.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.ndimage import minimum_filter, uniform_filter

from gendeg.metrics.uncertainty import Estimate, estimate_from_draws
from gendeg.primitives.images import GREY, U8Image, u8_to_unit

Unit = Float[np.ndarray, "h w 3"]
Histogram = Float[np.ndarray, "channels bins"]
"""Shares of an image's pixels (or of its power), each channel's sum 1."""

RADIUS, CONTRAST = 8, 0.1  # of the guided filter: pixels, and the standard deviation of what still counts as fine
WINDOW = 9  # pixels: local contrast
PATCH = 15  # pixels: the darkest of which is the veil, as in the dark channel (He et al., TPAMI 2011)
OCTAVES, STEPS = 5, 4  # of frequency below Nyquist, and bins in each
LEVELS = np.arange(257) / 255 - 0.5 / 255  # of the two colour statistics: a bin a grey level


def split_layers(image: Unit) -> tuple[Float[np.ndarray, "h w 3"], Float[np.ndarray, "h w 3"]]:
    """(coarse, fine), whose sum is the image. Adding a constant to it adds it to the coarse layer and nothing else."""
    image = image.astype(np.float64)
    size = (2 * RADIUS + 1, 2 * RADIUS + 1, 1)
    mean = uniform_filter(image, size)
    variance = np.maximum(uniform_filter(image * image, size) - mean * mean, 0)
    share = variance / (variance + CONTRAST**2)
    coarse = uniform_filter(share, size) * image + uniform_filter((1 - share) * mean, size)
    return coarse, image - coarse


# --- the statistics ---


def gradient(image: Unit, coarse: Unit, fine: Unit) -> Histogram:
    down, right = np.gradient(fine @ GREY)
    return _histogram(np.hypot(down, right)[..., None], STATISTICS["gradient"].edges)


def local_contrast(image: Unit, coarse: Unit, fine: Unit) -> Histogram:
    """Standard deviation in each window (RMS contrast: Peli, JOSA A 1990)."""
    grey = fine @ GREY
    mean = uniform_filter(grey, WINDOW)
    variance = uniform_filter(grey * grey, WINDOW) - mean * mean
    return _histogram(np.sqrt(np.maximum(variance, 0))[..., None], STATISTICS["local_contrast"].edges)


def frequency(image: Unit, coarse: Unit, fine: Unit) -> Histogram:
    """The share of the power in each quarter of an octave; nothing else of how strong the layer is. Even where none."""
    grey = fine @ GREY
    rows, columns = (np.hanning(side + 2)[1:-1] for side in grey.shape)
    power = np.abs(np.fft.fft2(grey * rows[:, None] * columns)) ** 2
    radius = np.hypot(*np.meshgrid(*(np.fft.fftfreq(side) for side in grey.shape), indexing="ij"))
    edges = STATISTICS["frequency"].edges
    found = np.histogram(np.log2(np.maximum(radius, 1e-9)), edges, weights=power)[0]
    total = found.sum()
    return (found / total if total > 1e-12 else np.full(len(found), 1 / len(found)))[None]


def colour(image: Unit, coarse: Unit, fine: Unit) -> Histogram:
    """Of each channel of the coarse layer."""
    return _histogram(coarse, LEVELS)


def veil(image: Unit, coarse: Unit, fine: Unit) -> Histogram:
    """The darkest value of each channel around each pixel: what light lies over everything, and its colour."""
    return _histogram(minimum_filter(image.astype(np.float64), (PATCH, PATCH, 1)), LEVELS)


@dataclass(frozen=True)
class Statistic:
    """A histogram of an image: between which edges, in which unit, and what it says."""

    measure: Callable[[Unit, Unit, Unit], Histogram]
    edges: Float[np.ndarray, " edges"]
    unit: str
    about: str


STATISTICS = {
    "gradient": Statistic(gradient, np.linspace(0, 0.4, 161), "per pixel", "slope of the fine layer"),
    "local_contrast": Statistic(local_contrast, np.linspace(0, 0.25, 126), "", "contrast of the fine layer"),
    "frequency": Statistic(frequency, np.linspace(-1 - OCTAVES, -1, OCTAVES * STEPS + 1), "octaves",
                           "power of the fine layer by frequency, log₂ of cycles per pixel"),
    "colour": Statistic(colour, LEVELS, "", "red, green and blue of the coarse layer"),
    "veil": Statistic(veil, LEVELS, "", "darkest red, green and blue of each neighbourhood"),
}  # fmt: skip


def gap_statistics(image: U8Image) -> dict[str, np.ndarray]:
    """Every statistic's histogram of one degraded image."""
    unit = u8_to_unit(image).astype(np.float64)
    layers = split_layers(unit)
    return {name: one.measure(unit, *layers) for name, one in STATISTICS.items()}


def _histogram(values: Float[np.ndarray, "h w c"], edges: Float[np.ndarray, " edges"]) -> Float[np.ndarray, "c bins"]:
    """Of each channel; what lies beyond the edges counts in the last bin there."""
    middle = (edges[0] + edges[1]) / 2, (edges[-2] + edges[-1]) / 2
    inside = np.clip(values, *middle)
    counts = [np.histogram(inside[..., channel], edges)[0] for channel in range(inside.shape[2])]
    return np.array(counts) / inside[..., 0].size


# --- distances ---


def wasserstein(first: Histogram, second: Histogram, width: float) -> float:
    """Wasserstein-1 distance of two histograms over bins of one width, in its unit; mean over channels.

    How far shares have to be moved, times how much: the area between the distribution functions (Vallender, 1974).
    """
    return float(np.abs(np.cumsum(first - second, axis=1)).sum(axis=1).mean() * width)


def jensen_shannon(first: Histogram, second: Histogram) -> float:
    """Jensen-Shannon divergence (Lin, 1991) in bits, in [0, 1]: 0 equal, 1 nothing in common; mean over channels."""
    middle = (first + second) / 2
    return float(0.5 * (_divergence(first, middle) + _divergence(second, middle)))


def _divergence(first: Histogram, second: Histogram) -> float:
    safe = np.where(first > 0, first / np.maximum(second, 1e-300), 1.0)
    return float((first * np.log2(safe)).sum(axis=1).mean())


Distance = Callable[[Histogram, Histogram], float]


def distances(name: str) -> dict[str, Distance]:
    """The two distances of one statistic."""
    edges = STATISTICS[name].edges
    return {
        "wasserstein": lambda first, second: wasserstein(first, second, float(edges[1] - edges[0])),
        "jensen_shannon": jensen_shannon,
    }


@dataclass(frozen=True)
class Gap:
    """Distances of each set, and of other real photos (`scale`), to real photos; `gains[name]` is it − the first."""

    sets: dict[str, Estimate]
    scale: Estimate
    gains: dict[str, Estimate]

    @property
    def closer(self) -> str:
        """The first set, or the one that is closer than it, where whole intervals of the gain say so."""
        better = [name for name, gain in self.gains.items() if gain.high < 0]
        if better:
            return min(better, key=lambda name: self.sets[name].value)
        first = next(iter(self.sets))
        return first if self.gains and all(gain.low > 0 for gain in self.gains.values()) else "undecided"


def compare_gaps(
    real: Sequence[np.ndarray],
    sets: Mapping[str, Sequence[np.ndarray]],
    distance: Distance,
    draws: int,
    generator: np.random.Generator,
) -> Gap:
    """Histograms of images → distances between the sets' mean histograms.

    In each draw the real photos are halved at random: one half is what all are compared with, the other is the scale,
    and as many images of every set are drawn (with replacement where it has fewer). Values are means over draws,
    intervals their 95 % percentiles. Raises `ValueError` for fewer than four real photos, or an empty set.
    """
    if len(real) < 4 or not all(len(images) for images in sets.values()):
        raise ValueError("at least four real photos are needed, and an image in every set")
    size = len(real) // 2
    rows = []
    for _ in range(draws):
        order = generator.permutation(len(real))
        target = _mean(real, order[:size])
        row = [distance(_mean(real, order[size : 2 * size]), target)]
        for images in sets.values():
            row.append(distance(_mean(images, generator.choice(len(images), size, replace=len(images) < size)), target))
        rows.append(row)
    drawn = np.array(rows)
    scale = estimate_from_draws(float(drawn[:, 0].mean()), drawn[:, 0], len(real))
    columns = {name: drawn[:, 1 + i] for i, name in enumerate(sets)}
    found = {name: estimate_from_draws(float(one.mean()), one, len(sets[name])) for name, one in columns.items()}
    first, *others = columns
    gains = {name: columns[name] - columns[first] for name in others}
    return Gap(found, scale, {n: estimate_from_draws(float(g.mean()), g, len(sets[n])) for n, g in gains.items()})


def _mean(histograms: Sequence[np.ndarray], rows: np.ndarray) -> np.ndarray:
    return np.mean([histograms[int(i)] for i in rows], axis=0)
