"""LPIPS (Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric", CVPR 2018, eq. 1).

The network is built here, without torchvision or the lpips package; its weights are the user's, as safetensors.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from gendeg.primitives.errors import BadModel
from gendeg.primitives.images import U8Image, u8_to_signed

Distance = Callable[[U8Image, U8Image], float]
Layer = tuple[int, int, int, int, int]  # channels in, out, kernel, stride, padding

ALEX: dict[int, Layer] = {
    0: (3, 64, 11, 4, 2), 3: (64, 192, 5, 1, 2), 6: (192, 384, 3, 1, 1), 8: (384, 256, 3, 1, 1), 10: (256, 256, 3, 1, 1)
}  # fmt: skip
VGG_CHANNELS = {
    0: (3, 64), 2: (64, 64), 5: (64, 128), 7: (128, 128), 10: (128, 256), 12: (256, 256), 14: (256, 256),
    17: (256, 512), 19: (512, 512), 21: (512, 512), 24: (512, 512), 26: (512, 512), 28: (512, 512),
}  # fmt: skip
VGG: dict[int, Layer] = {number: (*channels, 3, 1, 1) for number, channels in VGG_CHANNELS.items()}
TAPS = {"alex": (0, 3, 6, 8, 10), "vgg": (2, 7, 14, 21, 28)}
"""Convolutions, numbered as in torchvision's `features`, after whose ReLU features are compared."""
POOLED = {"alex": {0: 3, 3: 3}, "vgg": {2: 2, 7: 2, 14: 2, 21: 2}}
"""Side of the max pooling (stride 2) after them."""
SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)  # ImageNet's statistics, for signed images
SMALLEST = 64  # pixels of a side: below it AlexNet has no pixel left in its last layers

FEATURE = re.compile(r"(?:.*\.)?(?:features|net\.slice\d)\.(\d+)\.(weight|bias)")
LINEAR = re.compile(r"lins?\.?(\d)\.(?:model\.\d\.)?weight")


class Lpips(nn.Module):
    """AlexNet or VGG-16 up to its last convolution, and a weight for each channel of five layers."""

    def __init__(self, kind: str):
        super().__init__()
        layers = ALEX if kind == "alex" else VGG
        self.taps, self.pooled = TAPS[kind], POOLED[kind]
        self.convs = nn.ModuleDict(
            {str(n): nn.Conv2d(i, o, k, stride=s, padding=p) for n, (i, o, k, s, p) in layers.items()}
        )
        self.weights = nn.ParameterList(torch.ones(layers[tap][1]) for tap in self.taps)

    def forward(self, first: Float[Tensor, "b 3 h w"], second: Float[Tensor, "b 3 h w"]) -> Float[Tensor, " b"]:
        """Signed images → distance, 0 for equal ones."""
        pairs = zip(self._features(first), self._features(second), self.weights, strict=True)
        return torch.stack([torch.einsum("bcyx,c->byx", (a - b) ** 2, w).mean(dim=(1, 2)) for a, b, w in pairs]).sum(0)

    def _features(self, x: Float[Tensor, "b 3 h w"]) -> Iterator[Float[Tensor, "b _ _ _"]]:
        """Of the five layers, of unit length over the channels."""
        x = (x - x.new_tensor(SHIFT)[:, None, None]) / x.new_tensor(SCALE)[:, None, None]
        for name, conv in self.convs.items():
            x = conv(x).relu()
            if int(name) in self.taps:
                yield x / (x.square().sum(dim=1, keepdim=True).sqrt() + 1e-10)
            if int(name) in self.pooled:
                x = F.max_pool2d(x, self.pooled[int(name)], stride=2)


def load_lpips(folder: Path, device: str = "cpu") -> Distance:
    """A folder of safetensors → distance of two u8 images of one size; NaN below `SMALLEST` pixels a side.

    Names are torchvision's for the network (`features.0.weight` …) and the lpips package's for the rest
    (`lin0.model.1.weight` …); its whole state dictionary, saved as safetensors, will do. Raises `BadModel`.
    """
    network = _load(folder).to(device).eval()

    @torch.no_grad()
    def distance(first: U8Image, second: U8Image) -> float:
        if min(first.shape[:2]) < SMALLEST:
            return float("nan")
        signed = [torch.from_numpy(u8_to_signed(image)).permute(2, 0, 1)[None].to(device) for image in (first, second)]
        return float(network(*signed))

    return distance


def _load(folder: Path) -> Lpips:
    found: dict[str, Tensor] = {}
    for key, tensor in _tensors(folder).items():
        if feature := FEATURE.fullmatch(key):
            found[f"convs.{feature[1]}.{feature[2]}"] = tensor.float()
        elif linear := LINEAR.fullmatch(key):
            found[f"weights.{linear[1]}"] = tensor.float().flatten()
    network = Lpips("vgg" if "convs.28.weight" in found else "alex")
    try:
        network.load_state_dict(found)
    except RuntimeError as error:
        raise BadModel(folder, f"its weights are not LPIPS's (AlexNet or VGG-16 and lin0 to lin4): {error}") from error
    return network


def _tensors(folder: Path) -> dict[str, Tensor]:
    files = sorted(folder.glob("*.safetensors")) if folder.is_dir() else []
    if not files:
        raise BadModel(folder, "--lpips wants a folder with safetensors of LPIPS; pickles are refused")
    try:
        return {key: tensor for path in files for key, tensor in load_file(path).items()}
    except (SafetensorError, OSError) as error:
        raise BadModel(folder, str(error)) from error
