"""The simulators' table and how two of them share one photo; they bootstrap training pairs."""

from collections.abc import Callable

import numpy as np

from gendeg.physics import haze, low_light, motion_blur, rain, raindrop, snow
from gendeg.physics.control import check_strength
from gendeg.primitives.images import UnitImage
from gendeg.primitives.kinds import DIRECTED, Degradation, Mix, has_direction, in_light, mix_name

Simulator = Callable[..., UnitImage]
"""(clean, strength in [0, 1], generator) → degraded; both photos float32 in unit range and of one shape.

Those of `DIRECTED` take a `direction` too, in degrees (see `control.to_lean`); None draws it. All take an `evenness`
(see `control.shifted`): one mu, spread over the picture or kept to a part of it."""

SIMULATORS: dict[Degradation, Simulator] = {
    Degradation.HAZE: haze.haze,
    Degradation.RAIN: rain.rain,
    Degradation.SNOW: snow.snow,
    Degradation.MOTION_BLUR: motion_blur.motion_blur,
    Degradation.LOW_LIGHT: low_light.low_light,
    Degradation.RAINDROP: raindrop.raindrop,
}


def degrade(
    clean: UnitImage,
    mix: Mix,
    strength: float,
    generator: np.random.Generator,
    direction: float | None = None,
    evenness: float = 0.0,
) -> UnitImage:
    """Apply every member of a mix in the order of the light path; a single degradation gets the whole strength.

    Two members split the strength at random between 0.4 and 0.6, so that mu, which nearly adds up, stays between those
    of the singles and neither one disappears. `direction` is in degrees from the vertical, positive to the right on the
    way down, of period 180 (`control.to_lean`); None draws one. `evenness` lies in [-1, 1]; 0 is as drawn.
    Raises `ValueError` for the strength, an empty mix, and a direction that no member of the mix has.
    """
    if not mix:
        raise ValueError("a mix needs at least one degradation")
    if direction is not None and not has_direction(mix):
        raise ValueError(f"nothing in {mix_name(mix)} has a direction")
    check_strength(strength)
    degraded = clean
    for kind, share in zip(in_light(mix), draw_shares(len(mix), generator), strict=True):
        asked = {"direction": direction} if kind in DIRECTED else {}
        degraded = SIMULATORS[kind](degraded, strength * share, generator, evenness=evenness, **asked)
    return degraded


def draw_shares(members: int, generator: np.random.Generator) -> list[float]:
    """Positive parts of the strength that sum to 1, none more than 1.5 times another; a lone member gets all."""
    weights = generator.uniform(0.8, 1.2, members) if members > 1 else np.ones(1)
    return [float(weight) for weight in weights / weights.sum()]
