"""Train the structure correction: (clean, decoded) → degraded, L1 and gradient L1 (GenDeg, CVPR 2025, section 3.4)."""

from pathlib import Path

import torch

from gendeg.configs import StructureConfig
from gendeg.model.bundled import make_structure, sizes_of
from gendeg.model.latents import Autoencoder, check_side, decode, encode
from gendeg.model.nafnet import NAFNet
from gendeg.model.weights import load_autoencoder, load_structure
from gendeg.primitives.images import signed_to_u8, write_image
from gendeg.primitives.rng import for_sample, torch_generator
from gendeg.report.sheet import Cell, draw_sheet
from gendeg.training.examples import (
    PlacedPair,
    crop_pair,
    held_out_pairs,
    load_pairs,
    shuffled,
    to_tensor,
)
from gendeg.training.losses import psnr, reconstruction_loss
from gendeg.training.run import Run
from gendeg.training.state import LossLog

HELD_OUT = 16


def train_structure(config: StructureConfig) -> None:
    """Write checkpoints, `log.csv`, sheets and, at the end, the averaged network as `structure/` below `config.out`."""
    pairs = load_pairs(config.pairs, "train")
    torch.manual_seed(config.seed)
    network = load_structure(Path(config.init)) if config.init else make_structure(sizes_of(config.preset))
    vae = load_autoencoder(Path(config.vae)).requires_grad_(False)
    check_side(vae, config.size)
    run = Run(config, network)
    device = run.accelerator.device
    vae.to(device)
    batches = run.batches(lambda numbers: _batch(numbers, pairs, vae, config))
    for _ in run.steps("structure", lambda step: _draw_corrections(network, vae, config, step)):
        for _ in range(config.accumulate):
            clean, decoded, degraded = (x.to(device) for x in next(batches))
            with run.accumulate():
                run.descend(reconstruction_loss(run.model(clean, decoded), degraded, config.gradient_weight))
    run.finish(lambda: network.save_pretrained(config.out / "structure"))


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
        jitter = torch.stack([_jitter(latent.shape[1:], config, number) for number in numbers])
        latent = latent + jitter.to(latent) / vae.config.scaling_factor
        decoded = decode(vae, latent).float().clamp(-1, 1).cpu()
    return clean, decoded, degraded


def _jitter(shape: torch.Size, config: StructureConfig, number: int) -> torch.Tensor:
    """Gaussian noise of a random size, from none up to the configured one."""
    generator = torch_generator(config.seed, number, "jitter")
    return torch.randn(shape, generator=generator) * config.latent_jitter * torch.rand((), generator=generator)


def _draw_corrections(network: NAFNet, vae: Autoencoder, config: StructureConfig, step: int) -> None:
    """Held-out crops: degraded, decoded, corrected, with PSNR to the degraded one; the means go to `psnr.csv`."""
    clean, decoded, degraded = _batch(list(range(HELD_OUT)), held_out_pairs(config.pairs), vae, config)
    corrected = network(clean.to(network.device), decoded.to(network.device)).clamp(-1, 1).cpu()
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
