"""Smooth random fields and filters that the six simulators share: numpy only, reflecting borders."""

import numpy as np
from jaxtyping import Float
from scipy.fft import irfft2, next_fast_len, rfft2
from scipy.ndimage import correlate

FEW = 64
"""Of a kernel with so many numbers at most, sums are quicker than the FFT."""


def convolve(image: Float[np.ndarray, "h w c"], kernel: Float[np.ndarray, "kh kw"]) -> Float[np.ndarray, "h w c"]:
    """Correlate each channel with an odd-sized kernel (reflecting borders; large ones by FFT); shape is kept."""
    image, kernel = image.astype(np.float32), kernel.astype(np.float32)
    if kernel.size <= FEW:
        return correlate(image, kernel[..., None], mode="reflect")
    pad_y, pad_x = kernel.shape[0] // 2, kernel.shape[1] // 2
    padded = np.pad(image, ((pad_y, pad_y), (pad_x, pad_x), (0, 0)), mode="symmetric")
    shape = tuple(next_fast_len(side, real=True) for side in padded.shape[:2])  # a prime's FFT takes ten times as long
    planes = np.ascontiguousarray(padded.transpose(2, 0, 1))
    full = irfft2(rfft2(planes, s=shape) * np.conj(rfft2(kernel, s=shape)), s=shape)
    return np.ascontiguousarray(full[:, : image.shape[0], : image.shape[1]].transpose(1, 2, 0))


def gaussian_blur(image: Float[np.ndarray, "h w c"], sigma: float) -> Float[np.ndarray, "h w c"]:
    """Gaussian blur with standard deviation `sigma` in pixels; sigma <= 0 returns the image itself."""
    if sigma <= 0:
        return image
    radius = max(1, round(3 * sigma))
    line = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    line /= line.sum()
    return convolve(convolve(image, line[:, None]), line[None, :])


def box_mean(field: Float[np.ndarray, "h w"], radius: int) -> Float[np.ndarray, "h w"]:
    """Mean over a (2 radius + 1)-sided window, cut off at the borders; running sums, so any radius costs the same."""
    out = field.astype(np.float64)
    for axis in (0, 1):
        size = out.shape[axis]
        total = np.concatenate([np.zeros_like(np.take(out, [0], axis)), np.cumsum(out, axis)], axis)
        first = np.maximum(np.arange(size) - radius, 0)
        last = np.minimum(np.arange(size) + radius + 1, size)
        count = (last - first).reshape((-1, 1) if axis == 0 else (1, -1))
        out = (np.take(total, last, axis) - np.take(total, first, axis)) / count
    return out.astype(np.float32)


def smooth_field(height: int, width: int, falloff: float, generator: np.random.Generator) -> Float[np.ndarray, "h w"]:
    """Random field with amplitude spectrum 1/f^falloff, stretched to [0, 1]; larger falloff is smoother."""
    fy, fx = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :]
    frequency = np.hypot(fy, fx)
    frequency[0, 0] = np.inf
    noise = np.fft.rfft2(generator.standard_normal((height, width)))
    field = np.fft.irfft2(noise / frequency**falloff, s=(height, width))
    low, high = float(field.min()), float(field.max())
    return ((field - low) / max(high - low, 1e-12)).astype(np.float32)
