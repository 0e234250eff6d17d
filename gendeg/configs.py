"""Every knob of every job on one screen: frozen dataclasses and presets, without torch."""

from collections.abc import Sequence
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
    strengths: tuple[float, float] = (0.0, 1.0)  # uniform between these
    width: float = 1.0  # share of every other parameter's range, about its middle, that is drawn from
    family: str = "simulated"  # or strangers: the second family, by other equations; the pairs' source


@dataclass(frozen=True)
class IngestConfig:
    """gendeg pairs ingest: one of a known source, two folders, side-by-side images, a hub dataset, or tars"""

    out: Path
    root: str = ""  # a folder, hf:NAME, or a tar
    source: str = ""  # a name in manifests/sources, or what the pairs are to be called
    type: str = ""  # the degradation, where the source does not tell
    clean: str = ""  # folder, pattern, column or member name of the clean half
    degraded: str = ""
    side_by_side: str = ""  # clean-left or clean-right
    split: str = "train=1"  # by clean photo, where the source does not tell
    longest_shift: float = 3.0  # pixels; what is misaligned by more is kept out
    workers: int = 0
    overwrite: bool = False
    progress: bool | None = None


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
    sizes: str = "bundled"  # of networks that start from nothing: bundled, smoke
    optimizer: str = "adamw"  # adamw8bit keeps its two averages in 8 bits (package bitsandbytes)
    schedule: str = "cosine"  # of the learning rate after the warm-up: cosine (half of one, to zero), constant
    tracker: str = "tensorboard"  # or any of accelerate's: wandb, mlflow, trackio ...; none: log.csv only
    compile: bool = False  # torch.compile: needs a C++ compiler; on a CPU it halves the autoencoder's steps only


@dataclass(frozen=True)
class AutoencoderConfig(TrainConfig):
    """gendeg train autoencoder"""

    gradient_weight: float = 1.0  # L1 of image gradients beside L1 of pixels
    latent_weight: float = 1e-4  # keeps latents near unit size, for they condition the UNet unscaled


@dataclass(frozen=True)
class DiffusionConfig(TrainConfig):
    """gendeg train diffusion; defaults are the bundled model's"""

    vae: str = ""  # model folder or autoencoder folder that latents are made with
    base: str = ""  # Stable Diffusion 1.5 or its like, folder or hub id, instead of a fresh small model
    lora_rank: int = 0  # train low-rank changes of the attention's projections instead of all weights; 0: all
    gradient_checkpointing: bool = False  # less memory, a third more time
    cache_latents: bool = False  # encode all pairs once, to disk, instead of every crop when its turn comes
    flips: bool = True  # mirror every other crop
    short_side: int = 0  # pixels that pairs are brought to before they are cut, aspect kept; 0: as they are
    batch_size: int = 32
    learning_rate: float = 4e-4
    statistics_rate: float = 2.0  # learning rate of the two projections, relative (GenDeg, section 4)
    drop_text: float = 0.05
    drop_image: float = 0.05
    drop_both: float = 0.05
    caption_mix: float = 0.5  # share of fallback captions replaced by random ones, so that any text can be read
    prediction: str = ""  # what a new UNet says: sample (default), v_prediction or epsilon; with init: as it is
    snr_cap: float = 5.0  # sample prediction: squared errors count SNR + 1 times, up to this (1: all alike)
    min_snr_gamma: float = 0.0  # Min-SNR instead of that; 0 trains the zero-SNR end too, and is plain for the others
    limit: int = 0  # train on this many pairs, chosen at random; 0: all (latents of each take a tenth of a second)
    weights: str = ""  # how often pairs of a degradation or source are drawn: rain=2,haze=0.5; others 1
    residual_gain: float = 2.0  # of a new model: it makes the change of the latent, times this; 0: the latent itself
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
    latent_jitter: float = 0.2  # noise on the scaled latents, up to this: what the diffusion model may leave


@dataclass(frozen=True)
class ExportConfig:
    """Which parts make the model, and the numbers it samples with."""

    diffusion: Path
    structure: Path
    out: Path
    steps: int = 20
    guidance_text: float = 1.0
    guidance_image: float = 1.0
    structure_degradations: Sequence[str] = ("haze", "motion_blur", "raindrop")
    tile: int = 512
    strength_gain: float = 1.0


@dataclass(frozen=True)
class SynthConfig:
    """gendeg synth"""

    paths: tuple[Path, ...] = ()  # files or folders; none: the sample photos
    out: Path = Path("out/synth")
    types: str = "haze"
    intensities: tuple[float, ...] = (0.5,)
    mu: float | None = None  # instead of intensities
    sigma: float | None = None  # None: the median of p(sigma | mu)
    variants: int = 1
    seed: int = 0
    priors: str = ""  # folder of priors that intensity is read from; empty: the ones packed with gendeg
    caption: str = ""  # what the photos show; the degradation's words are added
    model: str = "bundled"
    sampler: str = "own"  # the model's; paper: Euler ancestral, 100 steps, guidance 7.5 and 1.5
    steps: int | None = None  # None here and below: the sampler's
    guidance_text: float | None = None
    guidance_image: float | None = None
    structure_correction: bool = True
    size: int | None = None  # short side in pixels; None: as it is
    device: str = "auto"  # auto, cpu, cuda, mps
    format: str = "png"  # png, jpg, webp
    batch_size: int = 4
    overwrite: bool = False
    progress: bool | None = None


@dataclass(frozen=True)
class EvaluateConfig:
    """gendeg evaluate; the defaults make about 2,000 images, a quarter of an hour on two CPU cores"""

    clean: Path  # photos the model never saw: a folder, a .txt list, or a table (.csv) with a column path
    out: Path
    model: str = "bundled"
    pairs: Path | None = None  # manifest that the classifier of degradations is trained on
    real: Path | None = (
        None  # real degraded photos: a folder for each degradation, or a table with a column degradation
    )
    features: str = ""  # folder of a network (Inception-like, DINO, CLIP) for KID
    split: str = "test"  # rows of a table that names splits
    types: str = "all"
    intensities: tuple[float, ...] = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
    photos: int = 20  # spread evenly over those found; 0: all
    compare: int = 8  # of these, also made without the calibration map (where the model has one)
    size: int = 128  # pixels of the short side
    variants: int = 3  # seeds for diversity, of `compare` photos at `VARIED_AT`; 1: not measured
    steps: int | None = None  # None here and below: the model's own
    guidance_text: float | None = None
    guidance_image: float | None = None
    seed: int = 0
    tolerance: float = 0.05  # of the build's filter, as in BuildConfig
    structure: float = 0.15
    draws: int = 500  # of the bootstrap
    classifier_steps: int = 600  # batches of 32 that the classifier is trained for
    batch_size: int = 4
    device: str = "auto"
    progress: bool | None = None


@dataclass(frozen=True)
class CalibrateConfig:
    """gendeg calibrate"""

    clean: Path  # photos, as for evaluate; better other ones than those that evaluate measures on
    out: Path  # folder of the calibrated model
    model: str = "bundled"
    split: str = "train"
    types: str = "all"
    intensities: tuple[float, ...] = (0.03, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.97)
    photos: int = 6
    rounds: int = 3  # of sampling, measuring and correcting
    size: int = 128
    steps: int | None = None
    guidance_text: float | None = None
    guidance_image: float | None = None
    seed: int = 0
    batch_size: int = 4
    device: str = "auto"
    overwrite: bool = False
    progress: bool | None = None


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


@dataclass(frozen=True)
class PlanConfig:
    """gendeg plan: what decides every sample before any model runs"""

    clean: tuple[str, ...]  # folders, tars, tables, images, hf:NAME
    out: Path
    types: str = "all"
    per_image: int = 6  # samples of one photo; the types go round
    samples: int = 0  # in all, spread over the photos; 0: per_image for each
    intensity: str = "prior"  # prior, one value (0.6) or a range (0.2-0.8)
    priors: str = ""  # folder of priors; empty: the ones packed with gendeg
    split: str = "train=1"
    size: int = 0  # pixels of the short side; 0: as it is
    square: bool = False  # cut the middle square
    format: str = "auto"  # of the clean half: png, jpg; auto: jpg when every photo can be stored untouched as that
    include: tuple[Path, ...] = ()  # manifests of existing pairs
    shard_size: int = 500
    batch_size: int = 8
    seed: int = 0
    progress: bool | None = None


@dataclass(frozen=True)
class BuildConfig(PlanConfig):
    """gendeg build: the plan and how it is carried out"""

    model: str = "bundled"
    sampler: str = "own"  # the model's; paper: Euler ancestral, 100 steps, guidance 7.5 and 1.5
    steps: int | None = None  # None here and below: the sampler's
    guidance_text: float | None = None
    guidance_image: float | None = None
    structure_correction: bool = True
    precision: str = "auto"  # fp32, fp16, bf16; auto: fp16 on a GPU, fp32 on a CPU
    attempts: int = 3  # tries of a sample that the filter refuses
    tolerance: float = 0.05  # |mu measured − mu requested| that passes; 1 switches the check off
    structure: float = 0.15  # least correlation of the two images' structure that passes; −1 switches the check off
    license: str = "other"  # of the dataset, for its card
    device: str = "auto"
    engine: str = "local"  # local, ray
    workers: int = 4  # threads of each process that read, encode and write
    grace: float = 20.0  # seconds that a running shard gets after SIGTERM or Ctrl-C
    check_disk: bool = True
    estimate: bool = True  # time a few steps of the model for the hours
    dry_run: bool = False


@dataclass(frozen=True)
class CaptionConfig:
    """gendeg pairs caption"""

    paths: tuple[str, ...]  # pair manifests; with `out`: clean photos, folders or tables of them
    out: Path | None = None  # a table (.jsonl) of path and caption, for photos
    model: str = "Salesforce/blip2-opt-2.7b"  # as in the paper; a folder, a hub id, or none
    prompt: str | None = None  # how the caption begins, or what a chat model is asked; None: prompts/degradations.toml
    batch_size: int = 16
    beams: int = 5  # beams and tokens as LAVIS captions with BLIP and BLIP-2
    tokens: int = 30
    device: str = "auto"
    cache: Path | None = None  # folder; None: ~/.cache/gendeg/captions
    workers: int = 4  # threads that read photos
    overwrite: bool = False  # captions, or a table, that are there already
    progress: bool | None = None


@dataclass(frozen=True)
class ImportPriorsConfig:
    """gendeg priors import"""

    folder: Path  # with haze/Mu_RESIDE.json … in it
    out: Path
    overwrite: bool = False


@dataclass(frozen=True)
class ReportConfig:
    """gendeg report"""

    path: Path  # a dataset's or an evaluation's folder
    out: Path = Path("report.html")
    pictures: int = 12  # of each degradation
    picture_size: int = 320  # pixels of the longer side; of an evaluation's best and worst: 0, as they are
    overwrite: bool = False
    progress: bool | None = None


@dataclass(frozen=True)
class RestoreTrainConfig(TrainConfig):
    """gendeg restore train; `pairs` are manifests and datasets"""

    model: str = "nafnet"  # nafnet, swin, promptir
    preset: str = "tiny"  # tiny, paper
    content_prior: str = ""  # autoencoder: the network says the latent of a frozen one
    autoencoder: str = "bundled"  # or a folder with one (diffusers), or of a model with a vae/
    detail_path: bool = True  # of the content prior: a light residual beside the autoencoder's image
    weights: str = ""  # how often pairs of a degradation or source are drawn: rain=2,haze=0.5; others 1
    flips: bool = True  # mirror every other crop
    steps: int = 2000
    batch_size: int = 8
    size: int = 64
    learning_rate: float = 1e-3
    warmup: int = 20
    weight_decay: float = 0.0
    precision: str = "no"
    memory: int = 1000  # megabytes of decoded pairs that are kept, so that they are read once only
    held_out: int = 48  # validation crops that sheets and psnr.csv measure, the degradations in turn


@dataclass(frozen=True)
class RestoreApplyConfig:
    """gendeg restore apply"""

    model: Path
    paths: tuple[Path, ...]
    out: Path
    tile: int = 512  # pixels of the windows that larger photos are restored in
    overlap: int = 64
    format: str = "png"  # png, jpg, webp
    device: str = "auto"
    overwrite: bool = False
    progress: bool | None = None


@dataclass(frozen=True)
class RestoreEvalConfig:
    """gendeg restore eval"""

    model: Path
    pairs: tuple[Path, ...]  # manifests and datasets
    out: Path
    split: str = "test"
    lpips: str = ""  # folder of its weights; empty: not measured
    draws: int = 500  # of the bootstrap
    seed: int = 0
    limit: int = 0  # pairs of each degradation and source, at random; 0: all
    tile: int = 512
    overlap: int = 64
    device: str = "auto"
    overwrite: bool = False
    progress: bool | None = None


@dataclass(frozen=True)
class TaskConfig(TrainConfig):
    """One stage of gendeg restore transfer without pairs: a teacher, or the student that learns from both"""

    type: str = ""  # the degradation
    photos: str = ""  # SHA-256 over the paths of the photos: a stage goes on with the ones it began with
    short_side: int = 256  # pixels that photos are brought to, so that size does not tell who took them; 0: as they are
    scatter: float = 3.0  # pixels: the widest point spread that the second teacher's photos are blurred with
    model: str = "nafnet"
    preset: str = "tiny"
    warmup: int = 20
    weight_decay: float = 0.0
    precision: str = "no"


@dataclass(frozen=True)
class TransferConfig:
    """gendeg restore transfer; the defaults take a few minutes on two CPU cores, `compare` several times that"""

    pairs: tuple[Path, ...]  # manifests, or datasets made by gendeg build
    real: Path  # real degraded photos: a folder for each degradation, or a table (.csv) as for gendeg evaluate
    clean: Path  # photos without degradation: a folder, a .txt list, or a table
    type: str  # the degradation
    out: Path
    share: float = 0.1  # of the pairs that fine-tuning may use
    model: str = "nafnet"
    preset: str = "tiny"
    steps: int = 800  # of fine-tuning, the same for every arm that it is compared with
    teacher_steps: int = 400  # of each teacher
    distill_steps: int = 400
    batch_size: int = 8
    size: int = 64
    short_side: int = 256
    scatter: float = 3.0
    learning_rate: float = 1e-3  # of every stage
    split: str = "train"  # rows of a table that names splits
    held_out: float = 0.2  # share of the photos that the teachers never see: they are measured on these
    compare: bool = False  # also the student from scratch, on the same minority and on all pairs
    test: tuple[Path, ...] = ()  # pairs that the arms are measured on
    seeds: int = 3  # repetitions of all but the teachers, when compared
    seed: int = 0
    precision: str = "no"
    workers: int = 2
    checkpoint_every: int = 250
    sheet_every: int = 400
    cpu: bool = False
    tracker: str = "none"
    draws: int = 1000  # of the bootstrap


@dataclass(frozen=True)
class CurateConfig:
    """gendeg curate: without samples, backgrounds, simplest, balance or ranges everything is kept and only measured"""

    data: tuple[Path, ...]  # pair manifests and datasets
    out: Path  # the manifest of what was chosen
    samples: int = 0  # at most, of the split, shared out evenly among the degradations; 0: all
    backgrounds: int = 0  # clean photos of each degradation, at most; 0: all
    simplest: float = 1.0  # share of the photos of each degradation that is considered at all
    balance: bool = False  # as many backgrounds as leave the layers at least as many bits
    ranges: tuple[str, ...] = ()  # mu=0.02:0.3: pairs outside are dropped
    split: str = "train"  # that is chosen from; the others are kept as they are
    autoencoder_steps: int = 300  # 0: without the fourth measure
    seed: int = 0
    workers: int = 0  # 0: one per core
    measures: Path | None = None  # where what was measured is kept; None: beside out
    copy: bool = False  # the images of manifests too, so that the result stands alone; a dataset's always are
    overwrite: bool = False
    progress: bool | None = None


@dataclass(frozen=True)
class GapConfig:
    """gendeg evaluate gap"""

    synthetic: Path  # a pair manifest, a dataset, or degraded images in a folder for each degradation
    real: Path  # real degraded photos: a folder for each degradation, or a table with a column degradation
    out: Path = Path("out/gap")
    also: tuple[tuple[str, Path], ...] = ()  # (name, place) of up to three others to compare, as `synthetic`
    split: str = "test"  # rows of a table that names splits
    type: str = ""  # the degradation of folders that have none inside
    size: int = 256  # pixels of the short side that all are brought to
    most: int = 200  # images of each set and degradation, spread evenly; 0: all
    draws: int = 200  # of the bootstrap
    seed: int = 0
    workers: int = 0
    overwrite: bool = False
    progress: bool | None = None


@dataclass(frozen=True)
class StudyConfig:
    """gendeg restore study; everything that numbers depend on stands in the recipe"""

    recipe: Path  # a .toml file, or the name of one in manifests/recipes
    out: Path
    clean: str = ""  # photos and pairs, where the recipe does not name them
    test_clean: str = ""
    pairs: tuple[Path, ...] = ()
    real: str = ""  # real photos for task transfer
    workers: int = 0  # trainings at a time, one thread each; 0: one per core, or one on a GPU
    device: str = "auto"
    progress: bool | None = None
