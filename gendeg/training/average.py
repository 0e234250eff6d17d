"""The average of weights as latent diffusion's own code keeps it (CompVis LDM, `LitEma`), for published trainings."""

from collections.abc import Iterable, Sequence

import torch
from diffusers.training_utils import EMAModel
from torch import nn

MICRO_BATCHES = 4
"""Of a step of GenDeg's training: the average moves after each, and the weights only in the last."""


class PublishedAverage(EMAModel):
    """average += (1 − kept) · (weight − average), kept = min(decay, (1 + n) / (10 + n)), at micro batch n = 1 …

    A step counts `MICRO_BATCHES` of them, however many it is cut into here: `begin` is called before the optimiser
    moves and `step` after it. Weights that are not `averaged` are copied as they are.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], decay: float, averaged: Sequence[bool]):
        super().__init__(list(parameters), decay=decay)
        self.averaged = list(averaged)

    def get_decay(self, optimization_step: int) -> float:
        """What is kept at the n-th micro batch."""
        return min(self.decay, (1 + optimization_step) / (10 + optimization_step))

    def begin(self, parameters: Iterable[nn.Parameter]) -> None:
        """The micro batches that do not move the weights yet."""
        weights = list(parameters)
        for _ in range(MICRO_BATCHES - 1):
            self.step(weights)

    @torch.no_grad()
    def step(self, parameters: Iterable[nn.Parameter]) -> None:
        """One micro batch."""
        self.optimization_step += 1
        self.cur_decay_value = self.get_decay(self.optimization_step)
        for average, weight, averaged in zip(self.shadow_params, parameters, self.averaged, strict=True):
            if averaged:
                average.sub_((1 - self.cur_decay_value) * (average - weight))
            else:
                average.copy_(weight)
