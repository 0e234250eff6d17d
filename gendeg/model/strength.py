"""Meets the asked mu and sigma: a change is scaled, and spread over the picture or gathered, within limits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from math import isnan

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from gendeg.intensity.measure import Intensity
from gendeg.model.latents import local_mean, local_slope
from gendeg.model.moves import exact, put_rows, rows_of, told_to
from gendeg.primitives.kinds import Degradation, Mix

WEAKEST = 0.25
"""The change may shrink to this share; blending towards the clean photo is harmless."""


PART = 16
"""How strong a change is at a place is its mean over about that part of the short side."""
FAINTEST = 0.05
"""Of the mean strength: a place with less counts as that."""
NOTHING = 1e-6
"""A change of a signed image that is none."""
SHORT = 128
"""Side of the small image, about."""
SAMPLE = 1 << 14
"""Pixels on which sigma is looked for, about; more are as many times the work and find the same."""
TRIED = 17
"""Powers, evenly between the ends."""
KEPT = 0.99
"""Part of mu that a power has to leave, which clamping may take."""
COVERED = 1.1
"""Of the photo may be covered at most, so that nothing goes far beyond its own colour."""
THROUGH = (0.01, 0.99)
"""Share of the photo that is seen through a change, where it counts at least and at most as that."""


def checked_evenness(evenness: Mapping[str, float]) -> dict[str, float]:
    """`evenness` of a configuration. Raises `ValueError` for what is no degradation, or not in [0, 1]."""
    for name, most in evenness.items():
        if name not in list(Degradation) or not 0 <= most <= 1:
            raise ValueError(f"evenness: {name} = {most}: a degradation, and a power of at most 1")
    return dict(evenness)


def evenness_of(evenness: Mapping[str, float], mix: Mix) -> float:
    """How far a mix may go: no further than any of its members."""
    return min((evenness.get(kind, 0.0) for kind in mix), default=0.0)


def in_reach(made: float, mu: float, most: float) -> float:
    """The mu nearest to the asked one that an image of mu `made` can be brought to, if nothing of it is clamped."""
    return made if most <= 1 else min(max(mu, WEAKEST * made), most * made)


def meet_mu(
    clean: Float[Tensor, "n 3 h w"],
    degraded: Float[Tensor, "b 3 h w"],
    mu: Sequence[float],
    most: float,
    made: Float[Tensor, "b 3 h w"] | None = None,
) -> Float[Tensor, "b 3 h w"]:
    """Signed images → clean + factor · (degraded − clean), clamped; the factor brings mean |change| to `mu`.

    Exact for what is linear in its strength: the gain of low light, the airlight of haze, the opacity of streaks,
    flakes and drops. The factor lies between `WEAKEST` and `most`, or brings what has been `spread` between these parts
    of the change that was `made`; NaN (no mu was asked for) and `most` of 1 change nothing. Clamping may still keep a
    photo from it: a dark one cannot lose what it does not have. n is b, or 1 for all. What is measured on a GPU stays
    there, where it decides, so that nobody waits for it.
    """
    if most <= 1 or all(isnan(value) for value in mu):
        return degraded
    change = degraded - clean
    wanted = told_to(degraded.device, [[value] for value in mu]).reshape(-1, 1, 1, 1)
    measured = exact(change.abs().mean(dim=(1, 2, 3), keepdim=True)) / 2  # signed images span 2
    before = measured if made is None or made is degraded else _size(made - clean) / 2
    factor = torch.clamp(wanted, WEAKEST * before, most * before) / measured
    brought = (clean + factor.float() * change).clamp(-1, 1)
    return torch.where((wanted >= 0) & (measured != 0), brought, degraded)


def spread(
    clean: Float[Tensor, "n 3 h w"],
    degraded: Float[Tensor, "b 3 h w"],
    asked: Sequence[Intensity],
    powers: Sequence[float],
    most: float,
) -> Float[Tensor, "b 3 h w"]:
    """Signed images → the same with as much change as `meet_mu` would leave, laid so that sigma comes nearest.

    A change that is m times the mean where it is strong and a part of it where it is weak is made m^q times as strong,
    as the simulators' `evenness` does: q above 0 gathers it, below 0 spreads it over the picture. `powers` holds the
    most of q for each image, either way. What lets a share t of the photo through is made k times as strong by t^k, and
    all is scaled to as much change as before, and clamped; a q that would cover more than all of the photo somewhere,
    or loses mu by clamping, is not taken. Images of which mu or sigma is not asked for (NaN), or whose power is 0, stay
    as they are.
    """
    rows = [row for row, (mu, sigma) in enumerate(asked) if powers[row] > 0 and not isnan(mu + sigma)]
    if not rows:
        return degraded
    photo = rows_of(clean, rows) if len(clean) > 1 else clean
    change = rows_of(degraded, rows) - photo
    numbers = told_to(change.device, [[*asked[row], powers[row]] for row in rows])
    mu, sigma, end = numbers.reshape(-1, 3, 1, 1, 1).unbind(1)
    whole = Change(photo, change, *_strength(photo, change))
    few = whole.thinned(round((change[0, 0].numel() / SAMPLE) ** 0.5) // 2 * 2 + 1)
    best, off, least = torch.zeros_like(end), torch.full_like(end, torch.inf), torch.zeros_like(end)
    for part in sorted(torch.linspace(-1, 1, TRIED).tolist(), key=abs):
        found, deviation, covered = few.measured(part * end, mu, most)
        least = KEPT * found if part == 0 else least
        far = (deviation - sigma).abs()
        nearer = (found >= least) & (covered <= COVERED) & (far < off)
        best, off = torch.where(nearer, part * end, best), torch.where(nearer, far, off)
    return put_rows(degraded, rows, whole.laid(best, mu, most)[0])


Powers = Float[Tensor, "b 1 1 1"]


@dataclass(frozen=True)
class Change:
    """Signed photos, what is changed of them, how strong that is around each pixel as parts of the mean, and what share
    of the photo it lets through."""

    photo: Float[Tensor, "n 3 h w"]
    change: Float[Tensor, "b 3 h w"]
    strength: Float[Tensor, "b 1 h w"]
    through: Float[Tensor, "b 1 h w"]

    def thinned(self, step: int) -> "Change":
        """Every so many pixels of it."""
        return Change(*(getattr(self, one.name)[..., ::step, ::step] for one in fields(self)))

    def laid(self, power: Powers, mu: Powers, most: float) -> tuple[Float[Tensor, "b 3 h w"], Powers]:
        """Signed images, clamped, their changes moved by that power and brought to mu within `meet_mu`'s limits; and
        what share of the photo is covered where most is, if as much is changed as before."""
        cover = 1 - self.through**self.strength ** power.float()
        moved = self.change * cover / (1 - self.through)
        size = _size(self.change)
        scale = size / _size(moved)
        wanted = torch.clamp(2 * mu, WEAKEST * size, most * size) if most > 1 else size  # signed images span 2
        laid = (self.photo + (scale * wanted / size).float() * moved).clamp(-1, 1)
        return laid, scale * cover.amax(dim=(2, 3), keepdim=True)

    def measured(self, power: Powers, mu: Powers, most: float) -> tuple[Powers, Powers, Powers]:
        """mu and sigma of those, and the share that is covered."""
        laid, covered = self.laid(power, mu, most)
        difference = (laid - self.photo).abs() / 2
        return _size(difference), exact(difference).std(dim=(1, 2, 3), keepdim=True, correction=0), covered


def _strength(
    photo: Float[Tensor, "n 3 h w"], change: Float[Tensor, "b 3 h w"]
) -> tuple[Float[Tensor, "b 1 h w"], Float[Tensor, "b 1 h w"]]:
    """The last two fields of a `Change`; of a large image, as found on a small one."""
    size = change.shape[-2:]
    if (step := min(size) // SHORT) > 1:
        photo, change = (F.avg_pool2d(one, step, ceil_mode=True, count_include_pad=False) for one in (photo, change))
    side = max(3, 2 * (min(change.shape[-2:]) // PART // 2) + 1)
    local = local_mean(local_mean(change.abs().mean(dim=1, keepdim=True), side), side)
    strength = (local / local.mean(dim=(2, 3), keepdim=True).clamp(min=NOTHING)).clamp(min=FAINTEST)
    through = local_mean(local_slope(photo, photo + change, side)[0], side).clamp(*THROUGH)
    if step > 1:
        strength, through = (F.interpolate(one, size, mode="bilinear") for one in (strength, through))
    return strength, through


def _size(change: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 1 1 1"]:
    """Mean |change|, at least `NOTHING`."""
    return exact(change.abs().mean(dim=(1, 2, 3), keepdim=True)).clamp(min=NOTHING)
