"""Distil a model into a student that samples in a few steps of one network pass each, guidance built in.

Guided distillation (Meng et al., CVPR 2023) of the teacher's whole way: from the same noise the teacher goes many small
steps, all guidance branches each, and every few of them the student learns to get there at once, from where the teacher
stood (progressive distillation, Salimans & Ho, ICLR 2022; its targets reached by many steps as in multistep consistency
models, Heek et al., 2403.06807). Of a pair the teacher is told the clean half, the words, mu, sigma and the direction;
the degraded half is what these are measured on, and nothing is learnt from it: the student is to be the teacher. Where
the teacher begins with a simulator's draw under noise, here the pair's own change stands for it.
"""

import copy
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler
from diffusers.schedulers.scheduling_utils import SchedulerMixin
from jaxtyping import Float
from torch import Tensor

from gendeg.intensity.measure import Intensity, measure_intensity
from gendeg.model.conditioner import Conditioning
from gendeg.model.guidance import Branch
from gendeg.model.loading import quiet
from gendeg.model.lora import fuse_lora, save_lora
from gendeg.model.pipeline import GenDegPipeline
from gendeg.model.response import told_statistics
from gendeg.model.samplers import Taught
from gendeg.model.saving import write_folder
from gendeg.model.schedulers import NoiseProcess, landed, noise_process
from gendeg.model.settings import branches_of, settings_of
from gendeg.model.weights import as_student, load_pipeline
from gendeg.pairs.pair import Pair
from gendeg.primitives.errors import BadOption
from gendeg.primitives.images import write_image
from gendeg.primitives.kinds import mix_name, parse_mixes
from gendeg.report.card_merge import write_card
from gendeg.report.sheet import Tile, draw_sheet
from gendeg.training.batches import Batch, View, Views, encoded, make_batch
from gendeg.training.card import model_card
from gendeg.training.config import DistillConfig
from gendeg.training.diffusion import (
    Denoiser,
    check_start,
    make_denoiser,
    parameter_groups,
    push_model,
    say_captions,
    views_of,
)
from gendeg.training.examples import Deal, parse_weights
from gendeg.training.fresh_pairs import fresh_recipe, training_pairs
from gendeg.training.losses import psnr
from gendeg.training.run import Run
from gendeg.training.sheet import asked_on_sheet, generate_asked
from gendeg.training.state import LossLog, read_log

MOST_STEPS = 32
"""Of the teacher's way, unless more are asked for: DPM-Solver++ gains little from more."""
STEADY = ("DDIMScheduler", "DPMSolverMultistepScheduler", "DistilledScheduler")
"""Schedulers that the way is walked with as they are: no noise is added, and what they walk has unit variance."""
FAINTEST = 0.2
"""Errors count as shares of the root mean square of what the teacher made, and of this where that is less."""


# --- the teacher ---


@dataclass(frozen=True)
class Teacher:
    """The pipeline (its own steps and scales are those of its way) and the levels of the way: timestep and ᾱ each."""

    pipeline: GenDegPipeline
    process: NoiseProcess
    levels: list[tuple[int, float]]
    branches: list[Branch]

    def prepare(self, device: torch.device, compiled: bool) -> None:
        """Everything of it onto the device; nothing of it learns."""
        for part in (self.pipeline.vae, *self._networks):
            part.to(device).requires_grad_(False)
        self.pipeline.unet.to(memory_format=torch.channels_last)
        if compiled and device.type != "cpu":
            self.pipeline.unet.compile()

    @torch.no_grad()
    def walk(self, batch: Batch, half: bool) -> Float[Tensor, "levels b c y x"]:
        """From noise to what the teacher makes of it: where it stood at each of its levels, and the end.

        `half`: its networks work in bfloat16.
        """
        pipeline, process, device = self.pipeline, self.process, batch.noise.device
        process.scheduler.set_timesteps(len(self.levels), device="cpu")
        latents, stood = process.begin(batch.noise, batch.degraded if pipeline.config.sketch else None), []
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            full, null = self._read(batch)
        for timestep in process.scheduler.timesteps:
            stood.append(process.scale_model_input(latents, timestep))
            now = pipeline.branches_at(process, timestep, self.branches)
            read = Conditioning.batch([full if branch.text else null for branch in now])
            with torch.autocast(device.type, torch.bfloat16, enabled=half):
                said = pipeline.predict(stood[-1], timestep.to(device), batch.clean, read, now).float()
            latents = process.step(said, timestep, latents, {})
        return torch.stack([*stood, latents])

    def _read(self, batch: Batch) -> tuple[Conditioning, Conditioning]:
        """What the UNet attends to: with everything that is told, and with nothing."""
        own = self.pipeline
        text = own.text_encoder(batch.tokens)
        full = own.conditioner(
            text.last_hidden_state, text.pooler_output, batch.mu, batch.sigma, batch.direction
        )  # fmt: skip
        return full, own.encode_prompt([""], [float("nan")], [float("nan")]).expand(len(batch.mu))

    @property
    def _networks(self) -> tuple[torch.nn.Module, ...]:
        return self.pipeline.unet, self.pipeline.text_encoder, self.pipeline.conditioner


def make_teacher(config: DistillConfig) -> Teacher:
    """Raises `BadModel`, `HubUnreachable`, `BadOption` for a way that this model cannot go."""
    pipeline = load_pipeline(config.model)
    steps = _steps_of_way(pipeline, config)
    settings = settings_of(pipeline, steps, config.text, config.image)
    process = noise_process(steady(pipeline.scheduler), pipeline.scheduler, pipeline.config.sketch)
    process.scheduler.set_timesteps(steps)
    built_in = pipeline.config.guidance_built_in
    pipeline.scheduler = process.scheduler if built_in else steady(pipeline.scheduler)
    scales = {"guidance_text": settings.guidance_text, "guidance_image": settings.guidance_image}
    pipeline.register_to_config(steps=steps, **scales, sketch_levels={})  # a student learns one way for all
    return Teacher(pipeline, process, levels_of(process), branches_of(pipeline, *scales.values()))


def _steps_of_way(pipeline: GenDegPipeline, config: DistillConfig) -> int:
    """A multiple of the student's steps. Raises `BadOption`."""
    own, student, most = pipeline.config, config.sample_steps, pipeline.scheduler.config.num_train_timesteps
    if own.guidance_built_in:
        if config.teacher_steps not in (0, own.steps):
            reason = f"this teacher was distilled to {own.steps} steps, got {config.teacher_steps}"
            raise BadOption("--teacher-steps", reason)
        steps = own.steps
    else:
        steps = config.teacher_steps or -(-min(own.steps, MOST_STEPS) // student) * student
    if steps % student:
        raise BadOption("--steps", f"must divide the teacher's {steps}, got {student}; see --teacher-steps")
    if steps > most:
        raise BadOption("--teacher-steps", f"this model takes 1 to {most}, got {steps}")
    return int(steps)


def steady(scheduler: SchedulerMixin) -> SchedulerMixin:
    """The scheduler itself where its way depends on the first noise only, else DPM-Solver++ 2M over its levels."""
    if type(scheduler).__name__ in STEADY and "sde" not in scheduler.config.get("algorithm_type", ""):
        return scheduler
    kept = {name: value for name, value in scheduler.config.items() if name != "_use_default_values"}
    changed = {"algorithm_type": "dpmsolver++", "solver_order": 2, "final_sigmas_type": "zero"}
    return DPMSolverMultistepScheduler.from_config(kept | changed)


def levels_of(process: NoiseProcess) -> list[tuple[int, float]]:
    """(timestep, ᾱ) of each step that a `steady` scheduler is about to go."""
    own, timesteps = process.scheduler, [int(one) for one in process.scheduler.timesteps]
    if "levels" in own.config:
        return [(int(timestep), signal) for timestep, signal in own.config.levels]
    if hasattr(own, "sigmas"):
        signals = (1 / (1 + own.sigmas[: len(timesteps)].double() ** 2)).tolist()
    else:
        signals = own.alphas_cumprod[timesteps].tolist()
    return list(zip(timesteps, signals, strict=True))


# --- the student ---


def make_student(teacher: Teacher, steps: int) -> tuple[GenDegPipeline, Taught]:
    """A copy of the teacher that walks `steps` of its levels, evenly chosen; what both share is not copied."""
    own, each = teacher.pipeline, len(teacher.levels) // steps
    taught = Taught(teacher.levels[::each], own.config.guidance_text, own.config.guidance_image)
    networks = {name: copy.deepcopy(getattr(own, name)) for name in ("unet", "text_encoder", "conditioner")}
    return as_student(own, taught, **networks), taught


def train_distill(config: DistillConfig) -> None:
    """Write checkpoints, `log.csv`, `agreement.csv`, sheets and, at the end, the averaged student as `model/`.

    A LoRA run leaves in `lora/` the little that it has trained, and in `model/` all of it, fused.
    """
    quiet()
    pairs = training_pairs(config)
    torch.manual_seed(config.seed)
    _refuse_other_starts(config)
    teacher = make_teacher(config)
    check_start(config, teacher.pipeline, pairs)
    _check_told(teacher.pipeline, pairs, config)
    drawn = fresh_recipe(config, pairs) if config.clean else Deal(pairs, config.seed, parse_weights(config.weights))
    student, taught = make_student(teacher, config.sample_steps)
    denoiser = make_denoiser(student, config)
    run = Run(config, denoiser, parameter_groups(denoiser, config), compile_on_cpu=False)
    teacher.prepare(run.accelerator.device, config.compile)
    say_captions(student, pairs, run.main)
    loss = Loss(teacher, taught, config.precision != "no", run.accelerator.device)
    with _told_views(views_of(run, student, pairs, drawn, config), teacher.pipeline) as views:
        batches = run.batches(lambda numbers: make_batch(numbers, views, teacher.pipeline, config))
        for _ in run.steps("distill", lambda step: draw_agreement(teacher.pipeline, student, config, step)):
            for _ in range(config.accumulate):
                ready = next(batches).to(run.accelerator.device)
                b = encoded(ready, student, config.cache_latents, config.precision != "no")
                with run.accumulate():
                    run.descend(loss(run.model, b))
    run.finish(lambda trained: _save(student, trained, taught, teacher, config, pairs))
    if config.push_to_hub and run.main:
        push_model(config.out / "model", config.push_to_hub)


class Loss:
    """How far from the teacher's way the student lands, from each of its levels on."""

    def __init__(self, teacher: Teacher, taught: Taught, half: bool, device: torch.device):
        self.teacher, self.half = teacher, half
        self.says = teacher.pipeline.scheduler.config.prediction_type
        timesteps, signals = zip(*taught.levels, strict=True)
        self.timesteps = torch.tensor(timesteps, device=device)
        self.signals = torch.tensor([*signals, 1.0], device=device)

    def __call__(self, student: Callable[..., Tensor], batch: Batch) -> Float[Tensor, ""]:
        """The mean square, each image's as a share of what the teacher made; one pass for all levels of all crops."""
        way, count, crops = self.teacher.walk(batch, self.half), len(self.timesteps), len(batch.mu)
        each = (len(way) - 1) // count
        starts, ends = way[:-1:each].flatten(0, 1), way[each::each].flatten(0, 1)
        timesteps, kept, following = (
            levels.repeat_interleave(crops) for levels in (self.timesteps, self.signals[:-1], self.signals[1:])
        )
        clean, *told = (
            torch.cat([one] * count) for one in (batch.clean, batch.tokens, batch.mu, batch.sigma, batch.direction)
        )
        said = student(starts, clean, timesteps, *told).float()
        error = (landed(self.says, said, starts, kept, following) - ends).square().mean(dim=(1, 2, 3))
        made = way[-1].square().mean(dim=(1, 2, 3)).clamp(min=FAINTEST**2)
        return (error / made.repeat(count)).mean()


@contextmanager
def _told_views(source: AbstractContextManager[Views], pipeline: GenDegPipeline) -> Iterator[Views]:
    """Views whose statistics are told as a user's are, through the teacher's calibration."""
    response = pipeline.config.calibration

    def told(view: View) -> View:
        return replace(view, intensity=Intensity(*told_statistics(response, view.degradation, *view.intensity)))

    with source as views:
        yield lambda numbers: [told(view) for view in views(numbers)]


def _refuse_other_starts(config: DistillConfig) -> None:
    """Raises `BadOption` for what a preset's file may say to train something else; there are no such options."""
    for name in ("init", "vae", "base", "published"):
        if getattr(config, name):
            raise BadOption("--preset", f"{name} is for diffusion only; --model names the teacher")


def _check_told(pipeline: GenDegPipeline, pairs: list[Pair], config: DistillConfig) -> None:
    """Raises `BadOption` for a degradation that this teacher does not know."""
    known = pipeline.config.change_scale
    mixes = {mix_name(mix) for mix in parse_mixes(config.types)} if config.clean else set()
    for option, names in (("--types", mixes), ("--pairs", {pair.degradation for pair in pairs})):
        if known and (strange := names - set(known)):
            raise BadOption(option, f"the teacher knows no {min(strange)}; it knows {', '.join(known)}")


# --- what is looked at ---


def draw_agreement(
    teacher: GenDegPipeline, student: GenDegPipeline, config: DistillConfig, step: int
) -> dict[str, float]:
    """Write `sheet-<step>.png` (clean, then the teacher's and the student's image of each strength, from one noise).

    Adds a row to `agreement.csv`, which is returned: `psnr` of the student's images to the teacher's in dB, and the
    mean of |mu asked − mu made| of both.
    """
    for one in (teacher, student):
        one.set_progress_bar_config(disable=True)
    rows: list[list[Tile]] = []
    found: list[tuple[float, float, float]] = []
    for placed, asked in asked_on_sheet(config):
        clean, taught = generate_asked(teacher, placed, asked, replace(config, sample_steps=teacher.config.steps))
        _, learnt = generate_asked(student, placed, asked, config)
        rows.append([Tile(clean, "clean")])
        for pair, before, after in zip(asked, taught, learnt, strict=True):
            made = [measure_intensity(clean, image).mu for image in (before, after)]
            near = float(psnr(*(torch.from_numpy(x / 127.5 - 1).permute(2, 0, 1)[None] for x in (after, before))))
            found.append((near, abs(made[1] - pair.mu), abs(made[0] - pair.mu)))
            rows[-1].append(Tile(before, f"{pair.degradation} mu asked {pair.mu:.3f}, teacher {made[0]:.3f}"))
            rows[-1].append(Tile(after, f"student {made[1]:.3f}, {near:.1f} dB"))
    names = "psnr", "mu_error", "mu_error_of_teacher"
    result = dict(zip(names, np.mean(found, axis=0).tolist(), strict=True))
    LossLog(config.out / "agreement.csv", step - 1, main=True).add(step=step, **result)
    write_image(draw_sheet(rows), config.out / f"sheet-{step:08d}.png", "png")
    return {f"agreement/{name}": value for name, value in result.items()}


def _save(
    student: GenDegPipeline,
    trained: Denoiser,
    taught: Taught,
    teacher: Teacher,
    config: DistillConfig,
    pairs: list[Pair],
) -> None:
    done = student.with_parts(unet=trained.unet, text_encoder=trained.text_encoder, conditioner=trained.conditioner)
    if config.lora_rank:
        row = taught.as_row()
        write_folder(config.out / "lora", lambda folder: save_lora(done, folder, config.model, "init", row))
        fuse_lora(done.unet)
    write_folder(config.out / "model", done.save_pretrained)
    counts = Counter((placed.degradation, placed.source) for placed in pairs)
    rows = read_log(config.out / "agreement.csv")
    error = float(rows[-1]["mu_error"]) if rows else None
    passes = teacher.pipeline.passes(len(teacher.levels), teacher.branches)
    story = (
        f"A student: in {config.sample_steps} steps, one network pass each, it makes what its teacher"
        f" {config.model} makes in {len(teacher.levels)} steps and {passes} passes. Text guidance of"
        f" {taught.guidance_text:g} and image guidance of {taught.guidance_image:g} are built in."
    )
    near = f" Its images are {float(rows[-1]['psnr']):.1f} dB from the teacher's (same noise)." if rows else ""
    write_card(config.out / "model" / "README.md", model_card(config.model, counts, config, error, story + near))
