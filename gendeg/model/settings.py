"""How a run samples: the settings that its images share, and what a model can be asked for."""

from dataclasses import dataclass

from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler

from gendeg.model.guidance import FULL, Branch, branches
from gendeg.model.pipeline import GenDegPipeline
from gendeg.model.samplers import FEW_STEPS, INTERVAL, MULTISTEP, PAPER, ContinuousEulerAncestralScheduler
from gendeg.primitives.errors import BadOption

STRONGEST = 100.0
"""Beyond this a guidance scale is a slip of the keyboard: the published ones are 7.5 and 1.5."""


@dataclass(frozen=True)
class Settings:
    """How a run samples; the same for all of its images."""

    steps: int
    guidance_text: float
    guidance_image: float
    structure_correction: bool
    sampler: str = "own"
    passes: int = 0
    """Through the network, for an image."""


def choose_sampler(pipeline: GenDegPipeline, name: str) -> None:
    """Let the pipeline sample as published (`paper`), in few passes (`fast`), or leave it its own way (`own`).

    Raises `BadOption` for another name, or a model whose last noise level has no signal left: there the published
    sampler would have to start from infinity.
    """
    if name not in ("own", "paper", "fast"):
        raise BadOption("--sampler", f"must be own, paper or fast, not '{name}'")
    whole = float(pipeline.scheduler.alphas_cumprod[-1]) >= 1e-6  # some signal is left at the last noise level
    if name == "fast":
        choose_fast(pipeline, whole)
    if name == "paper":
        if pipeline.config.guidance_built_in:
            raise BadOption("--sampler", "this model was distilled and samples in its own way only; ask its teacher")
        if not whole:
            raise BadOption(
                "--sampler", "paper needs a model with noise levels like Stable Diffusion's; this has others"
            )
        pipeline.scheduler = ContinuousEulerAncestralScheduler.from_config(
            {**pipeline.scheduler.config, "timestep_spacing": "linspace"}
        )
        pipeline.register_to_config(**PAPER)


def choose_fast(pipeline: GenDegPipeline, whole: bool) -> None:
    """In few passes, as docs/degrade.md says for each family of models; benchmarks/samplers.py measures what they cost.

    A model that needs no more, and a distilled one, is left as it is.
    """
    own = pipeline.config
    few = FEW_STEPS["levels" if not whole else "change" if own.change_scale else "latent"]
    if own.guidance_built_in or own.steps <= few:
        return
    pipeline.register_to_config(steps=few)
    if whole:
        pipeline.scheduler = DPMSolverMultistepScheduler.from_config({**pipeline.scheduler.config, **MULTISTEP})
    if branches(own.guidance_text, own.guidance_image) != [FULL]:
        pipeline.register_to_config(guidance_interval=list(INTERVAL))


def branches_of(pipeline: GenDegPipeline, guidance_text: float, guidance_image: float) -> list[Branch]:
    """The network passes of a step; a distilled model has the guidance in its weights and takes one."""
    return branches(1.0, 1.0) if pipeline.config.guidance_built_in else branches(guidance_text, guidance_image)


def unlike_built_in(
    pipeline: GenDegPipeline, steps: int | None, guidance_text: float | None, guidance_image: float | None
) -> tuple[str, str] | None:
    """The first that is asked (None: nothing) otherwise than a distilled model has it, as (option, what is wrong)."""
    own = pipeline.config
    asked = {"steps": steps, "guidance_text": guidance_text, "guidance_image": guidance_image}
    for name, value in asked.items() if own.guidance_built_in else ():
        if value is not None and value != own[name]:
            what = f"this model was distilled with {own[name]:g}, not {value:g}"
            return f"--{name.replace('_', '-')}", f"{what}; ask its teacher, or distil it again (gendeg train distill)"
    return None


def settings_of(
    pipeline: GenDegPipeline,
    steps: int | None = None,
    guidance_text: float | None = None,
    guidance_image: float | None = None,
    structure_correction: bool = True,
    sampler: str = "own",
) -> Settings:
    """What was asked for, and the model's own where nothing was.

    Raises `BadOption` for more steps than the model's schedule has, or a guidance scale that is no use.
    """
    own, most = pipeline.config, pipeline.scheduler.config.num_train_timesteps
    if other := unlike_built_in(pipeline, steps, guidance_text, guidance_image):
        raise BadOption(*other)
    steps = own.steps if steps is None else steps
    if not 1 <= steps <= most:
        raise BadOption("--steps", f"this model takes 1 to {most}, got {steps}")
    scales = {"guidance_text": guidance_text, "guidance_image": guidance_image}
    for name, scale in scales.items():
        if scale is not None and not abs(scale) <= STRONGEST:  # refuses NaN too
            raise BadOption(f"--{name.replace('_', '-')}", f"must lie in [-100, 100], got {scale:g}")
    chosen = {name: float(getattr(own, name) if scale is None else scale) for name, scale in scales.items()}
    passes = pipeline.passes(steps, branches_of(pipeline, **chosen))
    return Settings(steps, **chosen, structure_correction=structure_correction, sampler=sampler, passes=passes)


def refuse_direction(pipeline: GenDegPipeline) -> None:
    """Raises `BadOption` for a model that was taught none: it would go its own way without a word."""
    if not (pipeline.config.directions or pipeline.config.sketch):
        raise BadOption("--direction", "this model was not taught directions (--model physics knows them)")
