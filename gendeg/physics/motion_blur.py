"""Motion blur by a random camera trajectory (Boracchi and Foi, TIP 2012; Kupyn et al., DeblurGAN, CVPR 2018)."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from gendeg.physics.control import check_strength, shifted, to_lean
from gendeg.physics.fields import convolve

PLAIN = 0.3  # of the draws average pixels as they are stored, as GoPro's pairs do
RESPONSES = (2.0, 9.0)  # of the others: 2.2 brightens as a gamma of 2.2 does, 8 as the camera of REDS
BLOWN = 0.33  # of the draws have lights that are brighter than white
STEPS = 192  # instants of the exposure
SHORTEST, LONGEST = 0.003, 0.13  # extent at strength 0 and 1, as a part of the short side
STRAIGHT = 0.15  # most deviation across an asked direction, as a part of the deviation along it
STEADY_TURN = 0.25  # of a turn is left when a direction is asked, so that the whole picture moves alike

Path = Float[np.ndarray, "steps 2"]
"""Image displacement (y, x) in pixels at equal instants of the exposure."""


def motion_blur(
    clean: Float[np.ndarray, "h w 3"],
    strength: float,
    generator: np.random.Generator,
    direction: float | None = None,
    evenness: float = 0.0,
) -> Float[np.ndarray, "h w 3"]:
    """Shake the camera during the exposure: unit range in and out, strength in [0, 1] sets the length of the path.

    A third of the draws also turn the camera a little, which blurs the corners differently from the middle; a third
    treat blown-out pixels as brighter than white, so that lights leave trails; how much brighter the picture gets is
    drawn with the camera's response, from none to more than that of REDS. An asked `direction` (degrees, see
    `to_lean`) lays the path mostly straight along it and keeps turns small. `evenness` (see `shifted`) is from trails
    of lights and the steepest response, by which a blur shows most around what is bright, to neither. Raises
    `ValueError` for the strength.
    """
    short = min(clean.shape[:2])
    extent = short * (SHORTEST + (LONGEST - SHORTEST) * check_strength(strength) ** 1.75) * generator.uniform(0.8, 1.2)
    shake = shake_path(STEPS, generator)
    path = scale_path(shake if direction is None else lay_along(shake, to_lean(direction)), extent)
    highlights = generator.uniform(0.5, 3.0) * (shifted(evenness, generator) < BLOWN)
    response = response_at(shifted(evenness, generator))
    if generator.random() < 0.67:
        psf = trajectory_psf(path)
        return expose_frames(clean, lambda light: convolve(light, psf), response, highlights)
    turn = scale_path(shake_path(STEPS, generator), 1.0)[:, 0] * extent / short * generator.uniform(0.2, 1.0)
    turn *= 1.0 if direction is None else STEADY_TURN
    centre = (generator.uniform(0.2, 0.8), generator.uniform(0.2, 0.8))
    return expose_frames(clean, lambda light: blur_turning(light, path * 0.85, turn, centre), response, highlights)


def response_at(evenness: float) -> float:
    """From the steepest to the flattest of `RESPONSES` as evenness in [0, 1] rises, and none in the last `PLAIN`."""
    flattest, steepest = RESPONSES
    return 0.0 if evenness >= 1 - PLAIN else steepest - (steepest - flattest) * evenness / (1 - PLAIN)


def expose_frames(
    clean: Float[np.ndarray, "h w 3"],
    blur: Callable[[Float[np.ndarray, "h w 3"]], Float[np.ndarray, "h w 3"]],
    response: float,
    highlights: float = 0.0,
) -> Float[np.ndarray, "h w 3"]:
    """Blur in linear light, which is what averaging frames does; unit range in and out.

    A pixel's light is (e^(r x) - 1) / (e^r - 1), an exposure that counts by its logarithm but for its darkest part: r,
    the `response`, says how much more a light counts than a shadow, so how much a blur brightens. 0: pixels themselves
    are averaged. Averaged frames of REDS (Nah et al., CVPRW 2019) are met by 8, a gamma of 2.2 by 2.2.
    `highlights` is how much brighter than white a clipped pixel really was (Rim et al., RSBlur, ECCV 2022); 0 none.
    """
    most = np.float32(np.expm1(response))
    light = np.expm1(response * clean.astype(np.float32)) / most if most else clean.astype(np.float32)
    if highlights > 0:
        blown = np.clip((clean.min(axis=2, keepdims=True) - 0.94) / 0.06, 0.0, 1.0)
        light = light * (1.0 + highlights * blown**2)
    seen = np.clip(blur(light), 0.0, 1.0)
    return (np.log1p(most * seen) / response if most else seen).astype(np.float32)


def blur_turning(
    light: Float[np.ndarray, "h w 3"], path: Path, turn: Float[np.ndarray, " steps"], centre: tuple[float, float]
) -> Float[np.ndarray, "h w 3"]:
    """Shift by `path` and turn by `turn` radians about `centre` (parts of the height and width) during the exposure.

    Small turns move a pixel by turn * (-x, y); 3 x 3 local PSFs are blended bilinearly, the efficient filter flow of
    Hirsch et al. (CVPR 2010).
    """
    height, width = light.shape[:2]
    out = np.zeros_like(light)
    for node_y in range(3):
        for node_x in range(3):
            rows, rise = _hat(height, node_y)
            columns, run = _hat(width, node_x)
            y, x = height * (node_y / 2 - centre[0]), width * (node_x / 2 - centre[1])
            psf = trajectory_psf(path + turn[:, None] * np.array([-x, y]))
            margin = psf.shape[0] // 2
            top, left = max(0, rows.start - margin), max(0, columns.start - margin)
            patch = convolve(light[top : rows.stop + margin, left : columns.stop + margin], psf)
            part = patch[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
            out[rows, columns] += part * (rise[:, None] * run)[..., None]
    return out


def _hat(size: int, node: int) -> tuple[slice, Float[np.ndarray, " n"]]:
    """Where the hat function of one of three nodes along an axis is not zero, and its values; the three sum to 1."""
    place = 2 * (np.arange(size) + 0.5) / size
    hat = np.maximum(0.0, 1.0 - np.abs(place - node)).astype(np.float32)
    inside = np.flatnonzero(hat > 0)
    found = slice(int(inside[0]), int(inside[-1]) + 1) if inside.size else slice(0, 0)
    return found, hat[found]


def shake_path(steps: int, generator: np.random.Generator) -> Path:
    """Hand shake: a walk with inertia, a pull back to the start and rare jerks; in no unit, see `scale_path`.

    Most draws are nearly straight (a car, a swept camera), a quarter curved, few jerky: what GoPro and REDS pairs lose
    goes one way over the whole picture.
    """
    kind = generator.choice(3, p=(0.7, 0.25, 0.05))
    wander, pull = ((0.004, 0.0), (0.04, 0.001), (0.06, 0.002))[kind]
    jerk = (0.0, 0.003, 0.02)[kind]
    turning = generator.normal(0.0, (0.002, 0.006, 0.006)[kind])
    velocity = np.exp(2j * np.pi * generator.random())
    position, points = 0j, np.empty(steps, dtype=np.complex128)
    pushes = generator.normal(0.0, wander, (steps, 2)) @ np.array([1, 1j])
    jerks = generator.random(steps) < jerk
    headings = np.exp(2j * np.pi * generator.random(steps))
    for step in range(steps):
        points[step] = position
        velocity = (velocity + pushes[step] - pull * position) * np.exp(1j * turning)
        velocity = headings[step] if jerks[step] else velocity / max(abs(velocity), 1e-9) * min(abs(velocity), 1.5)
        position += velocity
    return np.stack([points.imag, points.real], axis=1)


def scale_path(path: Path, extent: float) -> Path:
    """Centre a path and give it the spread of a straight even sweep `extent` pixels long (deviation extent / √12)."""
    centred = path - path.mean(axis=0)
    spread = float(np.sqrt((centred**2).sum(axis=1).mean()))
    return centred * (extent / np.sqrt(12.0) / max(spread, 1e-12))


def lay_along(path: Path, lean: float) -> Path:
    """Rotate a path's main axis onto the line at `lean` radians from the vertical; across it, at most STRAIGHT stays.

    The main axis is the first principal component of the instants; a path that never moves stays as it is.
    """
    centred = path - path.mean(axis=0)
    axes = np.linalg.svd(centred, full_matrices=False)[2] if len(path) > 1 else np.eye(2)
    along, across = (centred @ axes.T).T
    limit = STRAIGHT * float(along.std()) / max(float(across.std()), 1e-12)
    line = np.array([np.cos(lean), np.sin(lean)])
    return along[:, None] * line + min(1.0, limit) * across[:, None] * np.array([-line[1], line[0]])


def trajectory_psf(path: Path) -> Float[np.ndarray, "k k"]:
    """The path as an odd-sized kernel: sum 1, centre of mass in the middle, so that pairs stay aligned.

    Each instant is shared bilinearly among four pixels, which keeps its centre of mass; one point is the identity.
    """
    centred = path - path.mean(axis=0)
    radius = int(np.ceil(np.abs(centred).max() - 1e-9))
    size = 2 * radius + 1
    whole = np.floor(centred).astype(int)
    part = centred - whole
    psf = np.zeros((size + 1, size + 1))  # one spare row and column take weights that are zero
    for dy in (0, 1):
        for dx in (0, 1):
            weight = np.abs(1 - dy - part[:, 0]) * np.abs(1 - dx - part[:, 1])
            np.add.at(psf, (whole[:, 0] + radius + dy, whole[:, 1] + radius + dx), weight)
    return (psf[:size, :size] / len(path)).astype(np.float64)
