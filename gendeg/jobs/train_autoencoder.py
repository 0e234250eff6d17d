"""Train the bundled autoencoder on both halves of the pairs."""

import torch
from diffusers.models.autoencoders.autoencoder_dc import AutoencoderDC
from torch import nn

from gendeg.configs import AutoencoderConfig
from gendeg.model.bundled import make_autoencoder
from gendeg.model.latents import decode, encode
from gendeg.primitives.images import signed_to_u8, write_image
from gendeg.primitives.progress import bar
from gendeg.primitives.rng import for_sample
from gendeg.report.sheet import Cell, draw_sheet
from gendeg.training.examples import PlacedPair, crop_pair, example_numbers, held_out_pairs, load_pairs, prefetch, shuffled, to_tensor
from gendeg.training.losses import psnr, reconstruction_loss
from gendeg.training.state import (
    Checkpoints,
    LossLog,
    learning_rate_factor,
    make_ema,
    set_learning_rate,
    start,
)

HELD_OUT = 16  # crops on every sheet


class RoundTrip(nn.Module):
    """Encode and decode in one forward call, which is what distributed wrappers hook into."""

    def __init__(self, vae: AutoencoderDC):
        super().__init__()
        self.vae = vae

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        latent = encode(self.vae, image)
        return latent, decode(self.vae, latent)


def train_autoencoder(config: AutoencoderConfig) -> None:
    """Write checkpoints, `log.csv`, sheets and, at the end, the averaged autoencoder as `vae/` below `config.out`."""
    accelerator = start(config)
    pairs = load_pairs(config.pairs, "train")
    torch.manual_seed(config.seed)
    vae = AutoencoderDC.from_pretrained(config.init) if config.init else make_autoencoder()
    optimizer = torch.optim.AdamW(vae.parameters(), config.learning_rate, weight_decay=config.weight_decay)
    ema = make_ema([vae], config.ema_decay)
    vae.to(memory_format=torch.channels_last)
    model, optimizer = accelerator.prepare(RoundTrip(vae), optimizer)
    if config.compile:
        model.compile()
    ema.to(accelerator.device)
    accelerator.register_for_checkpointing(ema)
    checkpoints = Checkpoints(accelerator, config)
    done = checkpoints.restore()
    log = LossLog(config.out / "log.csv", done, accelerator.is_main_process)

    def batch(micro: int) -> torch.Tensor:
        numbers = example_numbers(micro, config.batch_size, accelerator.process_index, accelerator.num_processes)
        return to_tensor([_view(pairs, number, config) for number in numbers])

    micros = range(done * config.accumulate, config.steps * config.accumulate)
    batches = prefetch(batch, micros, config.workers)
    with bar("autoencoder", total=config.steps, wanted=accelerator.is_main_process) as progress:
        progress.update(done)
        for step in range(done + 1, config.steps + 1):
            set_learning_rate(optimizer, learning_rate_factor(step - 1, config.warmup, config.steps))
            total = 0.0
            for _ in range(config.accumulate):
                image = next(batches).to(accelerator.device)
                with accelerator.accumulate(model):
                    latent, output = model(image)
                    loss = reconstruction_loss(output, image, config.gradient_weight)
                    loss = loss + config.latent_weight * latent.square().mean()
                    accelerator.backward(loss)
                    if accelerator.sync_gradients:
                        accelerator.clip_grad_norm_(model.parameters(), config.clip_norm)
                    optimizer.step()
                    optimizer.zero_grad()
                total += loss.item() / config.accumulate
            ema.step(vae.parameters())
            progress.update()
            progress.set_postfix(loss=f"{total:.4f}")
            if step % config.log_every == 0:
                log.add(step=step, loss=total, learning_rate=optimizer.param_groups[0]["lr"])
            if step % config.checkpoint_every == 0 or step == config.steps:
                checkpoints.save(step)
            if step % config.sheet_every == 0 or step == config.steps:
                _sheet(accelerator, vae, ema, config, step)
    ema.copy_to(vae.parameters())
    _set_scale(vae, pairs, config, accelerator.device)
    if accelerator.is_main_process:
        vae.save_pretrained(config.out / "vae")
    accelerator.wait_for_everyone()


def _view(pairs: list[PlacedPair], number: int, config: AutoencoderConfig):  # type: ignore[no-untyped-def]
    """One crop of one half of a pair."""
    generator = for_sample(config.seed, number, "crop")
    both = pairs[shuffled(len(pairs), number, config.seed)].read()
    return crop_pair(*both, config.size, generator)[int(generator.uniform() < 0.75)]


@torch.no_grad()
def _sheet(accelerator, vae, ema, config: AutoencoderConfig, step: int) -> None:  # type: ignore[no-untyped-def]
    """Held-out crops and their reconstructions by the averaged weights, with PSNR; the mean goes to `psnr.csv`."""
    if not accelerator.is_main_process:
        return
    pairs = held_out_pairs(config.pairs)
    images = to_tensor([_view(pairs, number, config) for number in range(HELD_OUT)]).to(accelerator.device)
    ema.store(vae.parameters())
    ema.copy_to(vae.parameters())
    rebuilt = decode(vae, encode(vae, images)).clamp(-1, 1)
    ema.restore(vae.parameters())
    scores = psnr(rebuilt, images)
    LossLog(config.out / "psnr.csv", step - 1, main=True).add(step=step, psnr=float(scores.mean()))
    arrays = [signed_to_u8(x.permute(0, 2, 3, 1).cpu().numpy()) for x in (images, rebuilt)]
    cells = [
        [Cell(a, "original"), Cell(b, f"{score:.1f} dB")] for a, b, score in zip(*arrays, scores.tolist(), strict=True)
    ]
    rows = [cells[i] + cells[i + 1] + cells[i + 2] + cells[i + 3] for i in range(0, HELD_OUT, 4)]
    write_image(draw_sheet(rows, config.size), config.out / f"sheet-{step:08d}.png", "png")


@torch.no_grad()
def _set_scale(vae, pairs: list[PlacedPair], config: AutoencoderConfig, device) -> None:  # type: ignore[no-untyped-def]
    """scaling_factor = 1 / root mean square of the latents (LDM, section G)."""
    images = to_tensor([_view(pairs, number, config) for number in range(256)])
    square = torch.cat([encode(vae, part.to(device)).float().square().mean()[None] for part in images.split(32)])
    vae.register_to_config(scaling_factor=round(1.0 / float(square.mean().sqrt()), 4))
