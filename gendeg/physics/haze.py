"""Haze by atmospheric scattering (Koschmieder 1924; He et al., CVPR 2009), with a depth map guessed from one photo."""

import numpy as np
from jaxtyping import Float

from gendeg.physics.control import check_strength, shifted, solve_rising
from gendeg.physics.fields import box_mean, gaussian_blur, smooth_field
from gendeg.primitives.images import GREY

FULL_VEIL = 0.73  # mean of 1 - t at strength 1: with an airlight about 0.42 away from the scene, mu is about 0.3
MAX_SCATTERING = 200.0

AIRLIGHTS: tuple[tuple[float, tuple[float, float, float]], ...] = (
    (0.50, (1.0, 1.0, 1.0)),  # overcast
    (0.34, (0.95, 0.995, 1.04)),  # bluish distance haze
    (0.12, (1.03, 1.0, 0.94)),  # low sun
    (0.04, (1.07, 1.0, 0.82)),  # dust and smog
)
"""(probability, tint) of the airlight; tints have a luminance near 1."""


def haze(
    clean: Float[np.ndarray, "h w 3"], strength: float, generator: np.random.Generator, evenness: float = 0.0
) -> Float[np.ndarray, "h w 3"]:
    """Lay haze over a photo: unit range in and out, strength in [0, 1] sets the mean veil 1 - t, not beta.

    beta alone would mean nothing across photos, because the guessed depth has no unit; the scattering is solved for
    so that the mean of 1 - exp(-beta d) is the same for every photo at one strength. `evenness` (see `shifted`) is from
    a clear foreground to haze that is nearly as thick near as far. Raises `ValueError`.
    """
    veil = FULL_VEIL * check_strength(strength) ** 1.1
    depth = guess_depth(clean, generator, evenness)
    if generator.random() < 0.3:
        depth = depth * fog_density(depth.shape[0], depth.shape[1], generator)
    transmission = transmit(depth, scattering_for(depth, veil))
    airlight = draw_airlight(clean, generator)
    scattered = far_blur(clean, transmission, sigma=generator.uniform(0.0, 0.004) * min(depth.shape))
    return scatter(scattered, transmission, airlight)


def scatter(
    clean: Float[np.ndarray, "h w 3"], transmission: Float[np.ndarray, "h w"], airlight: Float[np.ndarray, "... 3"]
) -> Float[np.ndarray, "h w 3"]:
    """I = J t + A (1 - t) in the photo's own encoding, as in He et al. 2009 and RESIDE; all in unit range."""
    through = transmission[..., None]
    return np.clip(clean * through + airlight * (1.0 - through), 0.0, 1.0).astype(np.float32)


def transmit(depth: Float[np.ndarray, "h w"], scattering: float) -> Float[np.ndarray, "h w"]:
    """Beer-Lambert: t = exp(-beta d), d >= 0 in any unit of length and beta in its inverse."""
    return np.exp(-scattering * depth).astype(np.float32)


def scattering_for(depth: Float[np.ndarray, "h w"], veil: float) -> float:
    """The beta at which the mean of 1 - exp(-beta d) is `veil`, solved on about a thousand pixels."""
    sample = depth.ravel()[:: max(1, depth.size // 1024)].astype(np.float64)
    return solve_rising(lambda beta: 1.0 - float(np.exp(-beta * sample).mean()), veil, MAX_SCATTERING)


def far_blur(
    clean: Float[np.ndarray, "h w 3"], transmission: Float[np.ndarray, "h w"], sigma: float
) -> Float[np.ndarray, "h w 3"]:
    """Forward multiple scattering softens what is far (Narasimhan and Nayar, CVPR 2003): a blend by 1 - t."""
    if sigma < 0.3:
        return clean
    return clean + (gaussian_blur(clean, sigma) - clean) * (1.0 - transmission[..., None])


def draw_airlight(clean: Float[np.ndarray, "h w 3"], generator: np.random.Generator) -> Float[np.ndarray, "h w 3"]:
    """Airlight in unit range: grey, bluish or warm, dimmer in dark scenes, with a weak gradient towards the light."""
    height, width = clean.shape[:2]
    chances = np.array([chance for chance, _ in AIRLIGHTS])
    tint = np.array(AIRLIGHTS[generator.choice(len(AIRLIGHTS), p=chances / chances.sum())][1])
    tint = tint ** generator.uniform(0.4, 2.4) * generator.normal(1.0, 0.008, 3)
    bright = float(np.percentile(clean @ GREY.astype(np.float32), 95))  # no white sky lights a scene without highlights
    level = (0.98 - 0.42 * generator.random() ** 1.5) * (0.84 + 0.16 * bright)  # NH-HAZE: .6, road photos at dawn: .5
    angle, swing = generator.uniform(0, 2 * np.pi), generator.uniform(0.0, 0.05)
    rows = np.linspace(-1, 1, height)[:, None] * np.sin(angle)
    columns = np.linspace(-1, 1, width)[None, :] * np.cos(angle)
    field = level * (1.0 + swing * (rows + columns))
    return np.clip(field[..., None] * tint, 0.0, 1.0).astype(np.float32)


def fog_density(height: int, width: int, generator: np.random.Generator) -> Float[np.ndarray, "h w"]:
    """Patchy fog as in NH-HAZE (Ancuti et al., CVPRW 2020): a positive density with banks wider than they are tall."""
    stretch = generator.uniform(1.0, 2.5)
    field = smooth_field(height, max(1, round(width / stretch)), generator.uniform(2.2, 3.0), generator)
    columns = np.linspace(0, field.shape[1] - 1, width)
    left = columns.astype(int)
    right, part = np.minimum(left + 1, field.shape[1] - 1), (columns - left).astype(np.float32)
    wide = field[:, left] * (1 - part) + field[:, right] * part
    return np.exp(generator.uniform(0.8, 2.4) * (wide - 0.5)).astype(np.float32)


def guess_depth(
    clean: Float[np.ndarray, "h w 3"], generator: np.random.Generator, evenness: float = 0.0
) -> Float[np.ndarray, "h w"]:
    """A plausible depth in (0, 1] for one photo: ground plane, colour cue and chance, with the photo's own edges.

    Against the depth that SOTS pairs tell, -log((A - I) / (A - J)): how high a pixel stands correlates by .71, a
    regression on 16 cues of colour, texture and place learnt from other scenes by .69; so the ground plane leads here.
    Half the draws stretch the far end, as outdoors: what is near stays clear while the distance is gone.
    """
    height, width = clean.shape[:2]
    radius = max(1, min(height, width) // 12)
    ground = ground_depth(
        height, width, generator.uniform(-0.1, 0.55), generator.normal(0, 0.15), generator.uniform(1.5, 8.0)
    )
    # pale things low in the picture are near (clothes, snow, paper), pale things high up are sky
    cue = box_mean(colour_attenuation(clean), max(1, radius // 3)) * (0.3 + 0.7 * ground)
    chance = smooth_field(height, width, generator.uniform(2.2, 3.0), generator)
    weights = generator.uniform((0.5, 0.1, 0.02), (0.9, 0.4, 0.15))
    raw = (weights[0] * ground + weights[1] * cue + weights[2] * chance) / weights.sum()
    refined = guided_filter(clean @ GREY.astype(np.float32), raw.astype(np.float32), radius, eps=1e-2)
    low, high = float(refined.min()), float(refined.max())
    near = 0.04 + 0.31 * shifted(evenness, generator)
    stretch = 1.0 + max(0.0, 1.5 - 3.0 * shifted(evenness, generator))
    return ((near + (1 - near) * (refined - low) / max(high - low, 1e-6)) ** stretch).astype(np.float32)


def ground_depth(height: int, width: int, horizon: float, tilt: float, recede: float) -> Float[np.ndarray, "h w"]:
    """Depth of a ground plane seen in perspective, 1 / (1 + recede * below): 1 at and above the horizon.

    `horizon` is a fraction of the height from the top, `tilt` its rise from the left border to the right one.
    """
    rows = (np.arange(height)[:, None] + 0.5) / height
    columns = (np.arange(width)[None, :] + 0.5) / width - 0.5
    below = np.maximum(rows - horizon - tilt * columns, 0.0)
    return (1.0 / (1.0 + recede * below)).astype(np.float32)


def colour_attenuation(clean: Float[np.ndarray, "h w 3"]) -> Float[np.ndarray, "h w"]:
    """Colour attenuation prior, d = 0.1218 + 0.9597 v - 0.7802 s, cut to [0, 1] (Zhu, Mai and Shao, TIP 2015)."""
    value, dark = clean.max(axis=2), clean.min(axis=2)
    saturation = (value - dark) / np.maximum(value, 1e-3)
    return np.clip(0.121779 + 0.959710 * value - 0.780245 * saturation, 0.0, 1.0)


def guided_filter(
    guide: Float[np.ndarray, "h w"], field: Float[np.ndarray, "h w"], radius: int, eps: float
) -> Float[np.ndarray, "h w"]:
    """Smooth `field` while following the edges of `guide` (He, Sun and Tang, ECCV 2010, equations 5, 6 and 8)."""
    guide_mean, field_mean = box_mean(guide, radius), box_mean(field, radius)
    covariance = box_mean(guide * field, radius) - guide_mean * field_mean
    slope = covariance / (box_mean(guide * guide, radius) - guide_mean**2 + eps)
    return box_mean(slope, radius) * guide + box_mean(field_mean - slope * guide_mean, radius)
