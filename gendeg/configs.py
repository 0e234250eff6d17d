"""Every knob of every job on one screen: frozen dataclasses and presets, without torch."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class SimulateConfig:
    """gendeg pairs simulate"""

    clean: tuple[Path, ...]
    out: Path
    types: str = "all"
    per_image: int = 2
    size: int = 256  # square views of this side; 0: whole photos
    seed: int = 0
    validation: float = 0.05  # share of photos whose pairs are held out
    workers: int = 0  # 0: one per core
    overwrite: bool = False
    progress: bool | None = None  # None: when stderr is a terminal


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
    clip_norm: float = 1.0
    ema_decay: float = 0.999
    precision: str = "bf16"  # no, fp16, bf16
    seed: int = 0
    workers: int = 2  # threads that read and crop images
    log_every: int = 10
    sheet_every: int = 500
    checkpoint_every: int = 250
    keep_checkpoints: int = 2
    resume: bool = False
    init: str = ""  # a model folder whose weights the run starts from
    cpu: bool = False


@dataclass(frozen=True)
class AutoencoderConfig(TrainConfig):
    """gendeg train autoencoder"""

    gradient_weight: float = 1.0  # L1 of image gradients beside L1 of pixels
    latent_weight: float = 1e-4  # keeps latents near unit size, for they condition the UNet unscaled


@dataclass(frozen=True)
class DiffusionConfig(TrainConfig):
    """gendeg train diffusion; defaults are the bundled model's"""

    vae: str = ""  # model folder or autoencoder folder that latents are made with
    batch_size: int = 32
    learning_rate: float = 4e-4
    statistics_rate: float = 10.0  # learning rate of the two projections, relative (GenDeg, section 4)
    drop_text: float = 0.05
    drop_image: float = 0.05
    drop_both: float = 0.05
    caption_mix: float = 0.5  # share of fallback captions replaced by random ones, so that any text can be read
    min_snr_gamma: float = 5.0  # 0: plain mean squared error


@dataclass(frozen=True)
class StructureConfig(TrainConfig):
    """gendeg train structure"""

    vae: str = ""
    learning_rate: float = 1e-3
