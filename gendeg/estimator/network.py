"""Features of a photo → which degradation it shows, and its mu and sigma as each: a few small networks that vote."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from gendeg.primitives.errors import BadModel
from gendeg.primitives.files import atomic_write
from gendeg.primitives.kinds import Degradation
from gendeg.primitives.memory import own_memory

SCHEMA = "gendeg-estimator-1"
"""Raise the number when features are added or measured otherwise: older weights do not fit them."""
KINDS = tuple(Degradation)
CLEAN = len(KINDS)
"""The number of the class "no degradation", after the six."""
MEMBERS, WIDTHS, DROPOUT = 5, (96, 64), 0.2
FURTHEST = 4.0  # standard deviations: a photo unlike all others is not carried to values that no member has seen


class Estimator(nn.Module):
    """`MEMBERS` networks of two hidden layers on standardised features; their mean counts.

    mu and sigma are given as square roots, in which errors are about as large for weak degradations as for strong ones.
    """

    centre: Tensor
    spread: Tensor

    def __init__(self, inputs: int):
        super().__init__()
        self.register_buffer("centre", torch.zeros(inputs))
        self.register_buffer("spread", torch.ones(inputs))
        self.members = nn.ModuleList(_member(inputs) for _ in range(MEMBERS))

    def standardised(self, features: Float[Tensor, "b features"]) -> Float[Tensor, "b features"]:
        return ((features - self.centre) / self.spread).clamp(-FURTHEST, FURTHEST)

    def member(
        self, number: int, features: Float[Tensor, "b features"]
    ) -> tuple[Float[Tensor, "b classes"], Float[Tensor, "b kinds 2"]]:
        """Logits and roots of one member, for its training."""
        out = self.members[number](self.standardised(features))
        return out[:, : CLEAN + 1], out[:, CLEAN + 1 :].unflatten(1, (len(KINDS), 2))

    def forward(
        self, features: Float[Tensor, "b features"]
    ) -> tuple[Float[Tensor, "b classes"], Float[Tensor, "b kinds 2"]]:
        """(log probability of each class before it is tempered, roots of mu and sigma as each kind)."""
        votes = [self.member(number, features) for number in range(MEMBERS)]
        logs = torch.stack([logits.log_softmax(dim=1) for logits, _ in votes]).mean(dim=0)
        return logs, torch.stack([roots for _, roots in votes]).mean(dim=0)


def _member(inputs: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for width in WIDTHS:
        layers += [nn.Linear(inputs, width), nn.SiLU(), nn.Dropout(DROPOUT)]
        inputs = width
    return nn.Sequential(*layers, nn.Linear(inputs, CLEAN + 1 + 2 * len(KINDS)))


@dataclass(frozen=True)
class Notes:
    """What was learnt of the networks on photos that they did not see."""

    temperature: float  # logs are divided by it, so that a probability of .9 is right nine times in ten
    reach: dict[str, list[float]]  # kind → half widths of the intervals of the roots of mu and of sigma
    held_out: dict[str, Any]  # the numbers of the report
    schema: str = SCHEMA


def save_estimator(network: Estimator, notes: Notes, path: Path) -> None:
    """Raises `OutputNotWritable`."""
    weights = {name: tensor.half() for name, tensor in network.state_dict().items()}
    atomic_write(path, save(weights, {"gendeg": json.dumps(asdict(notes), sort_keys=True)}))


def load_estimator(path: Path | None = None) -> tuple[Estimator, Notes]:
    """The one of this file, or that which comes along. Raises `BadModel`."""
    path = path or own_weights()
    try:
        with safe_open(path, "pt") as file:
            notes = Notes(**json.loads((file.metadata() or {})["gendeg"]))
            weights = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118  # it is no dict
        if notes.schema != SCHEMA:
            raise BadModel(path, f"made for {notes.schema}, and this gendeg reads {SCHEMA}")
        network = Estimator(len(weights["centre"]))
        network.load_state_dict(weights)
    except (OSError, SafetensorError, KeyError, ValueError, TypeError, RuntimeError) as error:
        raise BadModel(path, f"not an estimator, which gendeg estimator makes ({error})") from error
    return own_memory(network).eval(), notes


def own_weights() -> Path:
    return Path(__file__).with_name("estimator.safetensors")


@torch.no_grad()
def look(
    network: Estimator, notes: Notes, features: Float[np.ndarray, "b features"]
) -> tuple[Float[np.ndarray, "b classes"], Float[np.ndarray, "b kinds 2"]]:
    """Probabilities of the classes, and the roots."""
    logs, roots = network(torch.from_numpy(features).float())
    return (logs / notes.temperature).softmax(dim=1).double().numpy(), roots.double().numpy()
