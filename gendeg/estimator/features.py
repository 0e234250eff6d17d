"""What can be measured in one photo, without its clean half, that tells how it was degraded: a vector of numbers.

Tones, the dark channel (He, Sun and Tang, CVPR 2009), contrast by octave and place, structure tensors, what stands out
from its surroundings, the power spectrum by direction (all directions of which blur takes one away), noise in the dark.
"""

import numpy as np
from jaxtyping import Float, UInt8
from scipy.ndimage import gaussian_filter, minimum_filter, uniform_filter

from gendeg.primitives.images import GREY, U8Image, resize_short_side, u8_to_unit

SIDE = 256
"""Pixels of the short side that every photo is brought to: what is measured depends on the scale."""
LONGEST = 2
"""Of a panorama the middle counts, this many times as long as the short side."""
SMALL = 1e-4
TONES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
STANDS_OUT = 0.04  # of the range, above or below the median of its surroundings
BLOCK = 16  # pixels

Plane = Float[np.ndarray, "y x"]


def features(photo: U8Image) -> Float[np.ndarray, " features"]:
    """Of a photo of any size, in the order and number that `SIDE` and the constants here give."""
    image = u8_to_unit(standard(photo))
    grey = image @ GREY.astype(np.float32)
    darkest, brightest = _extremes(image)
    blurred = [grey, *(gaussian_filter(grey, sigma, truncate=2.5) for sigma in (0.8, 1.6, 3.2, 6.4))]
    bands = [fine - coarse for fine, coarse in zip(blurred, blurred[1:], strict=False)]
    return np.array(
        [
            *_tones(image, grey, darkest, brightest),
            *_bands(bands),
            *_places(grey, bands),
            *_tensor(grey),
            *_tensor(blurred[2]),
            *_standing_out(grey, blurred, brightest - darkest),
            *_spectrum(grey),
            *_noise(grey),
            *_echoes(grey - blurred[2]),
        ],
        dtype=np.float64,
    )


def _extremes(image: np.ndarray) -> tuple[Plane, Plane]:
    """The least and the largest of three channels; five times as fast as over an axis."""
    red, green, blue = np.moveaxis(image, 2, 0)
    return np.minimum(np.minimum(red, green), blue), np.maximum(np.maximum(red, green), blue)


def standard(photo: U8Image) -> UInt8[np.ndarray, "new_h new_w 3"]:
    """The photo at the size at which it is measured."""
    image = resize_short_side(photo, SIDE)
    axis = int(np.argmax(image.shape[:2]))
    over = max(0, image.shape[axis] - LONGEST * SIDE) // 2
    return np.ascontiguousarray(np.take(image, range(over, image.shape[axis] - over), axis) if over else image)


def _quantiles(values: np.ndarray, at: tuple[float, ...]) -> list[float]:
    """Of every third pixel where there are many: three times as fast, and as good."""
    values = values.ravel()
    return np.quantile(values[::3] if values.size > 10_000 else values, at).tolist()


def _tones(image: np.ndarray, grey: Plane, darkest: Plane, brightest: Plane) -> list[float]:
    saturation = (brightest - darkest) / (brightest + 0.02)
    dark = minimum_filter(darkest, 9)
    mean = image.mean(axis=(0, 1))
    return [
        *_quantiles(grey, TONES), *_quantiles(darkest, TONES), *_quantiles(brightest, (0.5, 0.95, 0.99)),
        *_quantiles(saturation, (0.1, 0.5, 0.9)), *_quantiles(dark, (0.05, 0.25, 0.5, 0.75, 0.95)),
        float(mean[0] - mean[1]), float(mean[2] - mean[1]), float(np.log(mean.mean() + SMALL)),
        float(np.log(grey.std() + SMALL)), float((grey < 0.02).mean()), float((grey > 0.98).mean()),
    ]  # fmt: skip


def _bands(bands: list[Plane]) -> list[float]:
    """Size and shape of the distribution of each octave, and how the size falls from one to the next."""
    found, sizes = list[float](), [float(np.log(band.std() + SMALL)) for band in bands]
    for band, size in zip(bands, sizes, strict=True):
        scaled = band / (np.exp(size) + SMALL)
        square = scaled * scaled
        found += [size, float(np.log(np.abs(band).mean() + SMALL)), float(np.log((square * square).mean() + 1))]
        found += [float(np.clip((square * scaled).mean(), -20, 20))]
    return found + np.diff(sizes).tolist()


def _places(grey: Plane, bands: list[Plane]) -> list[float]:
    """How detail is spread over the photo: drops blur some places, haze the bright and flat ones."""
    rows, columns = (n // BLOCK * BLOCK for n in grey.shape)

    def blocks(plane: np.ndarray) -> np.ndarray:
        cut = plane[:rows, :columns].reshape(rows // BLOCK, BLOCK, columns // BLOCK, BLOCK)
        return cut.mean(axis=(1, 3)).ravel()

    light, found = blocks(grey), list[float]()
    for band in (bands[0], bands[2]):
        detail = 0.5 * np.log(blocks(band**2) + SMALL**2)
        low, middle, high = _quantiles(detail, (0.1, 0.5, 0.9))
        found += [low, middle, high, high - low, _correlation(light, detail)]
    both = [0.5 * np.log(blocks(band**2) + SMALL**2) for band in (bands[0], bands[3])]
    return found + _quantiles(both[0] - both[1], (0.1, 0.5, 0.9)) + _quantiles(light, (0.1, 0.9))


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    together = ((a - a.mean()) * (b - b.mean())).mean()
    return float(together / (a.std() * b.std() + SMALL))


def _tensor(plane: Plane) -> list[float]:
    """Coherence of the structure tensor over the whole plane, and its direction as a point on a circle."""
    down, across = np.gradient(plane)
    xx, yy, xy = (across**2).mean(), (down**2).mean(), (across * down).mean()
    energy = xx + yy + SMALL**2
    return [float(np.hypot(xx - yy, 2 * xy) / energy), float((xx - yy) / energy), float(2 * xy / energy)]


def _standing_out(grey: Plane, blurred: list[Plane], colour: Plane) -> list[float]:
    """What is brighter or darker than its surroundings: streaks and flakes are thin, bright and colourless."""
    found = []
    for over in (grey - blurred[2], blurred[1] - blurred[4]):
        bright, dark = np.maximum(over - STANDS_OUT, 0), np.maximum(-over - STANDS_OUT, 0)
        spots = bright > 0
        told = [colour[spots].mean(), grey[spots].mean()] if spots.any() else [0.0, 0.0]
        found += [*_quantiles(over, (0.001, 0.01, 0.99, 0.999)), (dark > 0).mean(), spots.mean(), *told]
        found += [np.log((bright.mean() + SMALL) / (dark.mean() + SMALL)), *_tensor(bright)]
        found += [uniform_filter(spots.astype(np.float32), 32).std()]
    return [float(value) for value in found]


def _spectrum(grey: Plane) -> list[float]:
    """Log power in three rings and eight directions each, and how unlike the directions of a ring are."""
    side = min(grey.shape)
    top, left = ((n - side) // 2 for n in grey.shape)
    square = grey[top : top + side, left : left + side]
    window = np.hanning(side)
    power = np.abs(np.fft.rfft2((square - square.mean()) * window[:, None] * window)) ** 2
    y, x = np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None, :]
    radius, sector = np.hypot(y, x), ((np.arctan2(y, x) / np.pi * 8 + 0.5) % 8).astype(int)
    found = []
    for low, high in ((0.03, 0.1), (0.1, 0.22), (0.22, 0.45)):
        ring = (radius >= low) & (radius < high)
        sums = np.bincount(sector[ring], power[ring], 8) / np.bincount(sector[ring], minlength=8)
        logs = np.log(sums / side**2 + SMALL**2)
        found += [*(logs - logs.mean()), logs.mean(), np.ptp(logs), logs.mean() - logs.min()]
    return [float(value) for value in found]


def _noise(grey: Plane) -> list[float]:
    """The finest diagonal band of Haar's transform: its median size, and that in the darker and the brighter half."""
    rows, columns = (n // 2 * 2 for n in grey.shape)
    a, b, c, d = (grey[i:rows:2, j:columns:2] for i in (0, 1) for j in (0, 1))
    diagonal, light = np.abs(a - b - c + d) / 2, (a + b + c + d) / 4
    half = light <= np.median(light)
    sizes = [np.median(diagonal), np.median(diagonal[half]), np.median(diagonal[~half]) if (~half).any() else 0.0]
    return [float(np.log(size + 1e-3)) for size in sizes]


def _echoes(detail: Plane) -> list[float]:
    """How alike gradients are a few pixels further, in four directions: what a moving camera drags along repeats."""
    variance, found = float((detail**2).mean()) + SMALL**2, []
    for lag in (1, 3, 6):
        for down, across in ((0, lag), (lag, 0), (lag, lag), (lag, -lag)):
            found.append(float((detail * np.roll(detail, (down, across), (0, 1))).mean()) / variance)
        found += [max(found[-4:]) - min(found[-4:])]
    return found
