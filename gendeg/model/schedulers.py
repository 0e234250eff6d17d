"""diffusers' schedulers for any of our models: each is made to walk the noise levels that the model was trained on.

A scheduler made by `from_config` of another may lack what that one knows: its noise schedule may end above zero signal,
or it takes no network that says the image (or v) instead of the noise. Both would give images that are too weak, or
none. Here such a scheduler is made again with the model's own levels, and hears what the network said as noise.
"""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_utils import SchedulerMixin
from jaxtyping import Float
from torch import Tensor

Latents = Float[Tensor, "b c y x"]
RHO = 7.0
LEAST_SIGNAL = 2.0**-24
"""What zero signal is to schedulers that count in noise / signal, as diffusers' own Euler scheduler has it."""
ANY_PREDICTION = (
    "DDIMScheduler", "DDIMParallelScheduler", "DDPMScheduler", "DDPMParallelScheduler", "DEISMultistepScheduler",
    "DPMSolverMultistepScheduler", "DPMSolverSinglestepScheduler", "EulerDiscreteScheduler", "HeunDiscreteScheduler",
    "LMSDiscreteScheduler", "TCDScheduler", "UniPCMultistepScheduler",
    "ContinuousEulerAncestralScheduler",
)  # fmt: skip
"""Those that understand a network that says the image, v or the noise."""
NOISE_ONLY = ("EulerAncestralDiscreteScheduler", "KDPM2DiscreteScheduler", "KDPM2AncestralDiscreteScheduler")
"""Those that want to hear the noise, or v."""
SECOND_ORDER = ("HeunDiscreteScheduler", "KDPM2DiscreteScheduler", "KDPM2AncestralDiscreteScheduler")
"""Those that average slopes over a step: from (nearly) infinite noise / signal that is off by up to 24 times in mu."""
WORKING = (*ANY_PREDICTION, *NOISE_ONLY)
"""tests/model/test_schedulers.py measures mu with each, and that all others that diffusers lists are refused."""


def known_levels(scheduler: SchedulerMixin) -> Float[Tensor, " timesteps"]:
    """Share of signal (ᾱ) at each timestep that a configuration tells of, also where its own class does not heed it."""
    own = scheduler.config
    if not hasattr(scheduler, "alphas_cumprod") or "beta_schedule" not in own:
        raise ValueError(_advice(scheduler))
    betas = own.get("trained_betas")
    return _levels(
        own.num_train_timesteps, own.beta_start, own.beta_end, own.beta_schedule,
        None if betas is None else tuple(betas), bool(own.get("rescale_betas_zero_snr")),
    )  # fmt: skip


@lru_cache(maxsize=16)
def _levels(count: int, start: float, end: float, schedule: str, betas: tuple[float, ...] | None, zero: bool) -> Tensor:
    return DDIMScheduler(
        num_train_timesteps=count, beta_start=start, beta_end=end, beta_schedule=schedule, trained_betas=betas,
        rescale_betas_zero_snr=zero,
    ).alphas_cumprod.double()  # fmt: skip


@dataclass
class NoiseProcess:
    """A scheduler that is ready to walk a model's levels; `step` takes what the network said of `model_input`."""

    scheduler: Any
    levels: Float[Tensor, " timesteps"]
    says: str  # the prediction type of the network
    hears_noise: bool = False
    _input: Tensor | None = field(default=None, repr=False)

    def scale_model_input(self, sample: Float[Tensor, "b c y x"], timestep: Tensor) -> Float[Tensor, "b c y x"]:
        self._input = self.scheduler.scale_model_input(sample, timestep)
        return self._input

    def step(
        self, said: Float[Tensor, "b c y x"], timestep: Tensor, sample: Float[Tensor, "b c y x"], random: dict[str, Any]
    ) -> Float[Tensor, "b c y x"]:
        """The next sample; `random` is given to a scheduler that takes it."""
        takes = inspect.signature(self.scheduler.step).parameters
        given = {name: value for name, value in random.items() if name in takes}
        noise = self._noise(said, timestep) if self.hears_noise else said
        return self.scheduler.step(noise, timestep, sample, **given).prev_sample

    def begin(
        self, noise: Float[Tensor, "b c y x"], under: Float[Tensor, "b c y x"] | None = None
    ) -> Float[Tensor, "b c y x"]:
        """What the first step takes: noise of variance 1, or something under as much of it as the first level has."""
        if under is None:
            return noise * self.scheduler.init_noise_sigma
        first = self.scheduler.timesteps[:1].expand(len(noise))
        return self.scheduler.add_noise(under.to(noise), noise, first)

    def noise_at(self, timestep: Tensor) -> float:
        """Noise / signal at a timestep."""
        signal = level_at(self.levels, float(timestep))
        return ((1 - signal) / signal) ** 0.5

    def _noise(self, said: Float[Tensor, "b c y x"], timestep: Tensor) -> Float[Tensor, "b c y x"]:
        """What a network that says the image, or v, holds for the noise in its input."""
        signal = level_at(self.levels, float(timestep))
        root, rest = signal**0.5, (1 - signal) ** 0.5
        assert self._input is not None
        if self.says == "sample":
            return (self._input - root * said) / rest
        return root * said + rest * self._input if self.says == "v_prediction" else said


def level_at(levels: Float[Tensor, " timesteps"], timestep: float) -> float:
    """ᾱ at a fraction of a timestep: noise / signal interpolated in its logarithm, as those who make fractions do."""
    low = min(max(int(timestep), 0), len(levels) - 1)
    around = levels[[low, min(low + 1, len(levels) - 1)]].clamp(min=LEAST_SIGNAL)
    logs = ((1 - around) / around).log()
    return float(1 / (1 + (logs[0] + (timestep - low) * (logs[1] - logs[0])).exp()))


def up_to(levels: Float[Tensor, " timesteps"], most: float) -> Float[Tensor, " fewer"]:
    """The levels whose noise / signal is no more than `most`, and the first that has more; all of them for 0."""
    if not most:
        return levels
    return levels[: int((((1 - levels) / levels).sqrt() < most).sum()) + 1]


def share_of(steps: int, way: Float[Tensor, " fewer"], longest: Float[Tensor, " timesteps"]) -> int:
    """How many of the `steps` of the longest way are left for one that begins further down, at least 1.

    They are spread as by Karras et al. (2206.00364, equation 5, ρ = 7), whatever the scheduler.
    """
    ends = ((longest, 0), (way, -1), (longest, -1))
    low, own, top = (float((1 - levels[at]) / levels[at].clamp(min=LEAST_SIGNAL)) ** (0.5 / RHO) for levels, at in ends)
    return steps if own >= top else 1 + int((steps - 1) * (own - low) / (top - low))


def noise_process(scheduler: SchedulerMixin, trained: SchedulerMixin, most: float = 0.0) -> NoiseProcess:
    """The scheduler itself where it fits the model and hears what its network says, else its like that does.

    `trained` is the scheduler that came with the model: its configuration tells of the levels and the prediction.
    With `most` the way begins at that noise / signal, for what has signal to begin with.
    Raises `ValueError` for one that samples wrongly, or in another way than this loop; it names those that work.
    """
    levels, says = up_to(known_levels(trained), most), trained.config.prediction_type
    if "levels" in trained.config:  # of a distilled model, which knows no others
        if scheduler.config.get("levels") != trained.config.levels:
            raise ValueError("a distilled model samples with the scheduler that came with it only")
        return NoiseProcess(scheduler, levels, says)
    working = [name for name in WORKING if name not in SECOND_ORDER or float(levels[-1]) >= LEAST_SIGNAL]
    if type(scheduler).__name__ not in working:
        raise ValueError(_advice(scheduler, working))
    changes = _changes(scheduler, trained, levels)
    if not changes:
        return NoiseProcess(scheduler, levels, says)
    # Without the list of what was left at its default: `from_config` would take those defaults again.
    kept = {name: value for name, value in scheduler.config.items() if name != "_use_default_values"}
    like = type(scheduler).from_config(kept | changes)
    return NoiseProcess(like, levels, says, hears_noise="prediction_type" in changes)


def _changes(scheduler: Any, trained: Any, levels: Float[Tensor, " timesteps"]) -> dict[str, Any]:
    """What has to be different in a scheduler's configuration before it fits the model."""
    changes: dict[str, Any] = {}
    own, says = scheduler.alphas_cumprod.double().cpu(), trained.config.prediction_type
    same = own.shape == levels.shape and torch.allclose(own, levels, rtol=1e-4, atol=1e-6)
    hears = scheduler.config.prediction_type == says and (
        says != "sample" or type(scheduler).__name__ in ANY_PREDICTION
    )
    if not same or not hears:
        signal = levels.clamp(min=LEAST_SIGNAL)
        betas = 1 - signal / torch.cat([torch.ones(1).double(), signal[:-1]])
        changes = {"trained_betas": betas.tolist(), "rescale_betas_zero_snr": False, "prediction_type": "epsilon"}
        changes["num_train_timesteps"] = len(betas)
    if scheduler.config.get("clip_sample") and not trained.config.get("clip_sample"):
        changes["clip_sample"] = False  # made for pixels: latents have no such bounds
    if scheduler.config.get("timestep_spacing") == "leading" and float(levels[-1]) < LEAST_SIGNAL:
        changes["timestep_spacing"] = "trailing"  # it would begin with pure noise where the model saw some signal
    return changes


def _advice(scheduler: object, working: Sequence[str] = WORKING) -> str:
    return (
        f"{type(scheduler).__name__} does not walk the noise levels that this model was trained on; choose from "
        f"{', '.join(working)}, made with from_config(pipeline.scheduler.config)"
    )


# --- noise on latents, and what a network says of it ---


def noised(latent: Latents, noise: Latents, alphas_cumprod: Float[Tensor, " b"]) -> Latents:
    """x_t = √ᾱ x_0 + √(1 − ᾱ) ε (DDPM, equation 4)."""
    kept = alphas_cumprod[:, None, None, None]
    return kept.sqrt() * latent + (1 - kept).sqrt() * noise


def target_of(prediction_type: str, latent: Latents, noise: Latents, alphas_cumprod: Float[Tensor, " b"]) -> Latents:
    """What the UNet is to say: ε, x_0, or v = √ᾱ ε − √(1 − ᾱ) x_0 (Salimans & Ho, ICLR 2022, section 4)."""
    kept = alphas_cumprod[:, None, None, None]
    if prediction_type == "epsilon":
        return noise
    if prediction_type == "sample":
        return latent
    if prediction_type == "v_prediction":
        return kept.sqrt() * noise - (1 - kept).sqrt() * latent
    raise ValueError(f"unknown prediction type '{prediction_type}'")


def generated_of(prediction_type: str, said: Latents, noisy: Latents, alphas_cumprod: Float[Tensor, " b"]) -> Latents:
    """x_0 from what the UNet says of x_t: the inverse of `target_of`."""
    kept = alphas_cumprod[:, None, None, None]
    if prediction_type == "epsilon":
        return (noisy - (1 - kept).sqrt() * said) / kept.sqrt()
    if prediction_type == "sample":
        return said
    if prediction_type == "v_prediction":
        return kept.sqrt() * noisy - (1 - kept).sqrt() * said
    raise ValueError(f"unknown prediction type '{prediction_type}'")


def landed(
    prediction_type: str,
    said: Latents,
    noisy: Latents,
    alphas_cumprod: Float[Tensor, " b"],
    following: Float[Tensor, " b"],
) -> Latents:
    """x at the levels `following` from what the UNet says of x_t: the noise stays, its share falls (DDIM, equation 12).

    Some noise must be in x_t, and of pure noise a network that says ε tells nothing.
    """
    generated = generated_of(prediction_type, said, noisy, alphas_cumprod)
    kept, later = alphas_cumprod[:, None, None, None], following[:, None, None, None]
    noise = (noisy - kept.sqrt() * generated) / (1 - kept).sqrt()
    return later.sqrt() * generated + (1 - later).sqrt() * noise
