"""Samplers that diffusers lacks: the published one, Euler ancestral over continuous timesteps; a distilled model's."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.schedulers.scheduling_euler_ancestral_discrete import (
    EulerAncestralDiscreteScheduler,
    EulerAncestralDiscreteSchedulerOutput,
)
from diffusers.schedulers.scheduling_utils import SchedulerMixin, SchedulerOutput
from jaxtyping import Float, Int
from torch import Tensor

from gendeg.model.moves import draw_noise
from gendeg.model.schedulers import known_levels, landed, noised

LDM_SCHEDULE: dict[str, Any] = {
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "prediction_type": "epsilon",
    "timestep_spacing": "linspace",
}
PAPER: dict[str, Any] = {"steps": 100, "guidance_text": 7.5, "guidance_image": 1.5}
"""How the published model samples (GenDeg, section 4)."""
MULTISTEP: dict[str, Any] = {
    "algorithm_type": "dpmsolver++", "solver_order": 2, "use_karras_sigmas": True, "final_sigmas_type": "zero",
    "lower_order_final": True, "euler_at_final": False,
}  # fmt: skip
"""DPM-Solver++ 2M (Lu et al., 2211.01095) on the noise levels of Karras et al. (2206.00364, equation 5)."""
FEW_STEPS = {"latent": 12, "change": 8, "levels": 4}
"""Of `--sampler fast`: for models of the whole latent (as Stable Diffusion 1.5), of the normalised change, and of those
whose schedule begins with no signal at all."""
INTERVAL = (0.28, 5.42)
"""Noise / signal between which guidance is applied then: as the paper has it for Stable Diffusion XL (2404.07724)."""


class ContinuousEulerAncestralScheduler(EulerAncestralDiscreteScheduler):
    """diffusers' Euler ancestral scheduler, but noise levels between two timesteps are interpolated in their logarithm.

    That is what k-diffusion does, and with it the published sampler is met bit for bit. Timesteps run evenly from the
    last to 0 and are fractions: those that the rounded noise levels fall on. Karras et al., "Elucidating the Design
    Space", NeurIPS 2022; ancestral steps as Song et al., DDIM, ICLR 2021, equation 16 with eta 1.
    """

    def set_timesteps(self, num_inference_steps: int, device: str | torch.device | None = None) -> None:
        super().set_timesteps(num_inference_steps, device)
        known = self._known_levels().log()
        even = torch.linspace(len(known) - 1, 0, num_inference_steps)
        share = even.frac()
        log_sigmas = (1 - share) * known[even.floor().long()] + share * known[even.ceil().long()]
        sigmas = log_sigmas.exp()
        self.sigmas = torch.cat([sigmas, torch.zeros(1)])
        self.timesteps = _positions(known, sigmas.log()).to(device)

    def _known_levels(self) -> Float[Tensor, " timesteps"]:
        """Sigma at every whole timestep, rounded once: float32 betas miss the lowest by 1e-5."""
        own, alphas = self.config, self.alphas_cumprod.double()
        if own.beta_schedule == "scaled_linear" and own.trained_betas is None and not own.rescale_betas_zero_snr:
            betas = np.linspace(own.beta_start**0.5, own.beta_end**0.5, own.num_train_timesteps) ** 2
            alphas = torch.from_numpy(np.cumprod(1 - betas))
        return ((1 - alphas) / alphas).sqrt().float()

    def step(
        self,
        model_output: Float[Tensor, "b c y x"],
        timestep: float | Tensor,
        sample: Float[Tensor, "b c y x"],
        generator: torch.Generator | list[torch.Generator] | None = None,
        return_dict: bool = True,
        noise: Float[Tensor, "b c y x"] | None = None,
    ) -> EulerAncestralDiscreteSchedulerOutput | tuple[Tensor, Tensor]:
        """One step; `noise` is what is added after it, drawn from `generator` when it is not given."""
        if self.step_index is None:
            self._init_step_index(timestep)
        assert self._step_index is not None
        sigma, following = self.sigmas[self._step_index], self.sigmas[self._step_index + 1]
        clean = self._clean(model_output, sample, sigma)
        added = (following**2 * (sigma**2 - following**2) / sigma**2).sqrt()
        kept = (following**2 - added**2).clamp(min=0).sqrt()
        noise = draw_noise(sample.shape, generator, sample.device) if noise is None else noise
        before = sample + (sample - clean) / sigma * (kept - sigma) + noise * added
        self._step_index += 1
        if not return_dict:
            return before, clean
        return EulerAncestralDiscreteSchedulerOutput(prev_sample=before, pred_original_sample=clean)

    def _clean(
        self, output: Float[Tensor, "b c y x"], sample: Float[Tensor, "b c y x"], sigma: Tensor
    ) -> Float[Tensor, "b c y x"]:
        if self.config.prediction_type == "epsilon":
            return sample - sigma * output
        if self.config.prediction_type == "v_prediction":
            return sample / (sigma**2 + 1) - output * sigma / (sigma**2 + 1).sqrt()
        return output


def _positions(known: Float[Tensor, " n"], asked: Float[Tensor, " steps"]) -> Float[Tensor, " steps"]:
    """Where values lie among rising ones, in float32 as k-diffusion does it: its roundings are part of the result."""
    below = (torch.searchsorted(known, asked, right=True) - 1).clamp(0, len(known) - 2)
    share = ((known[below] - asked) / (known[below] - known[below + 1])).clamp(0, 1)
    return (1 - share) * below + share * (below + 1)


# --- of distilled models ---


class DistilledScheduler(SchedulerMixin, ConfigMixin):
    """Walks the levels that a student was taught, and no others: it knows the way from each to the next only.

    Steps are deterministic (`schedulers.landed`). `levels` are (timestep, ᾱ) from the noisiest on; behind the last
    there is no noise. The rest of the configuration tells of the levels that its teacher was trained on.
    """

    order = 1
    init_noise_sigma = 1.0

    @register_to_config
    def __init__(
        self,
        levels: list[list[float]],
        prediction_type: str = "epsilon",
        num_train_timesteps: int = 1000,
        beta_start: float = 0.0001,
        beta_end: float = 0.02,
        beta_schedule: str = "linear",
        trained_betas: list[float] | None = None,
        rescale_betas_zero_snr: bool = False,
    ):
        timesteps, signals = zip(*levels, strict=True)
        self._timesteps, self._signals = torch.tensor(timesteps).long(), torch.tensor([*signals, 1.0])
        self.alphas_cumprod: Float[Tensor, " t"] = torch.zeros(num_train_timesteps)  # `known_levels` wants to see some
        self.alphas_cumprod = known_levels(self).float()
        self.set_timesteps(len(levels))

    def set_timesteps(self, num_inference_steps: int, device: str | torch.device | None = None) -> None:
        """Raises `ValueError` for another number of steps than was taught."""
        if num_inference_steps != len(self._timesteps):
            raise ValueError(f"this model was distilled to {len(self._timesteps)} steps, not {num_inference_steps}")
        self.timesteps = self._timesteps.to(device)
        self._step = 0

    def scale_model_input(self, sample: Float[Tensor, "b c y x"], timestep: Tensor) -> Float[Tensor, "b c y x"]:
        """As it is: what is walked has unit variance."""
        return sample

    def add_noise(
        self, original_samples: Float[Tensor, "b c y x"], noise: Float[Tensor, "b c y x"], timesteps: Int[Tensor, " b"]
    ) -> Float[Tensor, "b c y x"]:
        """At timesteps that were taught."""
        taught = {int(timestep): signal for timestep, signal in zip(self._timesteps, self._signals, strict=False)}
        return noised(original_samples, noise, torch.stack([taught[int(t)] for t in timesteps]).to(noise))

    def step(
        self, model_output: Float[Tensor, "b c y x"], timestep: Tensor, sample: Float[Tensor, "b c y x"]
    ) -> SchedulerOutput:
        """From this level to the next."""
        now, following = (self._signals[i].expand(len(sample)).to(sample) for i in (self._step, self._step + 1))
        self._step += 1
        return SchedulerOutput(landed(self.config.prediction_type, model_output, sample, now, following))


@dataclass(frozen=True)
class Taught:
    """What a student has been taught: its levels, (timestep, ᾱ) each, and the guidance in its weights."""

    levels: Sequence[Sequence[float]]
    guidance_text: float
    guidance_image: float

    def as_row(self) -> dict[str, Any]:
        """`Taught(**row)` is the same again."""
        return asdict(self)
