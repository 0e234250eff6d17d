"""Low light: under-exposure in linear light, then sensor noise (Foi et al., TIP 2008; Wei et al., ELD, CVPR 2020)."""

import numpy as np
from jaxtyping import Float

from gendeg.physics.control import check_strength, shifted, solve_rising
from gendeg.physics.fields import box_mean, convolve, smooth_field

GAMMA = 2.2
LUMINANCE = np.array([0.2126, 0.7152, 0.0722], dtype=np.float32)
FULL_DARKNESS = 0.94  # part of the mean brightness that is gone at strength 1, as in the darkest brackets
DARKEST = 0.97  # at any strength: 99 of 100 real exposures (LOL, brackets) keep more, and beyond a photo is black
TOE_SLOPE = 12.92  # of the sRGB curve in the deepest shadows (IEC 61966-2-1): noise there grows no further

LAMPS_ON = 0.4
"""Part of the photos whose small white things are lamps; of the others they are white things."""

CASTS: tuple[tuple[float, tuple[float, float, float]], ...] = (
    (0.40, (1.0, 1.0, 1.0)),
    (0.30, (1.35, 0.97, 0.60)),  # lamps
    (0.20, (0.75, 1.0, 1.40)),  # dusk, moon
    (0.10, (0.92, 1.05, 0.92)),  # tubes, raw sensor
)
"""(probability, gains of red, green and blue) of the light that is left."""


def low_light(
    clean: Float[np.ndarray, "h w 3"], strength: float, generator: np.random.Generator, evenness: float = 0.0
) -> Float[np.ndarray, "h w 3"]:
    """Photograph the scene in too little light: unit range in and out, strength in [0, 1] sets the share of the mean
    brightness that is lost, so mu is about that share times the photo's mean. `evenness` (see `shifted`) is from a
    shorter exposure, which takes most from what is bright, to a tone curve, which takes more from the shadows.
    Raises `ValueError`.

    How the loss is split between exposure and tone curve, its colour, its unevenness, the noise and how much brighter
    than white lamps and windows really were are drawn. In real brackets the noise can hardly be seen more often than
    not, shadows go down as the square of the photo, and lamps stay.
    """
    strength = check_strength(strength)
    white_balance = draw_cast(strength, generator)
    lighting = draw_lighting(clean.shape[0], clean.shape[1], strength, generator)
    excess, lamps = 4.0 * generator.random() ** 2, float(np.exp(generator.uniform(np.log(0.5), np.log(30.0))))
    lamps *= generator.random() < LAMPS_ON
    lighting = lighting * (1 + beyond_white(clean, excess, lamps)) ** np.float32(strength)
    dull = desaturate(clean, generator.uniform(0.0, 0.35) * strength)
    stops, bend = 1.0 - 0.5 * shifted(evenness, generator), 0.45 * shifted(evenness, generator)
    skip = max(1, int(np.sqrt(clean[..., 0].size / 1024)))
    sample, sample_light = dull[::skip, ::skip], lighting[::skip, ::skip]
    target = (1.0 - min(DARKEST, FULL_DARKNESS * strength**1.1)) * float(sample.mean())

    def lost(dark: float) -> float:
        left = expose(sample, np.exp(-stops * dark), 1 + bend * dark, white_balance, sample_light)
        return -float(left.mean())

    dark = solve_rising(lost, -target, 12.0, steps=22)
    exposed = expose(dull, float(np.exp(-stops * dark)), 1 + bend * dark, white_balance, lighting)
    shot = strength * float(np.exp(generator.uniform(np.log(1e-6), np.log(2e-3))))
    read = strength * float(np.exp(generator.uniform(np.log(1e-5), np.log(2e-3))))
    spread, rows = generator.uniform(0.0, 0.8), generator.standard_normal((clean.shape[0], 1, 1), dtype=np.float32)
    light = exposed**GAMMA
    noise = correlate(sensor_noise(light, shot, read, generator) - light, spread)
    noise += np.float32(0.12 * read) * rows  # ELD's row noise
    return quantise(np.clip(exposed + noise * encoding_slope(light), 0.0, 1.0))


def expose(
    clean: Float[np.ndarray, "h w 3"],
    gain: float,
    gamma: float = 1.0,
    white_balance: Float[np.ndarray, " 3"] | tuple[float, float, float] = (1.0, 1.0, 1.0),
    lighting: Float[np.ndarray, "h w"] | float = 1.0,
) -> Float[np.ndarray, "h w 3"]:
    """The noise-free dark photo, (gain * lighting * balance * x^2.2)^(gamma / 2.2), unit range.

    `gain` is the exposure in linear light, `gamma` > 1 crushes the shadows (Lv et al., IJCV 2021, equation 1, uses
    the same beta (alpha x)^gamma); `lighting` is a map of relative light. Gain 1 and gamma 1 change nothing.
    """
    balance = np.asarray(white_balance, dtype=np.float32)
    light = np.asarray(lighting, dtype=np.float32)[..., None]
    factor = (np.float32(gain) * light * balance) ** np.float32(gamma / GAMMA)
    curve = clean if gamma == 1.0 else clean ** np.float32(gamma)
    return np.clip(curve * factor, 0.0, 1.0).astype(np.float32)


def beyond_white(clean: Float[np.ndarray, "h w 3"], excess: float, lamps: float) -> Float[np.ndarray, "h w"]:
    """How many times brighter than recorded a clipped pixel really was, less one: what makes lamps stay in the dark.

    `excess` for all that is nearly white, `lamps` more for what also stands out from its surroundings: a lamp or a
    window does, a pale wall does not. 0 below .9 of white: by luminance, for skin and petals in the sun clip in one
    channel only. A bright sky's own grain would come out many times larger, so that what is large is taken as the mean
    of its neighbourhood.
    """
    value = clean @ LUMINANCE
    near, around = (box_mean(value, max(2, min(value.shape) // part)) for part in (32, 8))
    blown, pale = (np.clip((one - 0.9) / 0.1, 0.0, 1.0) ** 2 for one in (value, near))
    alone = np.clip((value - around) / 0.4, 0.0, 1.0)
    return (pale * excess + blown * lamps * alone).astype(np.float32)


def encoding_slope(light: Float[np.ndarray, "h w 3"]) -> Float[np.ndarray, "h w 3"]:
    """How much the photo's encoding stretches a small change of linear light in (0, 1]; at most sRGB's toe."""
    steep = np.maximum(light, np.float32(1e-5)) ** np.float32(1.0 / GAMMA - 1.0) / np.float32(GAMMA)
    return np.minimum(steep, np.float32(TOE_SLOPE))


def sensor_noise(
    light: Float[np.ndarray, "h w 3"], shot: float, read: float, generator: np.random.Generator
) -> Float[np.ndarray, "h w 3"]:
    """Poisson-Gaussian measurement of linear light: mean `light`, variance shot * light + read^2 (Foi et al. 2008).

    Not clipped, so the mean is exact; `shot` is one photo-electron's share of full scale, `read` a deviation.
    """
    own = read * generator.standard_normal(
        light.shape, dtype=np.float32
    )  # first: how much photons draw depends on light
    measured = generator.poisson(light / shot) * shot if shot > 1e-9 else light
    return (measured + own).astype(np.float32)


def correlate(noise: Float[np.ndarray, "h w 3"], amount: float) -> Float[np.ndarray, "h w 3"]:
    """Spread noise over neighbours as demosaicking does; the kernel has unit energy, so the variance stays."""
    line = np.array([0.5 * amount, 1.0, 0.5 * amount])
    kernel = np.outer(line, line)
    return convolve(noise, kernel / np.sqrt((kernel**2).sum()))


def quantise(image: Float[np.ndarray, "h w 3"], levels: int = 255) -> Float[np.ndarray, "h w 3"]:
    """Round to `levels` steps of unit range: in the dark few levels are left, and they show."""
    return (np.round(image * levels) / levels).astype(np.float32)


def desaturate(image: Float[np.ndarray, "h w 3"], amount: float) -> Float[np.ndarray, "h w 3"]:
    """Blend towards the luminance: colour fades as light does (Purkinje); amount 0 nothing, 1 grey."""
    grey = (image @ LUMINANCE)[..., None]
    return (image + amount * (grey - image)).astype(np.float32)


def draw_cast(strength: float, generator: np.random.Generator) -> Float[np.ndarray, " 3"]:
    """Gains of red, green and blue with luminance 1; weak strength leaves the colours alone."""
    chances = np.array([chance for chance, _ in CASTS])
    cast = np.array(CASTS[generator.choice(len(CASTS), p=chances / chances.sum())][1])
    gains = (cast ** generator.uniform(0.4, 1.2) * np.exp(generator.normal(0.0, 0.05, 3))) ** strength
    return (gains / (gains @ LUMINANCE)).astype(np.float32)


def draw_lighting(height: int, width: int, strength: float, generator: np.random.Generator) -> Float[np.ndarray, "h w"]:
    """Relative light over the picture, at most 1: a vignette and, a quarter of the time, pools of light and shade."""
    rows, columns = np.linspace(-1, 1, height)[:, None], np.linspace(-1, 1, width)[None, :]
    fall = 1.0 - generator.uniform(0.0, 0.6) * strength * 0.5 * (rows**2 + columns**2)
    if generator.random() < 0.25:
        pools = smooth_field(height, width, 2.6, generator)
        fall = fall * np.exp(generator.uniform(0.5, 1.8) * strength * (pools - 1.0))
    return np.asarray(fall, dtype=np.float32)
