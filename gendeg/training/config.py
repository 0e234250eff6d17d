"""Knobs of gendeg train, and of the model that it makes."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

from gendeg.primitives.errors import BadOption
from gendeg.primitives.kinds import parse_mixes
from gendeg.primitives.options import SEED, checked, model_name, option

VAE = "Folder of a trained autoencoder, or of a model with one."


@dataclass(frozen=True)
class TrainConfig:
    """What all trainings share. The effective batch is batch_size × accumulate × processes."""

    steps_flag: ClassVar[str] = "--steps"  # what sets their number on the command line
    pairs: tuple[Path, ...] = option(help="Pair manifest; may be given several times.", there=True)
    out: Path = option(help="Folder of the run: checkpoints, log.csv, sheets, the result.")
    init: str = option("", "Go on from: bundled, or a folder of the same kind.")
    sizes: Literal["bundled", "smoke"] = option("bundled", "Of networks that start fresh.")
    steps: int = option(1000, "Optimiser steps.", min=1)
    batch_size: int = option(16, "Crops per process and micro step.", min=1)
    accumulate: int = option(1, "Micro steps per optimiser step.", min=1)
    size: int = option(128, "Side of the crops in pixels.", min=16)
    learning_rate: float = option(5e-4, "Its peak, after a linear warm-up.")
    schedule: Literal["cosine", "constant"] = option("cosine", "After the warm-up.")  # half of one, to zero
    warmup: int = option(100, "Steps of warm-up.", min=0)
    optimizer: Literal["adamw", "adamw8bit", "muon"] = option(
        "adamw", "muon: fewer steps, for what learns from little; adamw8bit: less memory, needs bitsandbytes."
    )
    precision: Literal["no", "fp16", "bf16"] = option("bf16", "Mixed precision.")
    seed: int = SEED(help="Of everything random in the run.")
    workers: int = option(2, "Threads that prepare batches.", min=1)
    log_every: int = option(10, "Steps between rows of log.csv.", min=1)
    sheet_every: int = option(500, "Steps between sheets, calibration, best/.", min=1)
    checkpoint_every: int = option(250, "Steps between checkpoints.", min=1)
    tracker: str = option("tensorboard", "tensorboard (default), wandb, mlflow ..., as accelerate knows them; none.")
    resume: bool = option(False, "Go on from this folder's newest checkpoint.", flag="--resume")
    extend: bool = option(False, "With --resume: to more --steps than it was begun with.", flag="--extend")
    cpu: bool = option(False, "Use the CPU even where there is a GPU.")
    compile: bool = option(False, "torch.compile; needs a C++ compiler.")  # halves the autoencoder's steps on a CPU
    # no options:
    weight_decay: float = 0.01
    clip_norm: float = 1.0  # that gradients are cut to; 0: as they are
    ema_decay: float = 0.999
    sheet_seconds: float = 0.0  # and at the latest so long after the one before, in a run of one process; 0: not so
    keep_checkpoints: int = 2


@dataclass(frozen=True)
class FreshConfig(TrainConfig):
    """What those trainings share whose pairs can be simulated on the way."""

    clean: tuple[Path, ...] = option(
        (), "Photos to simulate pairs from while it trains; may be given several times.", there=True
    )
    simulated: float = option(0.8, "With --clean: share of examples that are simulated.", min=0, max=1)
    types: str = option(
        "all,rain+haze,snow+haze", "With --clean: what is simulated, in equal shares.", parse=checked(parse_mixes)
    )
    weights: str = option("", "Draw kinds or sources more often: rain=2,haze=0.5.")  # others 1
    # no options:
    view: int = 256  # pixels of a simulated picture's side; crops are cut from it
    flips: bool = True  # mirror every other crop


@dataclass(frozen=True)
class AutoencoderConfig(FreshConfig):
    """gendeg train autoencoder"""

    gradient_weight: float = 1.0  # L1 of image gradients beside L1 of pixels
    latent_weight: float = 1e-4  # keeps latents near unit size, for they condition the UNet unscaled


@dataclass(frozen=True)
class DiffusionConfig(FreshConfig):
    """gendeg train diffusion; defaults are the bundled model's"""

    batch_size: int = 32
    learning_rate: float = 4e-4
    vae: str = option("", VAE)
    base: str = option("", "Fine-tune Stable Diffusion 1.5 or its like: folder, hub id.")
    lora_rank: int = option(0, "Train low-rank changes only, of this rank; 0: all.", min=0)
    gradient_checkpointing: bool = option(False, "Less memory, a third more time.")
    cache_latents: bool = option(False, "Encode all pairs once, to disk; else every crop anew.")
    short_side: int = option(0, "Bring pairs to this short side before; 0: as they are.", min=0)  # aspect kept
    sheet_photos: int = option(2, "Photos of each degradation on a sheet.", min=1)  # and behind the calibration error
    push_to_hub: str = option("", "Upload the model as user/name when it is done.")
    # no options:
    published: bool = False  # train exactly as GenDeg's authors do: training/published.py has their numbers
    statistics_rate: float = 2.0  # learning rate of the two projections, relative (GenDeg, section 4)
    drop_text: float = 0.05
    drop_image: float = 0.05
    drop_direction: float = 0.1  # share of examples that are not told their direction
    drop_both: float = 0.05
    caption_mix: float = 0.5  # share of fallback captions replaced by random ones, so that any text can be read
    limit: int = 0  # train on this many pairs, chosen at random; 0: all (latents of each take a tenth of a second)
    large: float = 0.25  # share of batches in which a few crops are twice as large; only beside `clean`
    noise_mean: float = 0.0  # of the logarithm of the noise levels, where the signal has unit variance
    noise_width: float = 0.0  # its standard deviation; 0: timesteps are uniform, as published
    sketch: float = 0.0  # noise / signal at which sampling begins, with a simulator's draw; 0: as --init does
    repeats: int = 1  # noise levels that each encoded crop is seen at; the batch holds so many times more examples
    train_text: bool = True  # the small models' text encoder, which starts from nothing; CLIP always stays frozen
    sample_steps: int = 20  # of a new model; and of any on its sheets, where its own are more
    guidance_text: float = 1.0
    guidance_image: float = 1.0

    def check_sides(self) -> None:
        """Raises `BadOption` where pairs would be brought to less than a crop."""
        if self.short_side and self.short_side < self.size and not self.published:
            raise BadOption("--short-side", f"must be at least --size {self.size}, got {self.short_side}")


@dataclass(frozen=True)
class DistillConfig(DiffusionConfig):
    """gendeg train distill: `sample_steps` is what its --steps asks for, and `steps` its --updates"""

    steps_flag: ClassVar[str] = "--updates"
    model: str = option("bundled", "The teacher: bundled, a model folder, or a hub id.", parse=model_name)
    sample_steps: int = option(4, "Steps that the student samples in, one network pass each.", min=1, flag="--steps")
    teacher_steps: int = option(
        0, "Steps that the teacher samples in, a multiple of --steps; 0: its own, 32 at most.", min=0
    )
    text: float | None = option(None, "Text guidance to build in; default: the teacher's.", flag="--guidance-text")
    image: float | None = option(None, "Image guidance to build in; default: the teacher's.", flag="--guidance-image")
    pairs: tuple[Path, ...] = option(
        help="Pair manifest: what the teacher is asked to make, of which photos; several times.", there=True
    )
    steps: int = option(2000, "Steps of the training.", min=1, flag="--updates")
    accumulate: int = option(1, "Micro steps per update.", min=1)
    warmup: int = option(100, "Updates of warm-up.", min=0)
    log_every: int = option(10, "Updates between rows of log.csv.", min=1)
    checkpoint_every: int = option(250, "Updates between checkpoints.", min=1)
    compile: bool = option(False, "torch.compile, on a GPU; needs a C++ compiler.")
    batch_size: int = option(8, "Crops per process and micro step; each gives --steps examples.", min=1)
    sheet_every: int = option(500, "Updates between sheets.", min=1)
    extend: bool = option(False, "With --resume: to more --updates than it was begun with.", flag="--extend")
    learning_rate: float = 2e-4
    # no options:
    statistics_rate: float = 1.0
    drop_text: float = 0.0
    drop_image: float = 0.0
    drop_both: float = 0.0


@dataclass(frozen=True)
class StructureConfig(TrainConfig):
    """gendeg train structure: of pairs that go through an autoencoder, or noised and denoised through a model"""

    learning_rate: float = 1e-3
    vae: str = option("", VAE)
    model: str = option("", "Structure: learn to correct this model's images.", parse=model_name)
    residual: bool = option(False, "Structure: start from the photo + the decoded change.")  # or where the model does
    # no options:
    noise_share: float = 0.3  # of the model's timesteps: the latest that a pair is noised to
    gradient_weight: float = 1.0
    latent_jitter: float = 0.2  # noise on the scaled latents, up to this: what the diffusion model may leave


@dataclass(frozen=True)
class ExportConfig:
    """The trained model, and the numbers it samples with."""

    diffusion: Path
    out: Path
    steps: int = 20
    guidance_text: float = 1.0
    guidance_image: float = 1.0
    tile: int = 512
    strength_gain: float = 1.0
    evenness: dict[str, float] = field(default_factory=dict)
    veils: dict[str, int] = field(default_factory=dict)
    sketch: float = 0.0  # noise / signal at which sampling begins, with a simulator's draw; 0: as it was trained
    sketch_levels: dict[str, float] = field(default_factory=dict)
