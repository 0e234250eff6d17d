"""Muon: every weight matrix moves by its averaged gradient made orthogonal, so no direction is learnt last.

Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024; the size of its steps is that of
Adam's, so that learning rates mean the same (Liu et al., arXiv 2502.16982, equation 4). torch's own takes no
convolutions.
"""

from collections.abc import Iterable, Iterator, Sequence
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
TOGETHER = 2**25
"""Numbers of matrices of one shape that are made orthogonal in one call: a GPU's host launches as often for thirty
matrices as for one, and more than these would take memory for nothing."""


class Muon(torch.optim.Optimizer):
    """Groups with `matrices` true are orthogonalised, all others are AdamW's (Loshchilov & Hutter, ICLR 2019)."""

    def __init__(self, groups: list[dict[str, Any]], lr: float, weight_decay: float = 0.01):
        super().__init__(groups, {"lr": lr, "weight_decay": weight_decay, "matrices": False})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One step, from the gradients that are there."""
        for group in self.param_groups:
            rate, moves_of = group["lr"], self._orthogonal if group["matrices"] else self._adam
            weights = [weight for weight in group["params"] if weight.grad is not None]
            if weights:
                moves = moves_of(weights, [weight.grad for weight in weights])
                torch._foreach_mul_(weights, 1 - rate * group["weight_decay"])
                torch._foreach_add_(weights, moves, alpha=-rate)

    def _orthogonal(self, weights: list[Tensor], gradients: list[Tensor]) -> list[Tensor]:
        means = self._kept("mean", weights)
        torch._foreach_lerp_(means, gradients, 1 - MOMENTUM)
        ahead = torch._foreach_lerp(gradients, means, MOMENTUM)  # Nesterov's
        moves = list(ahead)
        for chosen in alike(ahead):
            matrices = torch.stack([ahead[i].flatten(1) for i in chosen])
            turned = orthogonal(matrices) * (RMS * max(matrices.shape[1:]) ** 0.5)
            for i, move in zip(chosen, turned, strict=True):
                moves[i] = move.reshape(weights[i].shape)
        return moves

    def _adam(self, weights: list[Tensor], gradients: list[Tensor]) -> list[Tensor]:
        means, squares = self._kept("mean", weights), self._kept("square", weights)
        counts = [self.state[weight].get("count", 0) + 1 for weight in weights]
        for weight, count in zip(weights, counts, strict=True):
            self.state[weight]["count"] = count
        torch._foreach_lerp_(means, gradients, 1 - BETAS[0])
        torch._foreach_lerp_(squares, torch._foreach_mul(gradients, gradients), 1 - BETAS[1])
        first, second = ([1 - beta**count for count in counts] for beta in BETAS)
        roots = torch._foreach_sqrt(torch._foreach_div(squares, second))
        torch._foreach_add_(roots, EPSILON)
        return list(torch._foreach_div(torch._foreach_div(means, first), roots))

    def _kept(self, name: str, weights: Sequence[Tensor]) -> list[Tensor]:
        """A state of each weight, 0 at first."""
        for weight in weights:
            if name not in self.state[weight]:
                self.state[weight][name] = torch.zeros_like(weight)
        return [self.state[weight][name] for weight in weights]


def alike(tensors: Sequence[Tensor]) -> Iterator[list[int]]:
    """Places of those that are matrices of one shape, as many as may come `TOGETHER`."""
    groups: dict[tuple[int, int], list[int]] = {}
    for place, tensor in enumerate(tensors):
        groups.setdefault((len(tensor), tensor[0].numel()), []).append(place)
    for (rows, columns), places in groups.items():
        most = max(1, TOGETHER // (rows * columns))
        yield from (places[start : start + most] for start in range(0, len(places), most))


def orthogonal(matrices: Float[Tensor, "b m n"]) -> Float[Tensor, "b m n"]:
    """Nearly U Vᵀ of each singular value decomposition U S Vᵀ, by five rounds of Newton and Schulz; zero stays zero."""
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = x.bfloat16() if matrices.device.type == "cuda" else x.float()
    x = x / torch.linalg.matrix_norm(x, keepdim=True).clamp(min=1e-7)
    for _ in range(ROUNDS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=B, alpha=C), x, beta=A)
    return (x.mT if tall else x).to(matrices.dtype)


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
