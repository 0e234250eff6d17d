"""Train the UNet, the conditioner and (for the bundled model) the text encoder on cached latents of pairs."""

from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import CLIPTextModel

from gendeg.configs import DiffusionConfig
from gendeg.jobs.diffusion_sheet import draw_samples
from gendeg.model.bundled import (
    make_conditioner,
    make_scheduler,
    make_text_encoder,
    make_tokenizer,
    make_unet,
)
from gendeg.model.conditioner import Conditioner
from gendeg.model.latents import factor
from gendeg.model.pipeline import GenDegPipeline
from gendeg.model.weights import load_autoencoder, load_pipeline
from gendeg.primitives.progress import bar
from gendeg.primitives.rng import for_sample, torch_generator
from gendeg.training.captions import corpus
from gendeg.training.conditions import Dropout, make_condition
from gendeg.training.examples import PlacedPair, example_numbers, load_pairs, prefetch, shuffled
from gendeg.training.latents import LatentCache, make_cache
from gendeg.training.losses import min_snr_weight, noised, target_of
from gendeg.training.state import Checkpoints, LossLog, learning_rate_factor, make_ema, set_learning_rate, start


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
    """One micro batch: scaled degraded latents, unscaled clean latents (zero where dropped), and the conditions."""

    degraded: Tensor
    clean: Tensor
    tokens: Tensor
    mu: Tensor
    sigma: Tensor
    noise: Tensor
    timestep: Tensor


def train_diffusion(config: DiffusionConfig) -> None:
    """Write checkpoints, `log.csv`, sheets and, at the end, the averaged model as the pipeline folder `model/`."""
    accelerator = start(config)
    pairs = load_pairs(config.pairs, "train")
    if config.limit:
        pairs = [pairs[shuffled(len(pairs), number, config.seed)] for number in range(min(config.limit, len(pairs)))]
    torch.manual_seed(config.seed)
    pipeline = load_pipeline(config.init) if config.init else new_pipeline(config)
    pipeline.vae.to(accelerator.device).requires_grad_(False)
    if config.compile:
        pipeline.vae.encoder.compile()
    with accelerator.main_process_first():
        cache = make_cache(pipeline.vae, pairs, config.out, wanted=accelerator.is_main_process)
    denoiser = Denoiser(pipeline.unet, pipeline.text_encoder, pipeline.conditioner).train()
    denoiser.text_encoder.requires_grad_(config.train_text)
    optimizer = torch.optim.AdamW(_groups(denoiser, config), config.learning_rate, weight_decay=config.weight_decay)
    ema = make_ema([denoiser], config.ema_decay)
    pipeline.unet.to(memory_format=torch.channels_last)
    model, optimizer = accelerator.prepare(denoiser, optimizer)
    if config.compile:
        model.compile()
    ema.to(accelerator.device)
    accelerator.register_for_checkpointing(ema)
    checkpoints = Checkpoints(accelerator, config)
    done = checkpoints.restore()
    log = LossLog(config.out / "log.csv", done, accelerator.is_main_process)
    alphas = pipeline.scheduler.alphas_cumprod.to(accelerator.device)
    kind = pipeline.scheduler.config.prediction_type

    def batch(micro: int) -> Batch:
        numbers = example_numbers(micro, config.batch_size, accelerator.process_index, accelerator.num_processes)
        return make_batch(numbers, pairs, cache, pipeline, config)

    batches = prefetch(batch, range(done * config.accumulate, config.steps * config.accumulate), config.workers)
    with bar("diffusion", total=config.steps, wanted=accelerator.is_main_process) as progress:
        progress.update(done)
        for step in range(done + 1, config.steps + 1):
            set_learning_rate(optimizer, learning_rate_factor(step - 1, config.warmup, config.steps))
            total = 0.0
            for _ in range(config.accumulate):
                b = next(batches)
                degraded, noise, t = (x.to(accelerator.device) for x in (b.degraded, b.noise, b.timestep))
                with accelerator.accumulate(model):
                    said = model(noised(degraded, noise, alphas[t]), *_moved(accelerator.device, b, t))
                    error = (said - target_of(kind, degraded, noise, alphas[t])).square().mean(dim=(1, 2, 3))
                    loss = (error * min_snr_weight(kind, alphas[t], config.min_snr_gamma)).mean()
                    accelerator.backward(loss)
                    if accelerator.sync_gradients:
                        accelerator.clip_grad_norm_(model.parameters(), config.clip_norm)
                    optimizer.step()
                    optimizer.zero_grad()
                total += loss.item() / config.accumulate
            ema.step(denoiser.parameters())
            progress.update()
            progress.set_postfix(loss=f"{total:.4f}")
            if step % config.log_every == 0:
                log.add(step=step, loss=total, learning_rate=optimizer.param_groups[0]["lr"])
            if step % config.checkpoint_every == 0 or step == config.steps:
                checkpoints.save(step)
            if step % config.sheet_every == 0 or step == config.steps:
                _with_average(accelerator, denoiser, ema, lambda at=step: draw_samples(pipeline, config, at))
    ema.copy_to(denoiser.parameters())
    if accelerator.is_main_process:
        pipeline.save_pretrained(config.out / "model")
    accelerator.wait_for_everyone()


def new_pipeline(config: DiffusionConfig) -> GenDegPipeline:
    """The bundled sizes with fresh weights around a trained autoencoder."""
    tokenizer = make_tokenizer(corpus())
    conditioner = make_conditioner()
    return GenDegPipeline(
        vae=load_autoencoder(Path(config.vae)),
        text_encoder=make_text_encoder(tokenizer),
        tokenizer=tokenizer,
        unet=make_unet(conditioner),
        scheduler=make_scheduler(),
        conditioner=conditioner,
        steps=config.sample_steps,
        guidance_text=config.guidance_text,
        guidance_image=config.guidance_image,
    )


def make_batch(
    numbers: list[int], pairs: list[PlacedPair], cache: LatentCache, pipeline: GenDegPipeline, config: DiffusionConfig
) -> Batch:
    """The examples of these numbers of the run's stream; depends on the seed and the numbers only."""
    side = config.size // factor(pipeline.vae)
    dropout = Dropout(config.drop_text, config.drop_image, config.drop_both)
    windows, conditions, noise = [], [], []
    for number in numbers:
        index = shuffled(len(pairs), number, config.seed)
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
        degraded=torch.stack([w.degraded for w in windows]) * pipeline.vae.config.scaling_factor,
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


def _moved(device: torch.device, b: Batch, timestep: Tensor) -> tuple[Tensor, ...]:
    return b.clean.to(device), timestep, b.tokens.to(device), b.mu.to(device), b.sigma.to(device)


def _with_average(accelerator, denoiser: Denoiser, ema, draw) -> None:  # type: ignore[no-untyped-def]
    """Run `draw` on the main process with the averaged weights in place."""
    if accelerator.is_main_process:
        ema.store(denoiser.parameters())
        ema.copy_to(denoiser.parameters())
        denoiser.eval()
        draw()
        denoiser.train()
        ema.restore(denoiser.parameters())
    accelerator.wait_for_everyone()
