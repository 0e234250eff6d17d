"""Text and statistics → what the UNet attends to (GenDeg, CVPR 2025, section 3.2)."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from jaxtyping import Float, Int
from torch import Tensor, nn

from gendeg.intensity.bins import MU_BINS, SIGMA_BINS, Bins
from gendeg.primitives.memory import OwnMemory


class Conditioning(NamedTuple):
    """What the UNet reads: a context for its cross-attention and, where it has one, a vector beside the timestep."""

    context: Float[Tensor, "b tokens dim"]
    vector: Float[Tensor, "b features"] | None

    @classmethod
    def batch(cls, each: Sequence["Conditioning"]) -> "Conditioning":
        """Several, one behind the other."""
        vectors = [one.vector for one in each if one.vector is not None]
        return cls(torch.cat([one.context for one in each]), torch.cat(vectors) if vectors else None)

    def expand(self, count: int) -> "Conditioning":
        """One row → the same for each of `count` samples, without a copy."""
        vector = None if self.vector is None else self.vector.expand(count, -1)
        return Conditioning(self.context.expand(count, -1, -1), vector)

    def of(self, rows: Int[Tensor, " some"]) -> "Conditioning":
        """Those of some samples."""
        return Conditioning(self.context[rows], None if self.vector is None else self.vector[rows])


class Conditioner(OwnMemory, ModelMixin, ConfigMixin):
    """Adds mu and sigma to the text tokens: two channels, then a projection back that starts as the identity.

    A NaN statistic is the null one. With `frequencies = 0` and `soft_bins = False` this is the published conditioning,
    weight for weight. The bundled model sets both: values between two bins share them, and Fourier features of
    the statistics (with the pooled text) also go beside the timestep, which a small model learns far sooner. With
    `direction` the doubled angle of the degradation goes there too: a small network cannot agree with itself on one.
    """

    config_name = "config.json"

    @register_to_config
    def __init__(
        self,
        text_dim: int = 768,
        tokens: int = 77,
        bins: int = 128,
        soft_bins: bool = False,
        frequencies: int = 0,
        direction: bool = False,
    ):
        super().__init__()
        self.mu_bins, self.sigma_bins = Bins(MU_BINS.high, bins), Bins(SIGMA_BINS.high, bins)
        self.stats_proj = nn.Linear(bins + 1, tokens)
        self.cc_projection = nn.Linear(text_dim + 2, text_dim)
        with torch.no_grad():
            self.cc_projection.weight.copy_(torch.eye(text_dim, text_dim + 2))
            self.cc_projection.bias.zero_()

    @property
    def vector_dim(self) -> int:
        """Length of `Conditioning.vector`, 0 when there is none."""
        frequencies = self.config.frequencies
        return self.config.text_dim + 2 * (2 * frequencies + 1) + 3 * self.config.direction if frequencies else 0

    def forward(
        self,
        text: Float[Tensor, "b tokens dim"],
        pooled: Float[Tensor, "b dim"],
        mu: Float[Tensor, " b"],
        sigma: Float[Tensor, " b"],
        direction: Float[Tensor, "b 2"] | None = None,
    ) -> Conditioning:
        """`text` and `pooled` are the text encoder's last hidden state and pooled output; mu in [0, 0.7], sigma in
        [0, 0.4], best in float64 (which decides what lies on an edge), `direction` as in `intensity.direction`; NaN for
        null (None is, too), on any device. Raises `ValueError` for a statistic outside its bins."""
        channels = [
            self.stats_proj(self._one_hot(mu, self.mu_bins).to(text)),
            self.stats_proj(self._one_hot(sigma, self.sigma_bins).to(text)),
        ]
        context = self.cc_projection(torch.cat([text, torch.stack(channels, dim=-1)], dim=-1))
        if not self.config.frequencies:
            return Conditioning(context, None)
        units = [mu.float() / self.mu_bins.high, sigma.float() / self.sigma_bins.high]
        features = [self._fourier(unit.to(pooled.device)) for unit in units]
        if self.config.direction:
            known = torch.full((len(mu), 2), math.nan) if direction is None else direction.float()
            null = known.isnan().any(dim=-1, keepdim=True)
            features.append(torch.cat([torch.where(null, 0.0, known), null.float()], dim=-1).to(pooled.device))
        return Conditioning(context, torch.cat([pooled, *(f.to(pooled.dtype) for f in features)], dim=-1))

    @torch.compiler.disable  # numpy decides
    def bins_of(self, value: Float[Tensor, " b"], bins: Bins) -> Int[Tensor, " b"]:
        """The number of each statistic's bin, the null bin's for NaN. Raises `ValueError` for one outside."""
        null = value.isnan()
        if bool(((value < 0) | (value > bins.high)).any()):
            raise ValueError(f"a statistic lies outside its bins [0, {bins.high}]: {value.tolist()}")
        index = bins.index(torch.where(null, 0.0, value).detach().cpu().numpy())
        return torch.where(null, bins.null, torch.from_numpy(index).to(value.device))

    def _one_hot(self, value: Float[Tensor, " b"], bins: Bins) -> Float[Tensor, "b bins"]:
        hard = self.bins_of(value, bins)
        if not self.config.soft_bins:
            return nn.functional.one_hot(hard, bins.count + 1).float()
        null = hard == bins.null
        position = torch.where(null, 0.0, value.float() / bins.width)
        position = (position - 0.5).clamp(0, bins.count - 1)
        low = position.floor().long()
        share = position - low
        row = torch.zeros(len(value), bins.count + 1, device=value.device)
        row.scatter_add_(1, torch.where(null, bins.null, low)[:, None], (1 - share)[:, None])
        high = torch.where(null, bins.null, (low + 1).clamp(max=bins.count - 1))
        return row.scatter_add_(1, high[:, None], torch.where(null, 0.0, share)[:, None])

    def _fourier(self, unit: Float[Tensor, " b"]) -> Float[Tensor, "b features"]:
        """sin and cos at octaves of half a period over the range, and a flag; all zero but the flag when null."""
        null = unit.isnan()
        octaves = 2.0 ** torch.arange(self.config.frequencies, device=unit.device)
        angle = math.pi * torch.nan_to_num(unit.float())[:, None] * octaves
        waves = torch.cat([angle.sin(), angle.cos()], dim=-1)
        return torch.cat([torch.where(null[:, None], 0.0, waves), null[:, None].float()], dim=-1)
