"""The simulators brought to an asked mu and sigma: how strong they have to be on this photo, and how evenly spread."""

import hashlib
import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

import gendeg.physics as room
from gendeg.intensity.ask import Ask
from gendeg.intensity.direction import Direction
from gendeg.intensity.measure import Intensity, measure_intensity
from gendeg.physics import control, degrade, fields, haze, layers, low_light, motion_blur, rain, raindrop, snow
from gendeg.primitives.images import U8Image, resize_short_side, u8_to_unit, unit_to_u8
from gendeg.primitives.kinds import Mix, has_direction
from gendeg.primitives.rng import for_sample

SOURCES = (room, control, fields, layers, haze, rain, snow, motion_blur, low_light, raindrop)
CLOSE, MET = (0.0004, 0.004), (0.002, 0.02)
"""Off by how much mu is looked for no further, and is met all the same: absolute, and of mu; the larger counts."""
ENOUGH = 0.03  # of sigma: off by no more, it is as asked
ROUNDS, TURNS = 16, 3  # tries of a strength; of an evenness
FEW, MANY = 128, 256
"""Short side of the photo on which one looks first, where its own is longer than MANY."""
RISE, WIDEN = 1.7, 0.8  # mu grows about as strength^1.7, and sigma as mu^0.8

At = Callable[[float, float], U8Image]
"""(strength, evenness in [-1, 1]) → the degraded photo, of one draw of everything else."""


@cache
def physics_sha256() -> str:
    """Changes when the simulators' code does, or this file's."""
    texts = [inspect.getsource(module) for module in (*SOURCES, sys.modules[__name__])]
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


@dataclass(frozen=True)
class Shot:
    """One try: what was asked of the simulator, and what its image measures."""

    strength: float
    evenness: float
    image: U8Image
    measured: Intensity

    def off(self, mu: float) -> float:
        return abs(self.measured.mu - mu)


def nearest(clean: U8Image, ask: Ask, seed: int) -> Shot:
    """The shot whose mu is as asked (nearest, where none is) and whose sigma is as near as the simulator lets it be.

    Of one seed everything is drawn alike whatever is asked: streaks lie where they lay, and are more, or stronger.
    """
    direction = asked_degrees(ask.mix, ask.direction)

    def simulator(photo: U8Image) -> At:
        unit = u8_to_unit(photo)

        def at(strength: float, evenness: float) -> U8Image:
            generator = for_sample(seed, ask.name, "simulate")
            return unit_to_u8(degrade(unit, ask.mix, strength, generator, direction, evenness))

        return at

    if min(clean.shape[:2]) <= MANY:
        return solve(simulator(clean), clean, ask.mu, ask.sigma)
    small = resize_short_side(clean, FEW)
    return reach(simulator(clean), clean, ask.mu, solve(simulator(small), small, ask.mu, ask.sigma))


def asked_degrees(mix: Mix, direction: Direction) -> float | None:
    """Of an asked direction; None: the simulator draws it."""
    return None if not direction.known or not has_direction(mix) else direction.degrees


def solve(at: At, clean: U8Image, mu: float, sigma: float) -> Shot:
    """Strength for mu, evenness for sigma; mu goes before sigma."""
    shot = reach(at, clean, mu)
    if not is_met(shot, mu) or _near(shot, sigma):
        return shot
    evenness = _find_evenness(at, clean, mu, sigma, shot)
    turned = find_strength(at, clean, mu, evenness, shot.strength)
    return turned if is_met(turned, mu) and _sigma_off(turned, sigma) < _sigma_off(shot, sigma) else shot


def reach(at: At, clean: U8Image, mu: float, guess: Shot | None = None) -> Shot:
    """The shot that has mu, from a guess; with another evenness where this photo does not come so far with that one."""
    first = guess.evenness if guess else 0.0
    shot = find_strength(at, clean, mu, first, guess.strength if guess else 0.5)
    for evenness in (0.0, 1.0, -1.0):
        if is_met(shot, mu):
            break
        other = find_strength(at, clean, mu, evenness, shot.strength) if evenness != first else shot
        shot = min(shot, other, key=lambda one: one.off(mu))
    return shot


def is_met(shot: Shot, mu: float) -> bool:
    """Whether its mu is the asked one."""
    return is_near(shot.measured.mu, mu)


def is_near(found: float, mu: float) -> bool:
    """Whether a measured mu is taken for the asked one."""
    return abs(found - mu) <= max(MET[0], MET[1] * mu)


def find_strength(at: At, clean: U8Image, mu: float, evenness: float, start: float) -> Shot:
    """The shot whose mu is nearest: by the power law that strengths nearly follow, between what is too weak and strong.

    Where mu is found nowhere, the end of the range that comes nearest.
    """
    low: Shot | None = None
    high: Shot | None = None
    best, strength = None, min(max(start, 1e-3), control.STRONGEST)
    for turn in range(ROUNDS):
        shot = _shoot(at, clean, strength, evenness)
        best = shot if best is None or shot.off(mu) < best.off(mu) else best
        if best.off(mu) <= max(CLOSE[0], CLOSE[1] * mu):
            break
        if shot.measured.mu < mu:
            low = shot
        else:
            high = shot
        if (low and low.strength == control.STRONGEST) or (high and high.strength == 0.0):
            break
        strength = _next_strength(low, high, shot, mu, halve=turn % 3 == 2)
    assert best is not None
    return best


def _next_strength(low: Shot | None, high: Shot | None, last: Shot, mu: float, halve: bool) -> float:
    if low is not None and high is not None:
        if halve or low.measured.mu <= 0:
            return (low.strength + high.strength) / 2
        share = np.log(mu / low.measured.mu) / np.log(high.measured.mu / low.measured.mu)
        share = min(max(float(share), 0.05), 0.95)
        return low.strength + share * (high.strength - low.strength)
    if high is None:
        rise = (mu / last.measured.mu) ** (1 / RISE) if last.measured.mu > 0 else 4.0
        return min(control.STRONGEST, last.strength * max(rise * 1.02, 1.02))
    guess = last.strength * (mu / last.measured.mu) ** (1 / RISE) * 0.98
    return guess if guess > 1e-3 else 0.0


def _find_evenness(at: At, clean: U8Image, mu: float, sigma: float, drawn: Shot) -> float:
    """Regula falsi between the drawn evenness and the end that lies towards sigma; that end where it is not enough."""
    end = 1.0 if drawn.measured.sigma > sigma else -1.0
    near, near_off = 0.0, drawn.measured.sigma - sigma
    far, last = end, drawn
    for _ in range(TURNS):
        last = _shoot(at, clean, _scaled(last, mu), far)
        off = last.measured.sigma * (mu / max(last.measured.mu, 1e-6)) ** WIDEN - sigma
        if abs(off) <= ENOUGH * sigma or (far == end and off * near_off > 0):
            return far
        if off * near_off > 0:
            near, near_off = far, off
        else:
            end, end_off = far, off
        far = near + (end - near) * near_off / (near_off - end_off)
    return far


def _scaled(shot: Shot, mu: float) -> float:
    """The strength at which it would have that mu."""
    return float(min(control.STRONGEST, max(1e-3, shot.strength * (mu / max(shot.measured.mu, 1e-6)) ** (1 / RISE))))


def _shoot(at: At, clean: U8Image, strength: float, evenness: float) -> Shot:
    image = at(strength, evenness)
    return Shot(strength, evenness, image, measure_intensity(clean, image))


def _sigma_off(shot: Shot, sigma: float) -> float:
    return abs(shot.measured.sigma - sigma)


def _near(shot: Shot, sigma: float) -> bool:
    return not _sigma_off(shot, sigma) > ENOUGH * sigma  # of a sigma that nobody asked for (NaN) every one is near
