"""A second family of simulators, by other published equations than ours: test data from a source nobody trained on.

Fog, snow and spatter after the corruptions of Hendrycks and Dietterich (ICLR 2019), rain as Photoshop makes it (Fu et
al., CVPR 2017), blur as a mean of moved copies (Nah et al., CVPR 2017) or along a line, low light as Retinex (Land,
1977) with a tone curve (Lore et al., LLNet, 2017). Written anew from the papers; severities are one axis here, and
wider. Not in SIMULATORS, so no training data is made with them.
"""

import numpy as np
from jaxtyping import Float

from gendeg.physics.control import check_strength
from gendeg.physics.fields import convolve, gaussian_blur, smooth_field
from gendeg.physics.raindrop import sample
from gendeg.primitives.images import GREY, UnitImage
from gendeg.primitives.kinds import Degradation, Mix

WATER = np.array([175, 238, 238], dtype=np.float32) / 255  # Hendrycks and Dietterich's colour of spatter

"""All below: unit range in and out, strength in [0, 1] (0 changes nothing), `ValueError` for another strength."""


def fog(clean: UnitImage, strength: float, generator: np.random.Generator) -> UnitImage:
    """(x + c f) m / (m + c): f a plasma fractal in [0, 1], m the photo's maximum, c up to 3 (theirs: 1.5 to 3).

    c is 3 strength², because half of all that fog can do is done at c = 0.7.
    """
    amount = 3.0 * check_strength(strength, 1.0) ** 2
    height, width = clean.shape[:2]
    field = plasma(height, width, generator.uniform(1.4, 2.4), generator)[..., None]
    most = max(float(clean.max()), 1e-3)
    return _unit((clean + amount * field) * most / (most + amount))


def plasma(height: int, width: int, decay: float, generator: np.random.Generator) -> Float[np.ndarray, "h w"]:
    """Diamond-square midpoint displacement (Fournier et al., 1982) in [0, 1]; each halving divides steps by `decay`."""
    side = 1 << int(np.ceil(np.log2(max(height, width, 2))))
    field, step, swing = np.zeros((side, side)), side, 1.0
    while step > 1:
        half = step // 2
        corners = field[::step, ::step]
        right, below = np.roll(corners, -1, 1), np.roll(corners, -1, 0)
        centre = (corners + right + below + np.roll(right, -1, 0)) / 4
        field[half::step, half::step] = centre + generator.uniform(-swing, swing, corners.shape)
        middle = field[half::step, half::step]
        over, before = np.roll(middle, 1, 0), np.roll(middle, 1, 1)
        field[::step, half::step] = (corners + right + middle + over) / 4 + generator.uniform(
            -swing, swing, corners.shape
        )
        field[half::step, ::step] = (corners + below + middle + before) / 4 + generator.uniform(
            -swing, swing, corners.shape
        )
        step, swing = half, swing / decay
    field -= field.min()
    return (field / max(float(field.max()), 1e-12))[:height, :width].astype(np.float32)


def streaks(clean: UnitImage, strength: float, generator: np.random.Generator) -> UnitImage:
    """1 − (1 − x)(1 − s), the screen blend: s is thresholded noise, blurred along one direction."""
    check_strength(strength, 1.0)
    height, width = clean.shape[:2]
    scale = max(min(height, width) / 256, 0.5)
    angle = np.radians(generator.uniform(-60, 60)) + np.pi / 2
    length = scale * generator.uniform(12, 50)
    noise = gaussian_blur(generator.standard_normal((height, width, 1)).astype(np.float32), generator.uniform(0.3, 0.9))
    noise /= max(float(noise.std()), 1e-6)
    drops = np.clip(noise - (3.0 - 1.5 * strength), 0, 1)
    layer = convolve(drops, line_psf(length, angle)) * length**0.5 * generator.uniform(0.8, 1.6) * 3.0
    return _unit(1 - (1 - clean) * (1 - np.clip(layer * strength, 0, 0.95)))


def flakes(clean: UnitImage, strength: float, generator: np.random.Generator) -> UnitImage:
    """w x + (1 − w) max(x, 1.5 grey + 0.5) + s + s turned by 180°: whitened, then two layers of blurred noise."""
    check_strength(strength, 1.0)
    height, width = clean.shape[:2]
    zoom = generator.uniform(1.5, 4.5) * max(min(height, width) / 256, 0.5)
    noise = generator.standard_normal((int(height / zoom) + 2, int(width / zoom) + 2, 1)).astype(np.float32)
    places = np.stack(np.meshgrid(np.arange(height) / zoom, np.arange(width) / zoom, indexing="ij")).reshape(2, -1)
    layer = sample(np.repeat(noise, 3, 2), places.astype(np.float32))[:, :1].reshape(height, width, 1)
    layer = np.clip(0.5 * (layer - (2.0 - 1.1 * strength)), 0, 1) * 2.0
    layer = convolve(layer, line_psf(zoom * generator.uniform(0.5, 4), np.radians(generator.uniform(45, 135))))
    layer = np.clip(layer, 0, 1) * strength**0.5
    kept = 1 - 0.25 * strength
    white = np.maximum(clean, 1.5 * (clean @ GREY.astype(np.float32))[..., None] + 0.5)
    return _unit(kept * clean + (1 - kept) * np.minimum(white, 1) + layer + np.rot90(layer, 2))


def shaken(clean: UnitImage, strength: float, generator: np.random.Generator) -> UnitImage:
    """Half along one line at even speed; half the mean of copies that are moved and turned at even speed.

    In the photo's own encoding, as sets made from frames do; up to 9 % of the short side, and 3 degrees.
    """
    reach = 0.09 * check_strength(strength, 1.0) * min(clean.shape[:2]) * generator.uniform(0.7, 1.3)
    angle, turn = generator.uniform(0, np.pi), np.radians(generator.uniform(-3, 3)) * strength
    if generator.random() < 0.5:
        return _unit(convolve(clean, line_psf(reach, angle)))
    height, width = clean.shape[:2]
    centre = np.array([[height], [width]]) * generator.uniform(0.2, 0.8, (2, 1))
    here = np.stack(np.meshgrid(np.arange(height), np.arange(width), indexing="ij")).reshape(2, -1) - centre
    moments = np.linspace(-0.5, 0.5, 2 * int(np.ceil(reach + turn * max(height, width) / 2)) + 3 if reach else 1)
    total = np.zeros((height * width, 3), np.float32)
    for moment in moments - moments.mean():
        cos, sin = np.cos(turn * moment), np.sin(turn * moment)
        there = np.array([[cos, -sin], [sin, cos]]) @ here + centre
        there += moment * reach * np.array([[np.sin(angle)], [np.cos(angle)]])
        total += sample(clean, there.astype(np.float32))
    return _unit((total / len(moments)).reshape(clean.shape))


def line_psf(length: float, angle: float) -> Float[np.ndarray, "k k"]:
    """An even line through the middle, `length` pixels at `angle` radians from the horizontal, sum 1; 0: identity."""
    radius = int(np.ceil(length / 2))
    psf = np.zeros((2 * radius + 2, 2 * radius + 2))
    moments = np.linspace(-0.5, 0.5, 8 * radius + 1) * length
    rows, columns = radius + moments * np.sin(angle), radius + moments * np.cos(angle)
    for down in (0, 1):
        for right in (0, 1):
            top, left = np.floor(rows).astype(int), np.floor(columns).astype(int)
            weight = np.abs(1 - down - (rows - top)) * np.abs(1 - right - (columns - left))
            np.add.at(psf, (top + down, left + right), weight)
    return psf[: 2 * radius + 1, : 2 * radius + 1] / len(moments)


def dusk(clean: UnitImage, strength: float, generator: np.random.Generator) -> UnitImage:
    """(x L)^γ: reflectance times an uneven light L in (0, 1], then a tone curve γ from 1 to 2.5; no noise of ours."""
    check_strength(strength, 1.0)
    height, width = clean.shape[:2]
    light = smooth_field(height, width, generator.uniform(2.0, 3.0), generator)
    depth, bend = generator.uniform(0.4, 1.5) * strength, 1 + generator.uniform(0.3, 1.5) * strength
    unlit = np.exp(-depth * (1.2 - light))[..., None] if strength else np.ones((height, width, 1), np.float32)
    return _unit((clean * unlit) ** np.float32(bend))


def spatter(clean: UnitImage, strength: float, generator: np.random.Generator) -> UnitImage:
    """x + m C: blobs of a thresholded smooth noise, embossed by their slope, in a pale water colour C."""
    check_strength(strength, 1.0)
    height, width = clean.shape[:2]
    scale = max(min(height, width) / 256, 0.5)
    size = scale * generator.uniform(2.0, 5.0)
    noise = gaussian_blur(generator.standard_normal((height, width, 1)).astype(np.float32), size)[..., 0]
    noise /= max(float(noise.std()), 1e-6)
    depth = np.clip(noise - (2.2 - 1.7 * strength), 0, 1)
    turn = generator.uniform(0, 2 * np.pi)
    slopes = np.gradient(depth) if min(height, width) > 1 else (0 * depth, 0 * depth)
    relief = (np.cos(turn) * slopes[0] + np.sin(turn) * slopes[1]) * size
    mask = np.where(depth > 0, 0.45 * np.tanh(3 * depth) + 0.8 * relief, 0)[..., None] * strength**0.5
    return _unit(clean + mask * WATER * generator.uniform(0.6, 1.0))


def _unit(image: Float[np.ndarray, "h w 3"]) -> UnitImage:
    return np.clip(image, 0, 1).astype(np.float32)


STRANGERS = {
    Degradation.HAZE: fog,
    Degradation.RAIN: streaks,
    Degradation.SNOW: flakes,
    Degradation.MOTION_BLUR: shaken,
    Degradation.LOW_LIGHT: dusk,
    Degradation.RAINDROP: spatter,
}
"""Degradation → simulator of its kind, as in SIMULATORS."""


def stranger(clean: UnitImage, mix: Mix, strength: float, generator: np.random.Generator) -> UnitImage:
    """The one member of a mix by its stranger. Raises `ValueError` for a mix of two."""
    if len(mix) != 1:
        raise ValueError("the second family makes single degradations only")
    return STRANGERS[mix[0]](clean, strength, generator)
