"""What every restorer is: degraded → restored at any size, by an encoder and a decoder that others can use alone."""

from typing import ClassVar

from diffusers.configuration_utils import ConfigMixin
from diffusers.models.modeling_utils import ModelMixin
from jaxtyping import Float
from torch import Tensor

from gendeg.model.tiles import pad_to_multiple
from gendeg.primitives.memory import OwnMemory

Features = list[Tensor]
"""Feature maps [b c y x] of one image batch, finest first, coarsest last."""


class Restorer(OwnMemory, ModelMixin, ConfigMixin):
    """Base of the networks; a subclass says its `factor`, its `widths`, and how it encodes and decodes.

    No part may have the name of a number in the configuration: diffusers would answer with the number.
    """

    config_name = "config.json"
    ONLY_DECODES: ClassVar[tuple[str, ...]] = ()
    """Names of the parts that `decode` alone uses."""
    factor: int
    """Sides of the images that `encode` takes divide by this."""
    widths: list[int]
    """Channels of the feature maps."""
    window: ClassVar[int] = 512
    """Side of the windows in which larger photos are restored, where nobody says another; 0: never in windows."""
    least: ClassVar[int] = 1
    """Sides that it takes, at least."""

    def encode(self, x: Float[Tensor, "b 3 h w"]) -> Features:
        """Signed images whose sides divide by `factor` → feature maps, finest first, coarsest last."""
        raise NotImplementedError

    def decode(self, features: Features, x: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
        """The feature maps of `x`, and `x` itself → the restored images, signed, not clamped."""
        raise NotImplementedError

    def forward(self, degraded: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
        """Signed images of any size → restored ones, not clamped; the border is mirrored where sides do not divide."""
        height, width = degraded.shape[-2:]
        x = self.padded(degraded)
        return self.decode(self.encode(x), x)[..., :height, :width]

    def embed(self, x: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b d"]:
        """Mean over space of the coarsest features, any size."""
        return self.encode(self.padded(x))[-1].mean(dim=(2, 3))

    def padded(self, x: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 _ _"]:
        """To the next multiple of `factor`, by mirroring the lower and right border."""
        divides = not any(side % self.factor for side in x.shape[-2:])
        return x if divides else pad_to_multiple(x, self.factor)

    def drop_decoder(self) -> None:
        """Leave the encoder only, for those who bring a decoder of their own."""
        for name in self.ONLY_DECODES:
            delattr(self, name)
