"""The fourth measure of complexity: what a small autoencoder, trained on the set itself, leaves of an image.

The loss that a network of fixed size is left with says how hard a set is to fit, which is what "Networks are Slacking
Off" (Gu et al., NeurIPS 2023) means by complex. Both halves of the pairs are fitted by one network, in equal shares.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

Images = Float[Tensor, "b 3 h w"]
RATE = 3e-3


def to_batch(values: Sequence[Float[np.ndarray, "h w 3"]]) -> Images:
    """Unit images or layers in [−1, 1], all of one size; a background's grey middle becomes 0 before it is given."""
    return torch.from_numpy(np.stack(values).astype(np.float32)).permute(0, 3, 1, 2)


def fit(network: nn.Module, batches: Callable[[int], Images], steps: int) -> nn.Module:
    """Trains an autoencoder with `encode(x).latent` and `decode(z).sample` (diffusers') by L1; Adam, one cycle.

    Deterministic: the weights it starts from, the batches and their order decide everything. Returns the network.
    """
    optimiser = torch.optim.Adam(network.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=max(steps, 1))
    network.train()
    for step in range(steps):
        batch = batches(step)
        loss = (_through(network, batch) - batch).abs().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return network.eval()


@torch.no_grad()
def reconstruction_error(network: nn.Module, images: Images) -> Float[Tensor, " b"]:
    """Mean |image − reconstruction| of each, in the images' own units."""
    return (_through(network, images) - images).abs().mean(dim=(1, 2, 3))


def _through(network: Any, images: Images) -> Images:
    return network.decode(network.encode(images).latent).sample
