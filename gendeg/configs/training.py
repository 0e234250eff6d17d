"""Knobs of the three trainings, and of the model that they make."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class TrainConfig:
    """What the three trainings share. The effective batch is batch_size × accumulate × processes."""

    pairs: tuple[Path, ...]
    out: Path
    steps: int = 1000
    batch_size: int = 16
    accumulate: int = 1
    size: int = 128  # pixels of a crop's side
    learning_rate: float = 5e-4
    warmup: int = 100
    weight_decay: float = 0.01
    clip_norm: float = 1.0  # that gradients are cut to; 0: as they are
    ema_decay: float = 0.999
    precision: str = "bf16"  # no, fp16, bf16
    seed: int = 0
    workers: int = 2  # threads that read and crop images
    log_every: int = 10
    sheet_every: int = 500
    sheet_seconds: float = 0.0  # and at the latest so long after the one before, in a run of one process; 0: not so
    checkpoint_every: int = 250
    keep_checkpoints: int = 2
    resume: bool = False
    extend: bool = False  # with resume: go on to more steps than the run was begun with, whatever its schedule
    init: str = ""  # a model folder whose weights the run starts from
    cpu: bool = False
    sizes: str = "bundled"  # of networks that start from nothing: bundled, smoke
    optimizer: str = "adamw"  # adamw8bit keeps its two averages in 8 bits (package bitsandbytes)
    schedule: str = "cosine"  # of the learning rate after the warm-up: cosine (half of one, to zero), constant
    tracker: str = "tensorboard"  # or any of accelerate's: wandb, mlflow, trackio ...; none: log.csv only
    compile: bool = False  # torch.compile: needs a C++ compiler; on a CPU it halves the autoencoder's steps only


@dataclass(frozen=True)
class FreshConfig(TrainConfig):
    """What those trainings share whose pairs can be simulated on the way."""

    clean: tuple[Path, ...] = ()  # photos that pairs are simulated from while it trains, each anew, beside the pairs
    simulated: float = 0.8  # share of examples that come from them
    types: str = "all,rain+haze,snow+haze"  # what is simulated, in equal shares but for the weights
    view: int = 256  # pixels of a simulated picture's side; crops are cut from it
    weights: str = ""  # how often pairs of a degradation or source are drawn: rain=2,haze=0.5; others 1
    flips: bool = True  # mirror every other crop


@dataclass(frozen=True)
class AutoencoderConfig(FreshConfig):
    """gendeg train autoencoder"""

    gradient_weight: float = 1.0  # L1 of image gradients beside L1 of pixels
    latent_weight: float = 1e-4  # keeps latents near unit size, for they condition the UNet unscaled


@dataclass(frozen=True)
class DiffusionConfig(FreshConfig):
    """gendeg train diffusion; defaults are the bundled model's"""

    vae: str = ""  # model folder or autoencoder folder that latents are made with
    base: str = ""  # Stable Diffusion 1.5 or its like, folder or hub id, instead of a fresh small model
    lora_rank: int = 0  # train low-rank changes of the attention's projections instead of all weights; 0: all
    gradient_checkpointing: bool = False  # less memory, a third more time
    cache_latents: bool = False  # encode all pairs once, to disk, instead of every crop when its turn comes
    published: bool = False  # train exactly as GenDeg's authors do: jobs/published_training.py has their numbers
    short_side: int = 0  # pixels that pairs are brought to before they are cut, aspect kept; 0: as they are
    batch_size: int = 32
    learning_rate: float = 4e-4
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
    repeats: int = 1  # noise levels that each encoded crop is seen at; the batch holds so many times more examples
    train_text: bool = True  # the small models' text encoder, which starts from nothing; CLIP always stays frozen
    sample_steps: int = 20  # of a new model; and of any on its sheets, where its own are more
    guidance_text: float = 1.0
    guidance_image: float = 1.0
    sheet_photos: int = 2  # held-out photos of each degradation on a sheet, and behind the calibration error
    push_to_hub: str = ""  # user/name that the result is uploaded to


@dataclass(frozen=True)
class StructureConfig(TrainConfig):
    """gendeg train structure"""

    vae: str = ""  # pairs go through this autoencoder, with some noise on the latents
    model: str = ""  # or through this model: noised a little, denoised by it in one step, decoded
    noise_share: float = 0.3  # of the model's timesteps: the latest that a pair is noised to
    learning_rate: float = 1e-3
    gradient_weight: float = 1.0
    residual: bool = False  # start from the photo plus the decoded change; a model with residual_decoding does anyway
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
    blur_extent: float = 0.0
    darkening: float = 0.0
    spread_degradations: Sequence[str] = ()


@dataclass(frozen=True)
class BundleConfig:
    """gendeg bundle"""

    clean: tuple[Path, ...]
    recipe: Path
    out: Path
    minutes: float = 0.0  # that it may take in all; 0: the recipe's steps, however long they take
    pairs: tuple[Path, ...] = ()  # manifests of real pairs, whose training split is learnt from too
    weights: str = ""  # beside the recipe's, of degradations and sources: gopro=2,lol=0.3
    init: str = ""  # a model, or `bundled`, whose weights it starts from; its autoencoder stays as it is
    install: bool = False


@dataclass(frozen=True)
class ConvertConfig:
    """gendeg convert"""

    checkpoint: Path
    out: Path
    structure: Path | None = None
    base: str = ""  # where the tokenizer comes from
    config: Path | None = None  # sizes other than the published ones
    check: Path | None = None
    overwrite: bool = False
