"""NAFNet as a restorer (Chen et al., "Simple Baselines for Image Restoration", ECCV 2022, Figure 3)."""

from collections.abc import Sequence
from typing import ClassVar

from diffusers.configuration_utils import register_to_config
from jaxtyping import Float
from torch import Tensor, nn

from gendeg.model.nafnet import NAFBlock
from gendeg.restore.network import Features, Restorer


class NAFRestorer(Restorer):
    """U-shaped stack of NAF blocks; its output is added to the degraded image.

    Parameter names are those of the published network. The last convolution starts at zero (our choice): a fresh
    restorer changes nothing. Defaults are the published sizes for SIDD.
    """

    ONLY_DECODES: ClassVar[tuple[str, ...]] = ("ups", "decoders", "ending")

    @register_to_config
    def __init__(
        self,
        width: int = 64,
        encoder_blocks: Sequence[int] = (2, 2, 4, 8),
        middle_blocks: int = 12,
        decoder_blocks: Sequence[int] = (2, 2, 2, 2),
    ):
        super().__init__()
        widths = [width * 2**level for level in range(len(encoder_blocks) + 1)]
        self.widths = widths
        self.factor = 2 ** len(encoder_blocks)
        self.intro = nn.Conv2d(3, width, 3, padding=1)
        self.encoders = nn.ModuleList(_stack(c, n) for c, n in zip(widths, encoder_blocks, strict=False))
        self.downs = nn.ModuleList(nn.Conv2d(c, 2 * c, 2, stride=2) for c in widths[:-1])
        self.middle_blks = _stack(widths[-1], middle_blocks)
        self.ups = nn.ModuleList(
            nn.Sequential(nn.Conv2d(c, 2 * c, 1, bias=False), nn.PixelShuffle(2)) for c in reversed(widths[1:])
        )
        self.decoders = nn.ModuleList(_stack(c, n) for c, n in zip(reversed(widths[:-1]), decoder_blocks, strict=True))
        self.ending = zero_conv(width)

    def encode(self, x: Float[Tensor, "b 3 h w"]) -> Features:
        x, features = self.intro(x), []
        for encoder, down in zip(self.encoders, self.downs, strict=True):
            x = encoder(x)
            features.append(x)
            x = down(x)
        return [*features, self.middle_blks(x)]

    def decode(self, features: Features, x: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
        *skips, inner = features
        for decoder, up, skip in zip(self.decoders, self.ups, reversed(skips), strict=True):
            inner = decoder(up(inner) + skip)
        return x + self.ending(inner)


def zero_conv(channels: int, out: int = 3) -> nn.Conv2d:
    """A 3 x 3 convolution that starts at zero."""
    conv = nn.Conv2d(channels, out, 3, padding=1)
    nn.init.zeros_(conv.weight)
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
    return conv


def _stack(channels: int, blocks: int) -> nn.Sequential:
    return nn.Sequential(*(NAFBlock(channels) for _ in range(blocks)))
