"""What can be asked of a photo, what a model is told then, what its image is brought to: mu and sigma on their way."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from gendeg.model.change import change_sizes
from gendeg.model.latents import CleanLatent
from gendeg.model.limits import photo_limits, within
from gendeg.model.response import told_statistics
from gendeg.model.strength import Target


class Asking:
    """The part of a pipeline that its configuration decides alone; names are mix names, none: nothing is known."""

    config: Any
    device: torch.device

    def possible(self, clean: CleanLatent, degradations: Sequence[str], mu: Sequence[float]) -> list[float]:
        """The asked mu, lower where this photo cannot lose so much: see `blur_extent` and `darkening`."""
        limits = photo_limits(clean.photo, degradations, self.config.blur_extent, self.config.darkening)
        pairs = zip(degradations or [""] * len(mu), mu, strict=True)
        return [within(one, limits.get(name, math.inf)) for name, one in pairs]

    def targets(self, degradations: Sequence[str], mu: Sequence[float], sigma: Sequence[float]) -> list[Target]:
        """What finished images are brought to: their mu, and their sigma in the `spread_degradations`."""
        spread, dark = set(self.config.spread_degradations), self.config.darkening > 0
        names = degradations or [""] * len(mu)
        return [
            Target(one_mu, one_sigma if set(name.split("+")) <= spread else float("nan"), dark and name == "low_light")
            for name, one_mu, one_sigma in zip(names, mu, sigma, strict=True)
        ]

    def told(
        self, degradations: Sequence[str], mu: Sequence[float], sigma: Sequence[float]
    ) -> tuple[list[float], list[float]]:
        """mu and sigma as the model is to be told them: through its calibration, for degradations that have one."""
        names = degradations or [""] * len(mu)
        pairs = [told_statistics(self.config.calibration, *one) for one in zip(names, mu, sigma, strict=True)]
        return [pair.mu for pair in pairs], [pair.sigma for pair in pairs]

    def sizes(
        self, degradations: Sequence[str], mu: Sequence[float], sigma: Sequence[float]
    ) -> Float[Tensor, " b"] | None:
        """What each sample's normalised change is multiplied by; None for a model without a `change_scale`."""
        scales = self.config.change_scale
        return change_sizes(scales, degradations, mu, sigma).to(self.device) if scales else None
