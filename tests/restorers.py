"""Real restorers with weights stirred, so that none is at a value that would hide a mistake."""

import torch

from gendeg.model.bundled import SMOKE, make_autoencoder
from gendeg.restore.networks.content_prior import PriorRestorer, prior_of
from gendeg.restore.networks.nafnet import NAFRestorer
from gendeg.restore.networks.network import Restorer
from gendeg.restore.networks.promptir import PromptRestorer
from gendeg.restore.networks.swin import SwinRestorer


def _small(model: str) -> Restorer:
    if model == "nafnet":
        return NAFRestorer(4, (1, 1), 1, (1, 1), recolour=True)
    if model == "swin":
        return SwinRestorer(8, (1, 2), (1, 2), window=2, patch=4, stem=4)
    return PromptRestorer(4, (1, 1), (1, 2), 1, (3,), (4,), 2)


@torch.no_grad()
def _stirred(network: Restorer, seed: int) -> Restorer:
    generator = torch.Generator().manual_seed(seed)
    for weight in network.parameters():
        if weight.requires_grad:
            weight.add_(0.1 * torch.randn(weight.shape, generator=generator))
    return network.eval()


def small_restorer(model: str = "nafnet", seed: int = 0) -> Restorer:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return _stirred(_small(model), seed)


def small_prior(model: str = "nafnet", detail_path: bool = True) -> PriorRestorer:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = prior_of(_small(model), make_autoencoder(SMOKE), detail_path)
    _stirred(network, 0)
    return network
