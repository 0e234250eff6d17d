"""One photo and what is asked of it → degraded images: the step that `synth` and `build` share."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from gendeg.configs import BuildConfig, CalibrateConfig, EvaluateConfig, SynthConfig
from gendeg.jobs.requests import Request
from gendeg.model.latents import CleanLatent
from gendeg.model.pipeline import GenDegPipeline
from gendeg.model.samplers import PAPER, ContinuousEulerAncestralScheduler
from gendeg.model.strength import Target
from gendeg.primitives.errors import BadOption
from gendeg.primitives.images import U8Image, signed_to_u8, u8_to_signed
from gendeg.primitives.kinds import Mix, mix_name
from gendeg.primitives.rng import torch_generator

Samples = SynthConfig | BuildConfig | EvaluateConfig | CalibrateConfig
"""Configs of jobs that sample: `steps` and guidance, None for the model's own."""
STRONGEST = 100.0
"""Beyond this a guidance scale is a slip of the keyboard: the published ones are 7.5 and 1.5."""


@dataclass(frozen=True)
class Settings:
    """How a run samples; the same for all of its images."""

    steps: int
    guidance_text: float
    guidance_image: float
    structure_correction: bool


def choose_device(name: str) -> str:
    """`auto` → the best device there is. Raises `BadOption` for one that this machine lacks."""
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return next(device for device in ("cuda", "mps", "cpu") if there[device])
    if not there.get(name.split(":")[0], False):
        usable = ", ".join(device for device, usable in there.items() if usable)
        raise BadOption("--device", f"'{name}' is not usable here; choose from auto, {usable}")
    return name


def choose_sampler(pipeline: GenDegPipeline, name: str) -> None:
    """Let the pipeline sample as published (`paper`), or leave it its own way (`own`).

    Raises `BadOption` for another name, or a model whose last noise level has no signal left: there the published
    sampler would have to start from infinity.
    """
    if name not in ("own", "paper"):
        raise BadOption("--sampler", f"must be own or paper, not '{name}'")
    if name == "paper":
        if float(pipeline.scheduler.alphas_cumprod[-1]) < 1e-6:
            raise BadOption(
                "--sampler", "paper needs a model with noise levels like Stable Diffusion's; this has others"
            )
        pipeline.scheduler = ContinuousEulerAncestralScheduler.from_config(
            {**pipeline.scheduler.config, "timestep_spacing": "linspace"}
        )
        pipeline.register_to_config(**PAPER)


def settings_of(pipeline: GenDegPipeline, config: Samples) -> Settings:
    """What was asked for, and the model's own where nothing was.

    Raises `BadOption` for more steps than the model's schedule has, or a guidance scale that is no use.
    """
    own, most = pipeline.config, pipeline.scheduler.config.num_train_timesteps
    steps = own.steps if config.steps is None else config.steps
    if not 1 <= steps <= most:
        raise BadOption("--steps", f"this model takes 1 to {most}, got {steps}")
    scales = {"guidance_text": config.guidance_text, "guidance_image": config.guidance_image}
    for name, scale in scales.items():
        if scale is not None and not abs(scale) <= STRONGEST:  # refuses NaN too
            raise BadOption(f"--{name.replace('_', '-')}", f"must lie in [-100, 100], got {scale:g}")
    chosen = {name: float(getattr(own, name) if scale is None else scale) for name, scale in scales.items()}
    return Settings(steps, **chosen, structure_correction=getattr(config, "structure_correction", True))


def to_signed_tensor(image: U8Image) -> torch.Tensor:
    """u8 [h w 3] → signed [1 3 h w]."""
    return torch.from_numpy(u8_to_signed(image)).permute(2, 0, 1)[None]


def noise_generator(seed: int, clean_sha256: str, request: Request) -> torch.Generator:
    """A sample's own randomness; the intensities of one photo and degradation share it: only the strength differs."""
    return torch_generator(seed, f"{clean_sha256}/{mix_name(request.mix)}", "sample")


def corrects(pipeline: GenDegPipeline, mix: Mix, settings: Settings) -> bool:
    """Whether the structure correction runs for a mix: any member of it is one that it was trained for."""
    if not settings.structure_correction or pipeline.structure is None:
        return False
    return any(kind in pipeline.config.structure_degradations for kind in mix)


def make_samples(
    pipeline: GenDegPipeline,
    clean: CleanLatent,
    requests: Sequence[Request],
    generators: list[torch.Generator],
    settings: Settings,
) -> list[U8Image]:
    """Degrade one encoded photo once per request, as stored: u8 [h w 3] of the photo's size."""
    latents = denoise_samples(pipeline, clean, requests, generators, settings)
    return decode_samples(pipeline, clean, requests, latents, settings)


def denoise_samples(
    pipeline: GenDegPipeline,
    clean: CleanLatent,
    requests: Sequence[Request],
    generators: list[torch.Generator],
    settings: Settings,
) -> torch.Tensor:
    """The first half of `make_samples`: what was generated, [b c y x]."""
    return pipeline.generate(
        clean,
        prompts=[request.prompt for request in requests],
        mu=possible_mu(pipeline, clean, requests),
        sigma=[request.sigma for request in requests],
        generators=generators,
        steps=settings.steps,
        guidance_text=settings.guidance_text,
        guidance_image=settings.guidance_image,
        degradations=[mix_name(request.mix) for request in requests],
    )


def possible_mu(pipeline: GenDegPipeline, clean: CleanLatent, requests: Sequence[Request]) -> list[float]:
    """What can be asked of this photo, for each request."""
    return pipeline.possible(clean, [mix_name(request.mix) for request in requests], [r.mu for r in requests])


def targets_of(pipeline: GenDegPipeline, clean: CleanLatent, requests: Sequence[Request]) -> list[Target]:
    """What each request's image is brought to."""
    names = [mix_name(request.mix) for request in requests]
    return pipeline.targets(names, possible_mu(pipeline, clean, requests), [request.sigma for request in requests])


def decode_samples(
    pipeline: GenDegPipeline,
    clean: CleanLatent,
    requests: Sequence[Request],
    latents: torch.Tensor,
    settings: Settings,
) -> list[U8Image]:
    """The second half: decoded, corrected where the settings say so, brought to the asked mu and sigma."""
    corrected = [corrects(pipeline, request.mix, settings) for request in requests]
    images = pipeline.decode_latents(latents, clean, corrected, targets_of(pipeline, clean, requests))
    return [signed_to_u8(image.permute(1, 2, 0).cpu().numpy()) for image in images]
