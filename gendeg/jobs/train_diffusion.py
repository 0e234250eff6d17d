"""Train the UNet, the conditioner and (for the bundled model) the text encoder on cached latents of pairs."""

from dataclasses import dataclass, fields
from pathlib import Path

import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import CLIPTextModel

from gendeg.configs import DiffusionConfig
from gendeg.jobs.diffusion_sheet import draw_samples
from gendeg.jobs.latent_cache import LatentCache, make_cache
from gendeg.model.base import load_base
from gendeg.model.bundled import (
    make_conditioner,
    make_scheduler,
    make_text_encoder,
    make_tokenizer,
    make_unet,
    sizes_of,
)
from gendeg.model.conditioner import Conditioner
from gendeg.model.latents import Autoencoder, factor
from gendeg.model.pipeline import GenDegPipeline
from gendeg.model.weights import load_autoencoder, load_pipeline
from gendeg.primitives.errors import BadOption
from gendeg.primitives.rng import for_sample, torch_generator
from gendeg.training.captions import corpus
from gendeg.training.conditions import Dropout, make_condition
from gendeg.training.examples import Deal, PlacedPair, load_pairs, shuffled
from gendeg.training.losses import min_snr_weight, noised, snr_plus_one_weight, target_of
from gendeg.training.run import Run


class Denoiser(nn.Module):
    """Everything that is trained, in one forward call, which is what distributed wrappers hook into."""

    def __init__(self, unet: UNet2DConditionModel, text_encoder: CLIPTextModel, conditioner: Conditioner):
        super().__init__()
        self.unet, self.text_encoder, self.conditioner = unet, text_encoder, conditioner

    def forward(
        self,
        noisy: Float[Tensor, "b c y x"],
        clean: Float[Tensor, "b c y x"],
        timestep: Int[Tensor, " b"],
        tokens: Int[Tensor, "b n"],
        mu: Float[Tensor, " b"],
        sigma: Float[Tensor, " b"],
    ) -> Float[Tensor, "b c y x"]:
        text = self.text_encoder(tokens)
        read = self.conditioner(text.last_hidden_state, text.pooler_output, mu, sigma)
        labels = {} if read.vector is None else {"class_labels": read.vector}
        both = torch.cat([noisy, clean], dim=1).contiguous(memory_format=torch.channels_last)
        return self.unet(both, timestep, encoder_hidden_states=read.context, **labels).sample


@dataclass(frozen=True)
class Batch:
    """One micro batch: what is to be generated, unscaled clean latents (zero where dropped), and the conditions."""

    degraded: Tensor
    clean: Tensor
    tokens: Tensor
    mu: Tensor
    sigma: Tensor
    noise: Tensor
    timestep: Tensor

    def to(self, device: torch.device) -> "Batch":
        """The same on another device."""
        return Batch(*(getattr(self, field.name).to(device) for field in fields(self)))


def train_diffusion(config: DiffusionConfig) -> None:
    """Write checkpoints, `log.csv`, sheets and, at the end, the averaged model as the pipeline folder `model/`."""
    pairs = load_pairs(config.pairs, "train")
    if config.limit:
        pairs = [pairs[shuffled(len(pairs), number, config.seed)] for number in range(min(config.limit, len(pairs)))]
    _check_sizes(pairs, config.size)
    torch.manual_seed(config.seed)
    pipeline = start_pipeline(config)
    _check_prediction(config, pipeline.scheduler.config.prediction_type)
    denoiser = Denoiser(pipeline.unet, pipeline.text_encoder, pipeline.conditioner).train()
    denoiser.text_encoder.requires_grad_(config.train_text and bool(pipeline.conditioner.vector_dim))
    if config.gradient_checkpointing:
        pipeline.unet.enable_gradient_checkpointing()
    deal = Deal(pairs, config.seed, config.weights)
    run = Run(config, denoiser, _groups(denoiser, config))
    device = run.accelerator.device
    cache = _shared_cache(run, pipeline.vae.to(device).requires_grad_(False), pairs)
    alphas, kind = pipeline.scheduler.alphas_cumprod.to(device), pipeline.scheduler.config.prediction_type
    batches = run.batches(lambda numbers: make_batch(numbers, deal, pairs, cache, pipeline, config))
    for _ in run.steps("diffusion", lambda step: draw_samples(pipeline, config, step)):
        for _ in range(config.accumulate):
            b = next(batches).to(device)
            kept = alphas[b.timestep]
            with run.accumulate():
                noisy = noised(b.degraded, b.noise, kept)
                said = run.model(noisy, b.clean, b.timestep, b.tokens, b.mu, b.sigma)
                error = (said - target_of(kind, b.degraded, b.noise, kept)).square().mean(dim=(1, 2, 3))
                run.descend((error * _weight(kind, kept, config)).mean())
    run.finish(lambda: pipeline.save_pretrained(config.out / "model"))


def _weight(kind: str, kept: Float[Tensor, " b"], config: DiffusionConfig) -> Float[Tensor, " b"]:
    """How much each example's squared error counts."""
    if kind == "sample" and config.min_snr_gamma <= 0:
        return snr_plus_one_weight(kept, config.snr_cap)
    return min_snr_weight(kind, kept, config.min_snr_gamma)


def _check_prediction(config: DiffusionConfig, kind: str) -> None:
    """Raises `BadOption` when the model that the run starts from says something else than what is asked for."""
    if config.prediction and config.prediction != kind:
        raise BadOption("--prediction", f"this model says {kind}; only a new one can say {config.prediction}")


def _check_sizes(pairs: list[PlacedPair], size: int) -> None:
    """Raises `BadOption` when windows of `size` pixels do not fit into every pair."""
    small = [placed.pair for placed in pairs if min(placed.pair.width, placed.pair.height) < size]
    if small:
        first = f"{small[0].degraded} of {small[0].width} x {small[0].height}"
        raise BadOption("--size", f"{len(small)} pairs are smaller than {size} pixels, for example {first}")


def _shared_cache(run: Run, vae: Autoencoder, pairs: list[PlacedPair]) -> LatentCache:
    """The latents of all pairs, made by the main process of each machine and read by the others."""
    if run.config.compile:
        vae.encoder.compile()
    with run.accelerator.local_main_process_first():
        return make_cache(vae, pairs, run.config.out, wanted=run.main)


def start_pipeline(config: DiffusionConfig) -> GenDegPipeline:
    """What the run goes on with, a base to fine-tune, or fresh weights. Raises `BadModel`, `HubUnreachable`."""
    if config.init:
        return load_pipeline(config.init)
    return load_base(config.base) if config.base else new_pipeline(config)


def new_pipeline(config: DiffusionConfig) -> GenDegPipeline:
    """Fresh weights at the sizes of the preset around a trained autoencoder."""
    sizes = sizes_of(config.preset)
    tokenizer = make_tokenizer(corpus(), sizes)
    conditioner = make_conditioner(sizes)
    return GenDegPipeline(
        vae=load_autoencoder(Path(config.vae)),
        text_encoder=make_text_encoder(tokenizer, sizes),
        tokenizer=tokenizer,
        unet=make_unet(conditioner, sizes),
        scheduler=make_scheduler(config.prediction or "sample"),
        conditioner=conditioner,
        steps=config.sample_steps,
        guidance_text=config.guidance_text,
        guidance_image=config.guidance_image,
        residual_gain=config.residual_gain,
    )


def make_batch(
    numbers: list[int],
    deal: Deal,
    pairs: list[PlacedPair],
    cache: LatentCache,
    pipeline: GenDegPipeline,
    config: DiffusionConfig,
) -> Batch:
    """The examples of these numbers of the run's stream; depends on the seed and the numbers only."""
    side = config.size // factor(pipeline.vae)
    dropout = Dropout(config.drop_text, config.drop_image, config.drop_both)
    windows, conditions, noise = [], [], []
    for number in numbers:
        index = deal(number)
        window = cache[index].window(side, for_sample(config.seed, number, "crop"))
        pair = pairs[index].pair
        conditions.append(
            make_condition(
                pair.degradation, pair.caption, window.intensity, dropout, config.caption_mix, config.seed, number
            )
        )
        windows.append(window)
        noise.append(torch.randn(window.degraded.shape, generator=torch_generator(config.seed, number, "noise")))
    tokens = pipeline.tokenizer(
        [c.prompt for c in conditions],
        padding="max_length",
        truncation=True,
        max_length=pipeline.text_encoder.config.max_position_embeddings,
        return_tensors="pt",
    )
    return Batch(
        degraded=torch.stack([pipeline.to_generated(w.degraded, w.clean) for w in windows]),
        clean=torch.stack([w.clean * c.keep_image for w, c in zip(windows, conditions, strict=True)]),
        tokens=tokens.input_ids,
        mu=torch.tensor([c.mu for c in conditions]),
        sigma=torch.tensor([c.sigma for c in conditions]),
        noise=torch.stack(noise),
        timestep=_timesteps(numbers, config, pipeline.scheduler.config.num_train_timesteps),
    )


def _timesteps(numbers: list[int], config: DiffusionConfig, count: int) -> Tensor:
    """Uniform over all timesteps and evenly spread within a batch, which lowers the variance of the loss."""
    spread = [
        (for_sample(config.seed, n // config.batch_size, "timestep").uniform() + n / config.batch_size) % 1.0
        for n in numbers
    ]
    return torch.tensor([min(int(u * count), count - 1) for u in spread])


def _groups(denoiser: Denoiser, config: DiffusionConfig) -> list[dict[str, object]]:
    """Two learning rates: the statistics' projections learn faster (GenDeg, section 4)."""
    projections = list(denoiser.conditioner.parameters())
    known = {id(p) for p in projections}
    rest = [p for p in denoiser.parameters() if id(p) not in known and p.requires_grad]
    fast = config.learning_rate * config.statistics_rate
    return [{"params": rest}, {"params": projections, "lr": fast}]
