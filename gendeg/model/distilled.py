"""A distilled model: a few steps of one network pass each, guidance built into the weights (Meng et al., CVPR 2023)."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.schedulers.scheduling_utils import SchedulerMixin, SchedulerOutput
from jaxtyping import Float
from torch import Tensor

from gendeg.model.noise import landed
from gendeg.model.pipeline import GenDegPipeline
from gendeg.model.schedulers import known_levels


class DistilledScheduler(SchedulerMixin, ConfigMixin):
    """Walks the levels that a student was taught, and no others: it knows the way from each to the next only.

    Steps are deterministic (`noise.landed`). `levels` are (timestep, ᾱ) from the noisiest on; behind the last there is
    no noise. The rest of the configuration tells of the levels that its teacher was trained on.
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


LEVELS = (
    "prediction_type", "num_train_timesteps", "beta_start", "beta_end", "beta_schedule", "trained_betas",
    "rescale_betas_zero_snr",
)  # fmt: skip
"""What a scheduler's configuration tells of the levels that its model was trained on."""


def as_student(teacher: GenDegPipeline, taught: Taught, **parts: Any) -> GenDegPipeline:
    """The teacher with a student's numbers, its scheduler and, in `parts`, its networks."""
    own = teacher.scheduler.config
    known = {name: own[name] for name in LEVELS if own.get(name) is not None}
    levels = [[float(timestep), float(signal)] for timestep, signal in taught.levels]
    scales = {"guidance_text": float(taught.guidance_text), "guidance_image": float(taught.guidance_image)}
    return teacher.with_parts(
        scheduler=DistilledScheduler(levels, **known), steps=len(levels), **scales, guidance_built_in=True, **parts
    )
