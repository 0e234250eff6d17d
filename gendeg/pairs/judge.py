"""Is a generated image what was asked for? Measured intensity, something to see, and the photo's structure kept."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from PIL import Image

from gendeg.intensity.measure import Intensity, measure_intensity
from gendeg.primitives.images import U8Image

INTENSITY_OFF, FLAT, STRUCTURE_LOST = "intensity_off", "flat", "structure_lost"
FLAT_BELOW = 1.0  # grey levels: standard deviation of an image in which nothing is to be seen
GRID = 48  # cells along the longer side, in which structure is compared


@dataclass(frozen=True)
class Verdict:
    """What was measured; `reason` is empty when the image passes."""

    measured: Intensity
    reason: str = ""
    message: str = ""


def judge(clean: U8Image, degraded: U8Image, mu: float, tolerance: float, structure: float) -> Verdict:
    """`mu` as it was asked for. |measured − mu| ≤ `tolerance` passes, and a correlation of structure ≥ `structure`."""
    measured = measure_intensity(clean, degraded)
    if degraded.std() < FLAT_BELOW <= clean.std():
        return Verdict(measured, FLAT, "the image is one flat colour")
    if abs(measured.mu - mu) > tolerance:
        return Verdict(measured, INTENSITY_OFF, f"measured mu {measured.mu:.3f}, asked for {mu:.3f}")
    kept = structure_kept(clean, degraded)
    if kept < structure:
        return Verdict(measured, STRUCTURE_LOST, f"structure correlates by {kept:.2f} with the photo's")
    return Verdict(measured)


def structure_kept(clean: U8Image, degraded: U8Image) -> float:
    """Correlation in [−1, 1] of what differs from its surroundings, on a coarse grid; 1 where the photo has none."""
    first, second = (_detail(image) for image in (clean, degraded))
    scale = float(np.sqrt((first**2).sum() * (second**2).sum()))
    if (first**2).mean() < 0.25 or scale == 0.0:  # under half a grey level: nothing that could be lost
        return 1.0 if (first**2).mean() < 0.25 else 0.0
    return float((first * second).sum()) / scale


def _detail(image: U8Image) -> Float[np.ndarray, "y x"]:
    """Grey cells minus the mean of their 5 × 5 neighbourhood: haze and darkness scale it, they do not turn it round."""
    height, width = image.shape[:2]
    scale = min(1.0, GRID / max(height, width))
    small = (max(1, round(width * scale)), max(1, round(height * scale)))
    grey = np.asarray(Image.fromarray(image).convert("L").resize(small, Image.Resampling.BOX), np.float64)
    padded = np.pad(grey, 2, mode="edge")
    near = sum(padded[dy : dy + grey.shape[0], dx : dx + grey.shape[1]] for dy in range(5) for dx in range(5)) / 25
    return grey - near
