"""From several teachers' features to one student's (task transfer: Wang et al., arXiv 2208.13133; FitNets, ICLR 2015).

The idea is the paper's, the formula is ours. Minimised over teachers k and levels l of the encoder:

    L = mean_k mean_l ‖A_kl(S_l(x_k)) − T_kl(x_k)‖² / ‖T_kl(x_k) − mean T_kl(x_k)‖²

S are the student's feature maps, T a frozen teacher's, A a 1 × 1 convolution of its own for each, the mean over batch
and places (a value a channel). So L is the share of the teachers' variance that the student does not explain: 1 for a
student that knows nothing but channel means, 0 for a perfect one, whatever the scale of a teacher's features.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gendeg.restore.networks.network import Restorer

Maps = list[Float[Tensor, "b _c _h _w"]]
"""Feature maps of one encoder, finest first; each level has its own width and size."""


class Classifier(nn.Module):
    """A restorer's encoder, its coarsest features averaged over the image, one linear layer: logits of classes."""

    def __init__(self, restorer: Restorer, classes: int = 2):
        super().__init__()
        self.restorer = restorer
        train_reached(restorer, restorer.embed(_probe(restorer)))
        self.head = nn.Linear(restorer.embed(_probe(restorer)).shape[1], classes)

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b classes"]:
        return self.head(self.restorer.embed(images))


class Student(nn.Module):
    """A restorer whose encoder learns, and its adapters: one 1 × 1 convolution for each teacher and level.

    Where teacher and student are equally wide an adapter starts as the identity: a student that has its teacher's
    weights has nothing to learn. The restorer's decoder is left as it is.
    """

    def __init__(self, restorer: Restorer, teachers: Sequence[Restorer]):
        super().__init__()
        self.restorer = restorer
        own = restorer.encode(_probe(restorer))
        train_reached(restorer, torch.stack([features.sum() for features in own]))
        self.adapters = nn.ModuleList(_adapters(own, teacher.encode(_probe(teacher))) for teacher in teachers)

    def forward(self, images: Sequence[Float[Tensor, "b 3 h w"]]) -> list[Maps]:
        """What each teacher sees → what this student says that the teacher's features are."""
        return [_adapted(part, self.restorer.encode(seen)) for part, seen in zip(self.adapters, images, strict=True)]


def _adapted(adapters: nn.Module, features: Maps) -> Maps:
    return [adapter(one) for adapter, one in zip(adapters.children(), features, strict=True)]


def feature_loss(said: Sequence[Maps], told: Sequence[Maps]) -> Float[Tensor, ""]:
    """L above: the share of the teachers' variance that is not explained, averaged over levels, then over teachers."""
    losses = [
        torch.stack([_unexplained(a, b) for a, b in zip(mine, theirs, strict=True)]).mean()
        for mine, theirs in zip(said, told, strict=True)
    ]
    return torch.stack(losses).mean()


def _unexplained(said: Float[Tensor, "b c h w"], told: Float[Tensor, "b c h w"]) -> Float[Tensor, ""]:
    said, told = said.float(), told.float()
    spread = (told - told.mean(dim=(0, 2, 3), keepdim=True)).square().sum()
    return (said - told).square().sum() / spread.clamp(min=1e-8)


def _adapters(own: Maps, teacher: Maps) -> nn.ModuleList:
    if len(own) != len(teacher):
        raise ValueError(f"the student has {len(own)} levels and the teacher {len(teacher)}: they must be alike")
    return nn.ModuleList(_adapter(a.shape[1], b.shape[1]) for a, b in zip(own, teacher, strict=True))


def _adapter(channels: int, wanted: int) -> nn.Conv2d:
    adapter = nn.Conv2d(channels, wanted, 1)
    if channels == wanted:
        nn.init.dirac_(adapter.weight)
    nn.init.zeros_(adapter.bias)  # type: ignore[arg-type]
    return adapter


def train_reached(network: nn.Module, output: Tensor) -> None:
    """Leave to train only the weights that `output` depends on: a decoder, for example, keeps what it has."""
    weights = list(network.parameters())
    gradients = torch.autograd.grad(output.sum(), weights, allow_unused=True)
    for weight, gradient in zip(weights, gradients, strict=True):
        weight.requires_grad_(gradient is not None)


def _probe(restorer: Restorer) -> Float[Tensor, "1 3 h w"]:
    """A grey image of the smallest size that every level can be made of."""
    side = 2 * restorer.factor
    return torch.zeros(1, 3, side, side, device=next(restorer.parameters()).device)
