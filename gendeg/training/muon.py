"""Muon: every weight matrix moves by its averaged gradient made orthogonal, so no direction is learnt last.

Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024; the size of its steps is that of
Adam's, so that learning rates mean the same (Liu et al., arXiv 2502.16982, equation 4). torch's own takes no
convolutions.
"""

from collections.abc import Iterable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

MOMENTUM = 0.95
BETAS, EPSILON = (0.9, 0.99), 1e-8  # of Adam, for what is no matrix
RMS = 0.2  # of Adam's steps, in units of the learning rate
SMALLEST = 16  # rows and columns; what ends in a few channels is left to Adam
A, B, C = 3.4445, -4.7750, 2.0315  # the quintic that brings singular values between 0.7 and 1.2 in five rounds
ROUNDS = 5


class Muon(torch.optim.Optimizer):
    """Groups with `matrices` true are orthogonalised, all others are AdamW's (Loshchilov & Hutter, ICLR 2019)."""

    def __init__(self, groups: list[dict[str, Any]], lr: float, weight_decay: float = 0.01):
        super().__init__(groups, {"lr": lr, "weight_decay": weight_decay, "matrices": False})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One step, from the gradients that are there."""
        for group in self.param_groups:
            rate, move = group["lr"], self._orthogonal if group["matrices"] else self._adam
            for weight in group["params"]:
                if weight.grad is not None:
                    weight.mul_(1 - rate * group["weight_decay"])
                    weight.add_(move(weight, weight.grad), alpha=-rate)

    def _orthogonal(self, weight: Tensor, gradient: Tensor) -> Tensor:
        state = self.state[weight]
        if not state:
            state["mean"] = torch.zeros_like(weight)
        mean = state["mean"].lerp_(gradient, 1 - MOMENTUM)
        matrix = gradient.lerp(mean, MOMENTUM).flatten(1)  # Nesterov's
        return (orthogonal(matrix) * (RMS * max(matrix.shape) ** 0.5)).reshape(weight.shape)

    def _adam(self, weight: Tensor, gradient: Tensor) -> Tensor:
        state = self.state[weight]
        if not state:
            state.update(mean=torch.zeros_like(weight), square=torch.zeros_like(weight), count=0)
        state["count"] += 1
        mean = state["mean"].lerp_(gradient, 1 - BETAS[0])
        square = state["square"].lerp_(gradient.square(), 1 - BETAS[1])
        first, second = (1 - beta ** state["count"] for beta in BETAS)
        return (mean / first) / ((square / second).sqrt() + EPSILON)


def orthogonal(matrix: Float[Tensor, "m n"]) -> Float[Tensor, "m n"]:
    """Nearly U Vᵀ of the singular value decomposition U S Vᵀ, by five rounds of Newton and Schulz; zero stays zero."""
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    x = wide.bfloat16() if matrix.device.type == "cuda" else wide.float()
    x = x / x.norm().clamp(min=1e-7)
    for _ in range(ROUNDS):
        gram = x @ x.T
        x = A * x + (B * gram + C * gram @ gram) @ x
    return (x if wide is matrix else x.T).to(matrix.dtype)


def matrix_groups(groups: Iterable[dict[str, Any]], module: nn.Module) -> list[dict[str, Any]]:
    """Each group in two: weights of its linear layers and convolutions, and all the rest."""
    layers = (layer for layer in module.modules() if isinstance(layer, (nn.Linear, nn.Conv2d)))
    hidden = {id(layer.weight) for layer in layers if min(len(layer.weight), layer.weight[0].numel()) >= SMALLEST}
    split: list[dict[str, Any]] = []
    for group in groups:
        for matrices in (True, False):
            chosen = [weight for weight in group["params"] if (id(weight) in hidden) == matrices]
            split += [{**group, "params": chosen, "matrices": matrices}] if chosen else []
    return split
