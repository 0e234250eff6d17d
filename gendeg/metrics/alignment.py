"""Is the degraded image still this photo? PSNR, detail that is left, and SSIM without the low-frequency change."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from PIL import Image
from scipy.ndimage import gaussian_filter

from gendeg.primitives.images import GREY, U8Image

Grey = Float[np.ndarray, "h w"]

LARGEST_PSNR = 99.0  # dB of equal images: JSON has no infinity
FINE = 1.5  # pixels: detail is what a Gaussian of this width takes away
WINDOW = 3.5  # pixels: width of the Gaussian window in which detail is compared
VISIBLE = 2.0 / 255  # standard deviation of detail below which a window has none
LOOKED_AT = 512  # pixels of the longer side at which a shift is looked for
SURE = 0.05  # peak of the phase correlation below which nothing is said of it
STEPS = 8  # of a pixel, in which a fine shift is told
COARSE = 1 / 16  # of the short side: what a Gaussian of this width leaves is low-frequency


def psnr(first: U8Image, second: U8Image) -> float:
    """Peak signal-to-noise ratio in dB over all pixels and channels, at most `LARGEST_PSNR` (ISO/IEC 29170-1)."""
    error = float(((first.astype(np.float64) - second.astype(np.float64)) ** 2).mean())
    return LARGEST_PSNR if error == 0 else min(10 * np.log10(255**2 / error), LARGEST_PSNR)


def detail_kept(clean: U8Image, degraded: U8Image) -> float:
    """Median over textured windows of the correlation of fine detail with the clean photo's, in [−1, 1].

    The structure term of SSIM (Wang et al., IEEE TIP 2004, eq. 10) on the band above `FINE`: haze and darkness, which
    scale detail, leave it at 1; blur and noise lower it. The median looks where the degradation leaves the photo:
    streaks over less than half of the windows do not count. 1 where the photo has no detail.
    """
    first, second = (_fine(_grey(image)) for image in (clean, degraded))
    own = _smooth(first * first)
    textured = own > VISIBLE**2
    if not textured.any():
        return 1.0
    scale = np.sqrt(own * _smooth(second * second))
    correlation = _smooth(first * second) / np.maximum(scale, 1e-9)
    return float(np.median(correlation[textured]))


def ssim_without_low_frequencies(clean: U8Image, degraded: U8Image) -> float:
    """SSIM (Wang et al., 2004) of the clean photo and the degraded one with its low frequencies put back, in [−1, 1].

    The airlight of haze, darkness and veils change what a wide Gaussian sees, and are meant; what differs beyond that
    is streaks, blur, noise, or structure that the model has changed.
    """
    first, second = _grey(clean), _grey(degraded)
    width = COARSE * min(first.shape)
    return ssim(first, second - gaussian_filter(second, width) + gaussian_filter(first, width))


def ssim(first: Grey, second: Grey) -> float:
    """Mean structural similarity of two grey unit images (Wang et al., IEEE TIP 2004, eq. 13; Gaussian of 1.5)."""
    one, two = 0.01**2, 0.03**2
    mean_a, mean_b = gaussian_filter(first, 1.5), gaussian_filter(second, 1.5)
    var_a = gaussian_filter(first**2, 1.5) - mean_a**2
    var_b = gaussian_filter(second**2, 1.5) - mean_b**2
    both = gaussian_filter(first * second, 1.5) - mean_a * mean_b
    top = (2 * mean_a * mean_b + one) * (2 * both + two)
    return float((top / ((mean_a**2 + mean_b**2 + one) * (var_a + var_b + two))).mean())


# --- where the edges lie: phase correlation (Kuglin and Hines, 1975) ---


class Shift(NamedTuple):
    """Pixels by which the second image must be moved onto the first, and the correlation's peak in [0, 1]."""

    down: float
    right: float
    peak: float

    @property
    def length(self) -> float:
        return float(np.hypot(self.down, self.right))


def find_shift(first: U8Image, second: U8Image) -> Shift:
    """Whole pixels of the compared size, whose longer side is at most `LOOKED_AT`.

    Edges are compared, not brightness: haze and darkness change the one and not the other. Raises `ValueError` when
    the sizes differ.
    """
    if first.shape != second.shape:
        raise ValueError(f"{first.shape} and {second.shape}: only images of one size can be compared")
    scale = min(1.0, LOOKED_AT / max(first.shape[:2]))
    edges = [_edges(_small(image, scale)) for image in (first, second)]
    shape = edges[0].shape
    correlation = np.fft.irfft2(_phases(*map(np.fft.rfft2, edges)), s=shape)
    down, right = (int(i) for i in np.unravel_index(int(correlation.argmax()), shape))
    down, right = (n - whole if n > whole // 2 else n for n, whole in zip((down, right), shape, strict=True))
    return Shift(down / scale, right / scale, float(correlation.max()))


def edge_shift(clean: U8Image, degraded: U8Image, most: float = 3.0) -> tuple[float, float]:
    """Pixels (down, right) by which the degraded image's edges lie off the photo's, to 1/`STEPS` pixel.

    The peak is looked for on a zoomed neighbourhood of no shift as in Guizar-Sicairos et al. (Optics Letters 2008): up
    to `most` pixels. Which edges match at all is for `find_shift` to say.
    """
    phases = _phases(*(np.fft.fft2(_edges(_grey(image))) for image in (clean, degraded)))
    offsets = np.arange(-round(most * STEPS), round(most * STEPS) + 1) / STEPS
    down, right = (np.exp(2j * np.pi * np.outer(offsets, np.fft.fftfreq(n))) for n in phases.shape)
    surface = (down @ phases @ right.T).real
    row, column = np.unravel_index(int(surface.argmax()), surface.shape)
    return float(offsets[row]), float(offsets[column])


def _phases(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The cross-power spectrum without its amplitudes."""
    product = one * np.conj(other)
    size = np.abs(product)
    return np.where(size > 1e-9, product / np.maximum(size, 1e-9), 0)


def _edges(grey: Grey) -> Grey:
    """Strength of the gradient, fading out towards the borders, which do not continue."""
    down, right = np.gradient(grey)
    window = np.hanning(grey.shape[0])[:, None] * np.hanning(grey.shape[1])[None, :]
    return np.hypot(down, right) * window


# --- grey ---


def _small(image: U8Image, scale: float) -> Float[np.ndarray, "y x"]:
    """Grey levels, at least 4 pixels a side."""
    height, width = image.shape[:2]
    small = max(4, round(width * scale)), max(4, round(height * scale))
    return np.asarray(Image.fromarray(image).convert("L").resize(small, Image.Resampling.BOX), np.float64)


def _grey(image: U8Image) -> Grey:
    """Unit range."""
    return image.astype(np.float64) @ GREY / 255


def _fine(grey: Grey) -> Grey:
    return grey - gaussian_filter(grey, FINE)


def _smooth(values: Grey) -> Grey:
    return gaussian_filter(values, WINDOW)
