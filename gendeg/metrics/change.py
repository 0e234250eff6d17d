"""What the change of a pair, degraded − clean, is like: how fine, how peaked, which way, how long, what colour, where.

A picture that averages several possible ones has the right mu and sigma and soft blots instead of streaks; statistics
of the change see that, for they do not ask where a streak is, only what it is like. `metrics/energy.py` compares sets.
"""

from functools import lru_cache

import numpy as np
from jaxtyping import Float, UInt8
from scipy.ndimage import gaussian_filter

from gendeg.primitives.images import GREY, U8Image, u8_to_unit

OtherImage = UInt8[np.ndarray, "other_h other_w 3"]
Grey = Float[np.ndarray, "h w"]
Tensor = Float[np.ndarray, "3 windows"]
"""Structure tensors (xx, yy, xy), x to the right and y down (Bigün and Granlund, ICCV 1987)."""

FINE = 1.5  # pixels: the fine layer is what a Gaussian of this width takes away
OCTAVES, SECTORS = 5, 6  # of the power spectrum, from Nyquist down; half turns are cut into sectors
WINDOW, BLUR_WINDOW = 16, 64  # pixels: local directions; what was lost is measured against the photo and needs more
RAYS, REACH = 12, 48  # directions in which the autocorrelation is followed, and how far, in pixels
PARTS = 4  # of the photo's brightness, equally large
FAINT = 1e-4  # root mean square of a change that is none
TINY = 1e-12

GROUPS: dict[str, tuple[str, ...]] = {
    "fine": ("kurtosis", "skewness", "fine_share", "unevenness"),
    "spectrum": tuple(f"octave{i}" for i in range(1, OCTAVES + 1)),
    "direction": ("coherence_local", "coherence_global", "upright", "leaning",
                  *(f"{part}{30 * i:03d}" for part in ("fine", "coarse") for i in range(SECTORS))),
    "length": ("length", "width"),
    "colour": ("red", "blue", "chroma"),
    "brightness": (*(f"brightness{i}" for i in range(1, PARTS + 1)), "detail"),
}  # fmt: skip
"""The statistics by what they speak of.

kurtosis, skewness: of the fine layer, as natural logarithm (ln 3 for noise) and as arcsinh. fine_share: root mean
square of the fine layer ÷ the change's. unevenness: log₂ (sigma / mu). octave1…: log₂ of the share of the power, finest
octave first. coherence_local, _global in [0, 1]: mean over windows, and over the picture (a straight blur reaches about
.3); upright, leaning: the global one times cos 2θ and sin 2θ, θ the direction from the vertical. fine000…, coarse000…:
share of the power of the two finest octaves, and of the next two, whose waves run that many degrees from the
horizontal, less an even share. length, width: log₂ of the pixels after which the autocorrelation falls to a half, in
the direction in which it lasts longest and shortest. red, blue: mean change beyond green's, chroma: root mean square of
what is not grey, all ÷ the change's. brightness1…: mean change of the darkest to brightest quarter of the photo ÷ the
change's root mean square. detail: correlation of |change| with the photo's slope.
"""
NAMES: tuple[str, ...] = tuple(name for names in GROUPS.values() for name in names)


def change_statistics(clean: U8Image, degraded: OtherImage, blur: bool = False) -> Float[np.ndarray, " statistics"]:
    """All of `NAMES` of one pair; with `blur` direction and coherence are of what was lost, see `lost_direction`.

    All 0 for a pair without a change. Raises `ValueError` when the sizes differ or a side is below `BLUR_WINDOW`.
    """
    if clean.shape != degraded.shape or min(clean.shape[:2]) < BLUR_WINDOW:
        raise ValueError(f"two images of one size, {BLUR_WINDOW} pixels at least: {clean.shape} and {degraded.shape}")
    before, after = u8_to_unit(clean), u8_to_unit(degraded)
    change = (after - before).reshape(-1, 3)
    photo, end = before @ GREY.astype(np.float32), after @ GREY.astype(np.float32)
    grey = end - photo
    moments = (change.T @ change).astype(np.float64) / len(change)  # of two channels each
    size, grey_size = float(np.sqrt(np.trace(moments) / 3)), float(np.sqrt(GREY @ moments @ GREY))
    if min(size, grey_size) < FAINT:
        return np.zeros(len(NAMES))
    power, along, across = _spectral(grey)
    local, whole = lost_direction(photo, end) if blur else coherence(grey)
    return np.array([
        *_fine(grey, grey_size), _unevenness(change, size), *power[:OCTAVES], local, *whole, *power[OCTAVES:],
        along, across, *_colour(change, moments, size), *_brightness(photo, grey, grey_size),
    ])  # fmt: skip


# --- the fine layer ---


def _fine(grey: Grey, size: float) -> tuple[float, float, float]:
    fine = grey - gaussian_filter(grey, FINE, truncate=3)
    share = float(np.sqrt((fine**2).mean())) / size
    fine = (fine - fine.mean()) / max(float(fine.std()), TINY)
    square = fine * fine
    third, fourth = (float((square * one).mean()) for one in (fine, square))
    return float(np.log(max(fourth, 1.0))), float(np.arcsinh(third)), share


def _unevenness(change: Float[np.ndarray, "n 3"], size: float) -> float:
    mu = float(np.abs(change).mean())
    return float(np.log2(max(size**2 - mu**2, TINY) ** 0.5 / mu))


# --- the spectrum ---


@lru_cache(8)
def _plan(shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(window, bin of each frequency by octave, by octaves two by two and sector, weight of each) of an image size.

    Bins beyond the last one take what is left out: frequencies below the octaves and, of sectors, the lowest octave.
    """
    down, right = np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None]
    radius = np.maximum(np.hypot(down, right), 1e-9)
    octave = np.minimum(np.maximum(np.floor(-1 - np.log2(radius)), 0), OCTAVES - 1).astype(np.intp)
    sector = np.rint(np.degrees(np.arctan2(-down, right)) / (180 / SECTORS)).astype(np.intp) % SECTORS
    both = np.where(octave < 4, octave // 2 * SECTORS + sector, 2 * SECTORS)
    weight = np.full(radius.shape, 2.0)
    weight[:, 0] = 1
    if shape[1] % 2 == 0:
        weight[:, -1] = 1
    window = np.hanning(shape[0] + 2)[1:-1, None] * np.hanning(shape[1] + 2)[None, 1:-1]
    return window.astype(np.float32), octave, both, weight


def _spectral(grey: Grey) -> tuple[list[float], float, float]:
    """(log₂ shares of the octaves, then shares of the sectors less an even one; length and width in log₂ pixels)."""
    window, octave, both, weight = _plan(grey.shape)
    spectrum = np.fft.rfft2((grey - grey.mean()) * window)
    raw = spectrum.real**2 + spectrum.imag**2
    power = (raw * weight).ravel()
    octaves = np.bincount(octave.ravel(), power, OCTAVES)
    sectors = np.bincount(both.ravel(), power, 2 * SECTORS + 1)[:-1].reshape(2, SECTORS)
    shares = np.log2(octaves / max(octaves.sum(), TINY) + 1e-6)
    even = sectors / np.maximum(sectors.sum(axis=1, keepdims=True), TINY) - 1 / SECTORS
    lengths = _half_lengths(np.fft.irfft2(raw, grey.shape))
    return [*shares, *even.ravel()], float(np.log2(lengths.max())), float(np.log2(lengths.min()))


@lru_cache(8)
def _rays(shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Whole pixels along rays from the corner of an autocorrelation, [rays, reach], wrapped."""
    angles = np.pi * np.arange(RAYS) / RAYS
    far = np.arange(1, min(REACH, min(shape) // 4) + 1)
    rows, columns = (np.rint(np.outer(one(angles), far)).astype(np.intp) for one in (np.sin, np.cos))
    return rows % shape[0], columns % shape[1]


def _half_lengths(correlation: Grey) -> Float[np.ndarray, " rays"]:
    """Pixels, between two of them, after which it first falls to a half; at most the reach."""
    found = correlation[_rays(correlation.shape)] / max(float(correlation[0, 0]), TINY)
    found = np.concatenate([np.ones((RAYS, 1)), found], axis=1)
    below = found < 0.5
    at = np.where(below.any(axis=1), below.argmax(axis=1), found.shape[1] - 1)
    rays = np.arange(RAYS)
    before, after = found[rays, at - 1], found[rays, at]
    return at - 1 + np.clip((before - 0.5) / np.maximum(before - after, TINY), 0, 1)


# --- directions ---


def coherence(layer: Grey) -> tuple[float, tuple[float, float, float]]:
    """(local coherence, (global coherence, times cos 2θ, times sin 2θ)), θ as in `metrics/layer_shape.py`: how the
    streaks lie, degrees from the vertical, positive leaning right as they fall.

    The local one is the mean over windows, each as much as its slope. One direction everywhere: both 1; many, each in
    a place of its own: 1 and 0.
    """
    windows = _tensors(layer, WINDOW)
    apart, twice = windows[0] - windows[1], 2 * windows[2]
    total = max(float((windows[0] + windows[1]).sum()), TINY)
    upright, leaning = float(apart.sum()) / total, -float(twice.sum()) / total
    return float(np.hypot(apart, twice).sum()) / total, (float(np.hypot(upright, leaning)), upright, leaning)


def lost_direction(photo: Grey, blurred: Grey) -> tuple[float, tuple[float, float, float]]:
    """As `coherence`, of a blur: θ is the way the camera moved, degrees from the vertical.

    What a blur changes lies along the photo's own edges. What it takes does not: log (slope before ÷ slope after), of
    the structure tensors with the photo's whitened, is largest along the motion. Its direction is within 5 degrees
    (median; nine of ten within 9; straight blurs of 3 to 24 pixels on photos; by the change's own tensor 6 to 22, and
    27 to 52). The local one is the mean over windows, each as much as the photo's slope.
    """
    before, after = _tensors(photo, BLUR_WINDOW), _tensors(blurred, BLUR_WINDOW)
    apart, twice, total = _attenuation(before, after)
    slope = before[0] + before[1]
    local = float((slope * np.hypot(apart, twice)).sum()) / max(float((slope * total).sum()), TINY)
    apart, twice, total = _attenuation(*(one.mean(axis=1, keepdims=True) for one in (before, after)))[:, 0].tolist()
    total = max(total, TINY)
    # The loss is largest along the motion, while a streak is steepest across itself: a quarter turn, so signs change.
    upright, leaning = -apart / total, twice / total
    return local, (float(np.hypot(upright, leaning)), upright, leaning)


def _tensors(grey: Grey, window: int) -> Tensor:
    """Mean structure tensor of each window; what does not fill one is left out."""
    down, right = np.gradient(grey)
    rows, columns = (side // window for side in grey.shape)
    products = np.stack([right * right, down * down, right * down])[:, : rows * window, : columns * window]
    return products.reshape(3, rows, window, columns, window).mean(axis=(2, 4), dtype=np.float64).reshape(3, -1)


def _attenuation(before: Tensor, after: Tensor) -> Tensor:
    """(xx − yy, 2 xy, xx + yy) of −log of the tensor after, in coordinates where the one before is the identity."""
    floor = 1e-6 + 1e-3 * (before[0] + before[1])
    root = _function(before[0] + floor, before[1] + floor, before[2], lambda x: x**-0.5)
    left = _matrix(after[0] + floor, after[1] + floor, after[2])
    kept = root @ left @ root
    lost = _function(kept[..., 0, 0], kept[..., 1, 1], kept[..., 0, 1], lambda x: np.maximum(-np.log(x), 0))
    xx, yy, xy = lost[..., 0, 0], lost[..., 1, 1], lost[..., 0, 1]
    return np.stack([xx - yy, 2 * xy, xx + yy])


def _matrix(xx: np.ndarray, yy: np.ndarray, xy: np.ndarray) -> Float[np.ndarray, "windows 2 2"]:
    return np.stack([np.stack([xx, xy], axis=-1), np.stack([xy, yy], axis=-1)], axis=-2)


def _function(xx, yy, xy, of) -> Float[np.ndarray, "windows 2 2"]:  # type: ignore[no-untyped-def]
    """A function of symmetric matrices, by their eigenvalues."""
    values, vectors = np.linalg.eigh(_matrix(xx, yy, xy))
    return (vectors * of(np.maximum(values, TINY))[..., None, :]) @ np.swapaxes(vectors, -1, -2)


# --- colour and place ---


def _colour(
    change: Float[np.ndarray, "n 3"], moments: Float[np.ndarray, "3 3"], size: float
) -> tuple[float, float, float]:
    red, green, blue = (float(mean) for mean in change.mean(axis=0))
    chroma = float(np.trace(moments) - moments.sum() / 3) / 3  # mean square of what is beyond the channels' mean
    return (red - green) / size, (blue - green) / size, max(chroma, 0.0) ** 0.5 / size


def _brightness(photo: Grey, grey: Grey, size: float) -> list[float]:
    """Mean change of each part of the photo, from dark to bright; then the correlation of |change| and slope."""
    level = np.rint(photo * 255).astype(np.intp).ravel()
    counts = np.bincount(level, minlength=256)
    middle = (np.cumsum(counts) - counts / 2) / len(level)  # the rank of a level, so that equal pixels stay together
    sums = np.bincount(level, grey.ravel(), 256)
    parts = np.minimum((middle * PARTS).astype(np.intp), PARTS - 1)
    totals, sizes = (np.bincount(parts, one, PARTS) for one in (sums, counts))
    means = np.where(sizes > 0, totals / np.maximum(sizes, 1), sums.sum() / len(level)) / size
    down, right = np.gradient(photo)
    return [*means, _correlation(np.hypot(down, right), np.abs(grey))]


def _correlation(first: Grey, second: Grey) -> float:
    one, other = ((values - values.mean()).ravel() for values in (first, second))
    both = float(one @ one) * float(other @ other)
    return float(one @ other) / both**0.5 if both > TINY else 0.0
