"""One photo and what is asked of it → degraded images: the step that `synth` and `build` share."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import UInt8

from gendeg.configs import SynthConfig
from gendeg.jobs.requests import Request
from gendeg.model.pipeline import CleanLatent, GenDegPipeline
from gendeg.primitives.errors import BadOption
from gendeg.primitives.images import signed_to_u8, u8_to_signed
from gendeg.primitives.kinds import mix_name
from gendeg.primitives.rng import torch_generator

U8Image = UInt8[np.ndarray, "h w 3"]


def choose_device(name: str) -> str:
    """`auto` → the best device there is. Raises `BadOption` for one that this machine lacks."""
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return next(device for device in ("cuda", "mps", "cpu") if there[device])
    if not there.get(name.split(":")[0], False):
        usable = ", ".join(device for device, usable in there.items() if usable)
        raise BadOption("--device", f"'{name}' is not usable here; choose from auto, {usable}")
    return name


def check_steps(pipeline: GenDegPipeline, steps: int | None) -> None:
    """Raises `BadOption` for more steps than the model's schedule has."""
    most = pipeline.scheduler.config.num_train_timesteps
    if steps is not None and steps > most:
        raise BadOption("--steps", f"this model takes at most {most}, got {steps}")


def to_signed_tensor(image: U8Image) -> torch.Tensor:
    """u8 [h w 3] → signed [1 3 h w]."""
    return torch.from_numpy(u8_to_signed(image)).permute(2, 0, 1)[None]


def noise_generator(seed: int, clean_sha256: str, request: Request) -> torch.Generator:
    """A sample's own randomness; the intensities of one photo and degradation share it: only the strength differs."""
    return torch_generator(seed, f"{clean_sha256}/{mix_name(request.mix)}", "sample")


def corrects(pipeline: GenDegPipeline, request: Request, wanted: bool) -> bool:
    """Whether the structure correction runs for a request: any member of the mix is one it was trained for."""
    if not wanted or pipeline.structure is None:
        return False
    return any(kind in pipeline.config.structure_degradations for kind in request.mix)


def make_samples(
    pipeline: GenDegPipeline,
    clean: CleanLatent,
    requests: Sequence[Request],
    generators: list[torch.Generator],
    config: SynthConfig,
) -> list[U8Image]:
    """Degrade one encoded photo once per request, as stored: u8 [h w 3] of the photo's size."""
    images = pipeline(
        clean,
        prompts=[request.prompt for request in requests],
        mu=[request.mu for request in requests],
        sigma=[request.sigma for request in requests],
        generators=generators,
        steps=config.steps,
        guidance_text=config.guidance_text,
        guidance_image=config.guidance_image,
        structure_correction=[corrects(pipeline, request, config.structure_correction) for request in requests],
    )
    return [signed_to_u8(image.permute(1, 2, 0).cpu().numpy()) for image in images]
