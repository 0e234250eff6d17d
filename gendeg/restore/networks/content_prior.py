"""Content prior: the network says the latent of a frozen autoencoder, whose decoder makes the image (arXiv 2502.12600).

What the decoder makes lies near the photos that it was trained on, so that a degradation the network has never seen
cannot simply be copied through. The network changes the latent that the frozen encoder gives of the degraded image
(our choice: a few hundred steps are enough then).
"""

from math import lcm
from typing import Any

import torch
import torch.nn.functional as F
from diffusers.configuration_utils import register_to_config
from jaxtyping import Float
from torch import Tensor, nn

from gendeg.model.latents import AUTOENCODERS, Autoencoder, decode, encode, factor
from gendeg.model.nafnet import NAFBlock
from gendeg.restore.networks.nafnet import NAFRestorer, zero_conv
from gendeg.restore.networks.network import Features, Restorer
from gendeg.restore.networks.promptir import PromptRestorer
from gendeg.restore.networks.swin import SwinRestorer

TRUNKS: dict[str, type[Restorer]] = {kind.__name__: kind for kind in (NAFRestorer, SwinRestorer, PromptRestorer)}
HEAD = 64  # channels between the features and the latent


class PriorRestorer(Restorer):
    """The encoder of another restorer, a head at the latent's resolution, and the whole autoencoder, frozen.

    `encoder` and `prior` are the configurations of the two with their `_class_name`; all weights lie in one file, so
    that it loads by itself. With `detail_path`, a light residual is made of the finest features and added to the image.
    """

    @register_to_config
    def __init__(self, encoder: dict[str, Any], prior: dict[str, Any], detail_path: bool = True):
        super().__init__()
        self.trunk = _make(TRUNKS, encoder)
        self.autoencoder: Autoencoder = _make(AUTOENCODERS, prior).requires_grad_(False).eval()
        self.trunk.drop_decoder()
        self.step = factor(self.autoencoder)
        self.factor = lcm(self.trunk.factor, self.step)
        self.scale = float(self.autoencoder.config.scaling_factor)
        self.widths = self.trunk.widths
        self.gather = nn.ModuleList(nn.Conv2d(c, HEAD, 1) for c in self.widths)
        self.head = nn.Sequential(NAFBlock(HEAD), zero_conv(HEAD, int(self.autoencoder.config.latent_channels)))
        self.detail = nn.Sequential(NAFBlock(self.widths[0]), zero_conv(self.widths[0])) if detail_path else None

    def train(self, mode: bool = True) -> "PriorRestorer":
        """The autoencoder stays as it is."""
        super().train(mode)
        self.autoencoder.eval()
        return self

    def encode(self, x: Float[Tensor, "b 3 h w"]) -> Features:
        return self.trunk.encode(x)

    def decode(self, features: Features, x: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
        with torch.no_grad():
            latent = encode(self.autoencoder, x)
        image = decode(self.autoencoder, latent + self.change(features, latent.shape[-2:]) / self.scale)
        return image if self.detail is None else image + self.detail(features[0])

    def change(self, features: Features, size: tuple[int, ...]) -> Float[Tensor, "b c y x"]:
        """What is added to the latent of the degraded image, in units of the latents' root mean square."""
        maps = zip(self.gather, features, strict=True)
        return self.head(torch.stack([_resized(conv(one), size) for conv, one in maps]).sum(dim=0))


def prior_of(trunk: Restorer, autoencoder: Autoencoder, detail_path: bool = True) -> PriorRestorer:
    """A fresh one with the weights of both: its trunk's encoder, and the autoencoder, which stays as it is."""
    restorer = PriorRestorer(_told(trunk), _told(autoencoder), detail_path)
    restorer.trunk.load_state_dict(trunk.state_dict(), strict=False)
    restorer.autoencoder.load_state_dict(autoencoder.state_dict())
    return restorer


def _told(module: Any) -> dict[str, Any]:
    """Configuration and class, without what says how it came about."""
    own = {name: value for name, value in dict(module.config).items() if not name.startswith("_")}
    return own | {"_class_name": type(module).__name__}


def _make(kinds: dict[str, Any], told: dict[str, Any]) -> Any:
    name = str(told.get("_class_name"))
    if name not in kinds:
        raise ValueError(f"{name} is none of {', '.join(kinds)}")
    return kinds[name].from_config({key: value for key, value in told.items() if not key.startswith("_")})


def _resized(x: Float[Tensor, "b c h w"], size: tuple[int, ...]) -> Float[Tensor, "b c y x"]:
    """Averaged down, or repeated up, by whole factors."""
    if x.shape[-2] > size[0]:
        return F.avg_pool2d(x, x.shape[-2] // size[0])
    return F.interpolate(x, size, mode="nearest") if x.shape[-2] < size[0] else x
