"""GenDeg's Swin restorer (CVPR 2025, Figure 4): a Swin encoder (Liu et al., ICCV 2021), a convolutional decoder."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from diffusers.configuration_utils import register_to_config
from jaxtyping import Float
from torch import Tensor, nn
from transformers import SwinBackbone, SwinConfig

from gendeg.restore.networks.nafnet import zero_conv
from gendeg.restore.networks.network import Features, Restorer


class SwinRestorer(Restorer):
    """Features of all stages; each decoder block joins the finer ones by concatenation; the result is added to `x`.

    The convolutions at full resolution and the sum with the degraded image are our choice: without them detail finer
    than a patch has no way through. Defaults are Swin-B's sizes.
    """

    ONLY_DECODES: ClassVar[tuple[str, ...]] = ("blocks", "ending")

    @register_to_config
    def __init__(
        self,
        width: int = 128,
        depths: Sequence[int] = (2, 2, 18, 2),
        heads: Sequence[int] = (4, 8, 16, 32),
        window: int = 7,
        patch: int = 4,
        stem: int = 32,
    ):
        super().__init__()
        self.factor = patch * 2 ** (len(depths) - 1)
        self.intro = nn.Conv2d(3, stem, 3, padding=1)
        self.swin = SwinBackbone(
            SwinConfig(
                image_size=8 * self.factor, patch_size=patch, embed_dim=width, depths=list(depths),
                num_heads=list(heads), window_size=window, drop_path_rate=0.0,
                out_features=[f"stage{n + 1}" for n in range(len(depths))],
            )
        )  # fmt: skip
        self.swin.swin.layernorm = nn.Identity()  # of the last stage, whose map has a norm of its own
        stages = [width * 2**level for level in range(len(depths))]
        self.widths = [stem, *stages]
        steps = patch.bit_length() - 1  # doublings from the first stage to full resolution
        between = [max(width // 2**n, stem) for n in range(1, steps)]
        outs = [*reversed(stages[:-1]), *between, stem]
        skips = [*reversed(stages[:-1]), *(0 for _ in between), stem]
        ins = [stages[-1], *(out + skip for out, skip in zip(outs, skips, strict=True))]
        self.blocks = nn.ModuleList(_block(before, after) for before, after in zip(ins[:-1], outs, strict=True))
        self.ending = nn.Sequential(nn.Conv2d(ins[-1], stem, 3, padding=1), nn.ReLU(), zero_conv(stem))

    def encode(self, x: Float[Tensor, "b 3 h w"]) -> Features:
        return [self.intro(x), *self.swin(x).feature_maps]

    def decode(self, features: Features, x: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
        *skips, inner = features
        for block in self.blocks:
            inner = block(inner)
            if skips and skips[-1].shape[-1] == inner.shape[-1]:
                inner = torch.cat([inner, skips.pop()], dim=1)
        return x + self.ending(inner)


def _block(before: int, after: int) -> nn.Sequential:
    """Conv, ReLU, transposed conv, ReLU: twice the resolution."""
    return nn.Sequential(
        nn.Conv2d(before, after, 3, padding=1), nn.ReLU(), nn.ConvTranspose2d(after, after, 2, stride=2), nn.ReLU()
    )
