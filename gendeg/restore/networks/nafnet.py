"""NAFNet as a restorer (Chen et al., "Simple Baselines for Image Restoration", ECCV 2022, Figure 3)."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from diffusers.configuration_utils import register_to_config
from jaxtyping import Float
from torch import Tensor, nn

from gendeg.model.nafnet import Levels, NAFBlock
from gendeg.restore.networks.network import Features, Restorer

EFFECT = 0.2  # of every block, as `quick_start` begins


class NAFRestorer(Levels, Restorer):
    """NAFNet over the degraded image; its output is added to that.

    The last convolution starts at zero (our choice): a fresh restorer changes nothing. Defaults are the published
    sizes for SIDD. With `recolour`, a gain and an offset of each colour are added.
    """

    ONLY_DECODES: ClassVar[tuple[str, ...]] = ("ups", "decoders", "ending", "colour")

    @register_to_config
    def __init__(
        self,
        width: int = 64,
        encoder_blocks: Sequence[int] = (2, 2, 4, 8),
        middle_blocks: int = 12,
        decoder_blocks: Sequence[int] = (2, 2, 2, 2),
        recolour: bool = False,
    ):
        super().__init__()
        self.widths = self.build_levels(3, width, encoder_blocks, middle_blocks, decoder_blocks)
        self.factor = 2 ** len(encoder_blocks)
        self.ending = zero_conv(width)
        self.colour = Colour([3, *self.widths[-2:]]) if recolour else None

    def decode(self, features: Features, x: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
        restored = x + self.ending(self.climb(features))
        return restored if self.colour is None else restored + self.colour(x, [x, *features[-2:]])


class Colour(nn.Module):
    """What a gain and an offset of each colour channel change in an image: all of haze or darkness that is global.

    Told by means and deviations of maps over the whole image. Our addition: short runs find it long before the blocks
    do. It starts at no change.
    """

    def __init__(self, widths: Sequence[int], hidden: int = 64):
        super().__init__()
        last = nn.Linear(hidden, 6)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.say = nn.Sequential(nn.Linear(2 * sum(widths), hidden), nn.GELU(), last)

    def forward(self, x: Float[Tensor, "b 3 h w"], maps: Sequence[Tensor]) -> Float[Tensor, "b 3 h w"]:
        moments = [torch.var_mean(one.float(), dim=(2, 3), correction=0) for one in maps]
        told = torch.cat([part for variance, mean in moments for part in (mean, (variance + 1e-6).sqrt())], dim=1)
        gain, offset = self.say(told)[..., None, None].chunk(2, dim=1)
        return gain * x + offset


@torch.no_grad()
def quick_start(network: NAFRestorer) -> NAFRestorer:
    """Other first weights, for runs of a few hundred steps: every block has an effect from the first step on.

    Convolutions keep the size of what goes through (He et al., ICCV 2015), attention starts at 1, and the scales of
    the two branches, zero as published, at `EFFECT`. The last convolution stays at zero.
    """
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d) and name != "ending":
            nn.init.normal_(module.weight, 0.0, module.weight[0].numel() ** -0.5)
            if module.bias is not None:
                nn.init.constant_(module.bias, 1.0 if ".sca." in name else 0.0)
        if isinstance(module, NAFBlock):
            module.beta.fill_(EFFECT)
            module.gamma.fill_(EFFECT)
    if network.intro.bias is not None:
        nn.init.normal_(network.intro.bias, 0.0, 0.5)  # what norms compare brightness with
    return network


def zero_conv(channels: int, out: int = 3) -> nn.Conv2d:
    """A 3 x 3 convolution that starts at zero."""
    conv = nn.Conv2d(channels, out, 3, padding=1)
    nn.init.zeros_(conv.weight)
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
    return conv
