"""Train the structure correction: (clean, decoded) → degraded, L1 and gradient L1 (GenDeg, CVPR 2025, section 3.4)."""

from pathlib import Path

import torch

from gendeg.configs import StructureConfig
from gendeg.model.bundled import make_structure
from gendeg.model.latents import Autoencoder, decode, encode
from gendeg.model.nafnet import NAFNet
from gendeg.model.weights import load_autoencoder
from gendeg.primitives.images import signed_to_u8, write_image
from gendeg.primitives.progress import bar
from gendeg.primitives.rng import for_sample, torch_generator
from gendeg.report.sheet import Cell, draw_sheet
from gendeg.training.examples import (
    PlacedPair,
    crop_pair,
    example_numbers,
    held_out_pairs,
    load_pairs,
    prefetch,
    shuffled,
    to_tensor,
)
from gendeg.training.losses import psnr, reconstruction_loss
from gendeg.training.state import Checkpoints, LossLog, learning_rate_factor, make_ema, set_learning_rate, start

HELD_OUT = 16


def train_structure(config: StructureConfig) -> None:
    """Write checkpoints, `log.csv`, sheets and, at the end, the averaged network as `structure/` below `config.out`."""
    accelerator = start(config)
    pairs = load_pairs(config.pairs, "train")
    torch.manual_seed(config.seed)
    vae = load_autoencoder(Path(config.vae)).to(accelerator.device).requires_grad_(False)
    network = NAFNet.from_pretrained(config.init) if config.init else make_structure()
    optimizer = torch.optim.AdamW(network.parameters(), config.learning_rate, weight_decay=config.weight_decay)
    ema = make_ema([network], config.ema_decay)
    network.to(memory_format=torch.channels_last)
    model, optimizer = accelerator.prepare(network, optimizer)
    if config.compile:
        model.compile()
    ema.to(accelerator.device)
    accelerator.register_for_checkpointing(ema)
    checkpoints = Checkpoints(accelerator, config)
    done = checkpoints.restore()
    log = LossLog(config.out / "log.csv", done, accelerator.is_main_process)

    def batch(micro: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        numbers = example_numbers(micro, config.batch_size, accelerator.process_index, accelerator.num_processes)
        return _batch(numbers, pairs, vae, config)

    batches = prefetch(batch, range(done * config.accumulate, config.steps * config.accumulate), config.workers)
    with bar("structure", total=config.steps, wanted=accelerator.is_main_process) as progress:
        progress.update(done)
        for step in range(done + 1, config.steps + 1):
            set_learning_rate(optimizer, learning_rate_factor(step - 1, config.warmup, config.steps))
            total = 0.0
            for _ in range(config.accumulate):
                clean, decoded, degraded = (x.to(accelerator.device) for x in next(batches))
                with accelerator.accumulate(model):
                    loss = reconstruction_loss(model(clean, decoded), degraded, config.gradient_weight)
                    accelerator.backward(loss)
                    if accelerator.sync_gradients:
                        accelerator.clip_grad_norm_(model.parameters(), config.clip_norm)
                    optimizer.step()
                    optimizer.zero_grad()
                total += loss.item() / config.accumulate
            ema.step(network.parameters())
            progress.update()
            progress.set_postfix(loss=f"{total:.4f}")
            if step % config.log_every == 0:
                log.add(step=step, loss=total, learning_rate=optimizer.param_groups[0]["lr"])
            if step % config.checkpoint_every == 0 or step == config.steps:
                checkpoints.save(step)
            if (step % config.sheet_every == 0 or step == config.steps) and accelerator.is_main_process:
                _sheet(network, ema, vae, config, step)
    ema.copy_to(network.parameters())
    if accelerator.is_main_process:
        network.save_pretrained(config.out / "structure")
    accelerator.wait_for_everyone()


@torch.no_grad()
def _batch(
    numbers: list[int], pairs: list[PlacedPair], vae: Autoencoder, config: StructureConfig
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """(clean, decoded, degraded) crops; the latents are jittered, for the diffusion model's are never exact either."""
    crops = []
    for number in numbers:
        both = pairs[shuffled(len(pairs), number, config.seed)].read()
        crops.append(crop_pair(*both, config.size, for_sample(config.seed, number, "crop")))
    clean, degraded = to_tensor([c for c, _ in crops]), to_tensor([d for _, d in crops])
    with torch.autocast(vae.device.type, torch.bfloat16, enabled=config.precision != "no"):
        latent = encode(vae, degraded.to(vae.device))
        jitter = torch.stack(
            [torch.randn(latent.shape[1:], generator=torch_generator(config.seed, n, "jitter")) for n in numbers]
        )
        latent = latent + config.latent_jitter / vae.config.scaling_factor * jitter.to(latent)
        decoded = decode(vae, latent).float().clamp(-1, 1).cpu()
    return clean, decoded, degraded


@torch.no_grad()
def _sheet(network: NAFNet, ema, vae: Autoencoder, config: StructureConfig, step: int) -> None:  # type: ignore[no-untyped-def]
    """Held-out crops: degraded, decoded, corrected, with PSNR to the degraded one; the means go to `psnr.csv`."""
    pairs = held_out_pairs(config.pairs)
    clean, decoded, degraded = _batch(list(range(HELD_OUT)), pairs, vae, config)
    device = next(network.parameters()).device
    ema.store(network.parameters())
    ema.copy_to(network.parameters())
    corrected = network(clean.to(device), decoded.to(device)).clamp(-1, 1).cpu()
    ema.restore(network.parameters())
    before, after = psnr(decoded, degraded), psnr(corrected, degraded)
    LossLog(config.out / "psnr.csv", step - 1, main=True).add(
        step=step, decoded=float(before.mean()), corrected=float(after.mean())
    )
    arrays = [signed_to_u8(x.permute(0, 2, 3, 1).numpy()) for x in (degraded, decoded, corrected)]
    rows = [
        [Cell(a, "degraded"), Cell(b, f"decoded {p:.1f} dB"), Cell(c, f"corrected {q:.1f} dB")]
        for a, b, c, p, q in zip(*arrays, before.tolist(), after.tolist(), strict=True)
    ]
    write_image(draw_sheet(rows, config.size), config.out / f"sheet-{step:08d}.png", "png")
