"""NAFNet, the structure-correction network (Chen et al., "Simple Baselines for Image Restoration", ECCV 2022)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from jaxtyping import Float
from torch import Tensor, nn

from gendeg.primitives.memory import OwnMemory


class LayerNorm2d(nn.Module):
    """Layer normalisation over the channels of each pixel."""

    def __init__(self, channels: int, eps: float = 1e-6):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))
        self.eps = eps

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        last = F.layer_norm(x.permute(0, 2, 3, 1), self.weight.shape, self.weight, self.bias, self.eps)
        return last.permute(0, 3, 1, 2)


def simple_gate(x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b half h w"]:
    """The product of the two halves of the channels (equation 6 of the paper)."""
    left, right = x.chunk(2, dim=1)
    return left * right


class NAFBlock(nn.Module):
    """Figure 3c of the paper: gated depthwise convolution with channel attention, then a gated feed-forward."""

    def __init__(self, channels: int):
        super().__init__()
        wide = 2 * channels
        self.norm1, self.norm2 = LayerNorm2d(channels), LayerNorm2d(channels)
        self.conv1 = nn.Conv2d(channels, wide, 1)
        self.conv2 = nn.Conv2d(wide, wide, 3, padding=1, groups=wide)
        self.sca = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, channels, 1))
        self.conv3 = nn.Conv2d(channels, channels, 1)
        self.conv4 = nn.Conv2d(channels, wide, 1)
        self.conv5 = nn.Conv2d(channels, channels, 1)
        self.beta = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.gamma = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        inner = simple_gate(self.conv2(self.conv1(self.norm1(x))))
        x = x + self.beta * self.conv3(inner * self.sca(inner))
        return x + self.gamma * self.conv5(simple_gate(self.conv4(self.norm2(x))))


class Levels(nn.Module):
    """The U of NAF blocks that a network inherits: an image's features level by level, and the way back.

    Parameter names are those of the published network, so its weights load as they are.
    """

    def build_levels(
        self,
        channels: int,
        width: int,
        encoder_blocks: Sequence[int],
        middle_blocks: int,
        decoder_blocks: Sequence[int],
    ) -> list[int]:
        """All parts but the last convolution; returns the channels of the features, finest first."""
        widths = [width * 2**level for level in range(len(encoder_blocks) + 1)]
        self.intro = nn.Conv2d(channels, width, 3, padding=1)
        self.encoders = nn.ModuleList(_stack(c, n) for c, n in zip(widths, encoder_blocks, strict=False))
        self.downs = nn.ModuleList(nn.Conv2d(c, 2 * c, 2, stride=2) for c in widths[:-1])
        self.middle_blks = _stack(widths[-1], middle_blocks)
        self.ups = nn.ModuleList(
            nn.Sequential(nn.Conv2d(c, 2 * c, 1, bias=False), nn.PixelShuffle(2)) for c in reversed(widths[1:])
        )
        self.decoders = nn.ModuleList(_stack(c, n) for c, n in zip(reversed(widths[:-1]), decoder_blocks, strict=True))
        return widths

    def encode(self, x: Float[Tensor, "b c h w"]) -> list[Tensor]:
        """Images whose sides divide by 2 for every level → feature maps, finest first."""
        x, features = self.intro(x), []
        for encoder, down in zip(self.encoders, self.downs, strict=True):
            x = encoder(x)
            features.append(x)
            x = down(x)
        return [*features, self.middle_blks(x)]

    def climb(self, features: Sequence[Tensor]) -> Float[Tensor, "b width h w"]:
        """Feature maps → what the last convolution reads, at the size of the image."""
        *skips, x = features
        for decoder, up, skip in zip(self.decoders, self.ups, reversed(skips), strict=True):
            x = decoder(up(x) + skip)
        return x


def _stack(channels: int, blocks: int) -> nn.Sequential:
    """One level of the U: blocks of one width, one after the other."""
    return nn.Sequential(*(NAFBlock(channels) for _ in range(blocks)))


class NAFNet(Levels, OwnMemory, ModelMixin, ConfigMixin):
    """NAFNet over (clean, generated); its output is added to the generated image. Defaults are the published sizes."""

    config_name = "config.json"

    @register_to_config
    def __init__(
        self,
        width: int = 64,
        encoder_blocks: Sequence[int] = (2, 2, 4, 8),
        middle_blocks: int = 12,
        decoder_blocks: Sequence[int] = (2, 2, 2, 2),
        image_channels: int = 3,
    ):
        super().__init__()
        self.build_levels(2 * image_channels, width, encoder_blocks, middle_blocks, decoder_blocks)
        self.ending = nn.Conv2d(width, image_channels, 3, padding=1)

    def forward(self, clean: Float[Tensor, "b 3 h w"], generated: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
        """Two signed images → the corrected one, not clamped; sizes that do not divide are padded with zeros."""
        height, width = generated.shape[-2:]
        multiple = 2 ** len(self.encoders)
        pair = F.pad(torch.cat([clean, generated], dim=1), (0, -width % multiple, 0, -height % multiple))
        return generated + self.ending(self.climb(self.encode(pair)))[..., :height, :width]
