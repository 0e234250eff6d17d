"""PromptIR: all-in-one restoration by learned prompts (Potlapalli et al., NeurIPS 2023) on Restormer's blocks."""

from collections.abc import Sequence
from typing import ClassVar

import torch
import torch.nn.functional as F
from diffusers.configuration_utils import register_to_config
from jaxtyping import Float
from torch import Tensor, nn

from gendeg.model.nafnet import LayerNorm2d
from gendeg.restore.networks.nafnet import zero_conv
from gendeg.restore.networks.network import Features, Restorer

Map = Float[Tensor, "b c h w"]
EXPANSION = 2.66  # of the feed-forward, as published


class TransposedAttention(nn.Module):
    """Attention between channels, not pixels (MDTA: Zamir et al., Restormer, CVPR 2022, equation 1)."""

    def __init__(self, channels: int, heads: int):
        super().__init__()
        self.heads = heads
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))
        self.qkv = nn.Conv2d(channels, 3 * channels, 1, bias=False)
        self.depthwise = nn.Conv2d(3 * channels, 3 * channels, 3, padding=1, groups=3 * channels, bias=False)
        self.project = nn.Conv2d(channels, channels, 1, bias=False)

    def forward(self, x: Map) -> Map:
        split = self.depthwise(self.qkv(x)).unflatten(1, (3, self.heads, -1)).flatten(4)
        query, key, value = split.unbind(1)
        scores = F.normalize(query, dim=-1) @ F.normalize(key, dim=-1).transpose(-1, -2) * self.temperature
        return self.project((scores.softmax(dim=-1) @ value).flatten(1, 2).unflatten(-1, x.shape[-2:]))


class GatedFeedForward(nn.Module):
    """GDFN (Restormer, equation 2): one half of the channels gates the other after a depthwise convolution."""

    def __init__(self, channels: int):
        super().__init__()
        hidden = int(channels * EXPANSION)
        self.widen = nn.Conv2d(channels, 2 * hidden, 1, bias=False)
        self.depthwise = nn.Conv2d(2 * hidden, 2 * hidden, 3, padding=1, groups=2 * hidden, bias=False)
        self.project = nn.Conv2d(hidden, channels, 1, bias=False)

    def forward(self, x: Map) -> Map:
        gate, value = self.depthwise(self.widen(x)).chunk(2, dim=1)
        return self.project(F.gelu(gate) * value)


class TransformerBlock(nn.Module):
    """Both of them, each over a layer norm and beside a shortcut."""

    def __init__(self, channels: int, heads: int):
        super().__init__()
        self.norm1, self.norm2 = LayerNorm2d(channels), LayerNorm2d(channels)
        self.attention = TransposedAttention(channels, heads)
        self.feed_forward = GatedFeedForward(channels)

    def forward(self, x: Map) -> Map:
        x = x + self.attention(self.norm1(x))
        return x + self.feed_forward(self.norm2(x))


class Prompt(nn.Module):
    """Prompt generation and interaction (PromptIR, equations 2 to 4).

    Learned maps, weighted by what the features show, are scaled to the features' size, joined to them, and both go
    through a transformer block and a 1 x 1 convolution.
    """

    def __init__(self, channels: int, prompt: int, length: int, side: int, heads: int, out: int):
        super().__init__()
        self.maps = nn.Parameter(torch.rand(length, prompt, side, side))
        self.weigh = nn.Linear(channels, length)
        self.smooth = nn.Conv2d(prompt, prompt, 3, padding=1, bias=False)
        self.interact = TransformerBlock(channels + prompt, heads)
        self.reduce = nn.Conv2d(channels + prompt, out, 1, bias=False)

    def forward(self, x: Map) -> Float[Tensor, "b out h w"]:
        weights = self.weigh(x.mean(dim=(2, 3))).softmax(dim=1)
        mixed = torch.einsum("bl,lpyx->bpyx", weights, self.maps.to(weights.dtype))
        prompt = self.smooth(F.interpolate(mixed, x.shape[-2:], mode="bilinear"))
        return self.reduce(self.interact(torch.cat([x, prompt], dim=1)))


class PromptRestorer(Restorer):
    """Four levels of transformer blocks, a prompt before each step up, refinement; the result is added to the input.

    Defaults are the published sizes.
    """

    ONLY_DECODES: ClassVar[tuple[str, ...]] = ("prompts", "ups", "joins", "decoders", "refinement", "ending")

    @register_to_config
    def __init__(
        self,
        width: int = 48,
        blocks: Sequence[int] = (4, 6, 6, 8),
        heads: Sequence[int] = (1, 2, 4, 8),
        refine: int = 4,
        prompt_widths: Sequence[int] = (64, 128, 320),
        prompt_sides: Sequence[int] = (64, 32, 16),
        prompt_length: int = 5,
    ):
        super().__init__()
        levels = len(blocks) - 1
        widths = [width * 2**level for level in range(levels + 1)]
        self.widths = widths
        self.factor = 2**levels
        self.intro = nn.Conv2d(3, width, 3, padding=1, bias=False)
        self.encoders = nn.ModuleList(_stack(*one) for one in zip(widths, blocks, heads, strict=True))
        self.downs = nn.ModuleList(_down(c) for c in widths[:-1])
        self.prompts, self.ups, self.joins, self.decoders = (nn.ModuleList() for _ in range(4))
        for level in reversed(range(levels)):
            below, reduced = widths[level + 1], widths[max(1, min(level + 1, levels - 1))]
            sizes = prompt_widths[level], prompt_length, prompt_sides[level]
            self.prompts.append(Prompt(below, *sizes, heads=heads[level], out=reduced))
            self.ups.append(_up(reduced))
            joined, after = reduced // 2 + widths[level], widths[max(level, 1)]  # the finest keeps both: 2 x width
            self.joins.append(nn.Conv2d(joined, after, 1, bias=False) if level else nn.Identity())
            self.decoders.append(_stack(after, blocks[level], heads[level]))
        self.refinement = _stack(2 * width, refine, heads[0])
        self.ending = zero_conv(2 * width)

    def encode(self, x: Float[Tensor, "b 3 h w"]) -> Features:
        x, features = self.encoders[0](self.intro(x)), []
        for down, encoder in zip(self.downs, self.encoders[1:], strict=True):
            features.append(x)
            x = encoder(down(x))
        return [*features, x]

    def decode(self, features: Features, x: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
        *skips, inner = features
        parts = zip(self.prompts, self.ups, self.joins, self.decoders, reversed(skips), strict=True)
        for prompt, up, join, decoder, skip in parts:
            inner = decoder(join(torch.cat([up(prompt(inner)), skip], dim=1)))
        return x + self.ending(self.refinement(inner))


def _stack(channels: int, blocks: int, heads: int) -> nn.Sequential:
    return nn.Sequential(*(TransformerBlock(channels, heads) for _ in range(blocks)))


def _down(channels: int) -> nn.Sequential:
    """Half the resolution, twice the channels."""
    return nn.Sequential(nn.Conv2d(channels, channels // 2, 3, padding=1, bias=False), nn.PixelUnshuffle(2))


def _up(channels: int) -> nn.Sequential:
    """Twice the resolution, half the channels."""
    return nn.Sequential(nn.Conv2d(channels, 2 * channels, 3, padding=1, bias=False), nn.PixelShuffle(2))
