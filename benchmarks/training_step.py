"""What Stable Diffusion 1.5 costs to fine-tune: computed on any machine, and timed against diffusers' way on a GPU.

python benchmarks/training_step.py                    weights, memory and operations at true size, computed
python benchmarks/training_step.py --time             on a GPU: one step of ours, and of the InstructPix2Pix example's
python benchmarks/training_step.py --time --toy       the same two at toy size, on a CPU too: that the script runs

Both steps take the same random weights, 8-channel input layer, batch and precision. The example (diffusers 0.42,
train_instruct_pix2pix.py) encodes both images and the prompt in every step and averages weights; so does ours, which
also encodes mu and sigma.
"""

import argparse
import copy
import gc
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.training_utils import EMAModel
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode
from transformers import CLIPTextConfig, CLIPTextModel

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from gendeg.convert.ldm import PUBLISHED
from gendeg.model.conditioner import Conditioner
from gendeg.model.latents import encode
from gendeg.model.schedulers import noised
from gendeg.training.diffusion import Denoiser

TFLOPS = {"A100": 312, "H100": 989}
USED = 0.4  # of the peak: an assumption, said where it is used


def networks(toy: bool, device: str) -> tuple[UNet2DConditionModel, AutoencoderKL, CLIPTextModel, Conditioner]:
    """Random weights at SD 1.5's sizes (or toy ones), the UNet already reading eight channels."""
    channels, vae_channels, text = (
        ((32, 64, 64, 64), (16, 16, 16, 16), {"vocab_size": 49408, "hidden_size": 32, "num_attention_heads": 2,
         "num_hidden_layers": 1, "intermediate_size": 64, "max_position_embeddings": 77})
        if toy else ((320, 640, 1280, 1280), (128, 256, 512, 512), PUBLISHED["text"])
    )  # fmt: skip
    with torch.device(device):
        unet = UNet2DConditionModel(
            in_channels=8, out_channels=4, block_out_channels=channels, cross_attention_dim=text["hidden_size"],
            attention_head_dim=8,
        )  # fmt: skip
        vae = AutoencoderKL(
            block_out_channels=vae_channels, down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4, layers_per_block=2, latent_channels=4, norm_num_groups=16,
        )  # fmt: skip
        encoder = CLIPTextModel(CLIPTextConfig(**text))
        conditioner = Conditioner(text_dim=text["hidden_size"], tokens=77)
    return unet, vae.requires_grad_(False), encoder.requires_grad_(False), conditioner


def computed(size: int, batch: int, steps: int) -> None:
    """Print weights, memory without activations, operations of a step, and hours at an assumed share of the peak."""
    unet, vae, encoder, conditioner = networks(toy=False, device="meta")
    trained = sum(p.numel() for module in (unet, conditioner) for p in module.parameters())
    frozen = sum(p.numel() for module in (vae, encoder) for p in module.parameters())
    side = size // 8
    with FlopCounterMode(display=False) as unet_operations:
        said = unet(
            torch.empty(1, 8, side, side, device="meta"), torch.zeros(1, device="meta"),
            encoder_hidden_states=torch.empty(1, 77, 768, device="meta"),
        )  # fmt: skip
        said.sample.sum().backward()
    with FlopCounterMode(display=False) as other_operations, torch.no_grad():
        vae.encode(torch.empty(2, 3, size, size, device="meta"))
        encoder(torch.zeros(1, 77, dtype=torch.long, device="meta"))
    each = unet_operations.get_total_flops() + other_operations.get_total_flops()
    print(f"trained {trained / 1e6:.0f} M weights, frozen {frozen / 1e6:.0f} M")
    print("memory without activations, of fp32 weights, gradients, AdamW and the average:")
    print(f"  {(5 * trained + frozen) * 4 / 1e9:.1f} GB, with 8-bit AdamW {(3.5 * trained + frozen) * 4 / 1e9:.1f} GB")
    print(f"operations at {size} x {size}: {each / 1e12:.2f} TFLOP an example")
    print(f"  {each * batch * steps / 1e18:.1f} EFLOP for {steps:,} steps of {batch}")
    for name, peak in TFLOPS.items():
        hours = each * batch * steps / (peak * 1e12 * USED) / 3600
        print(f"  {name}: {hours:.0f} GPU hours at an assumed {USED:.0%} of {peak} TFLOPS (bf16)")


def our_step(parts: tuple, batch: int, size: int, device: str) -> Callable[[], float]:
    """One optimiser step as in gendeg.training.diffusion."""
    unet, vae, encoder, conditioner = parts
    denoiser = Denoiser(unet, encoder, conditioner).to(device).train()
    denoiser.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    trained = [p for p in denoiser.parameters() if p.requires_grad]
    optimizer, average = torch.optim.AdamW(trained, 1e-4), EMAModel(trained, decay=0.9999)
    average.to(device)
    images, tokens, statistics = _inputs(batch, size, encoder, device)
    kept, direction = torch.rand(batch, device=device), torch.zeros(batch, 2, device=device)

    def step() -> float:
        with torch.autocast(device, torch.bfloat16):
            with torch.no_grad():
                clean, degraded = encode(vae, torch.cat([images, images])).float().chunk(2)
            noise = torch.randn_like(degraded)
            timestep = torch.randint(1000, (batch,), device=device)
            said = denoiser(noised(degraded, noise, kept), clean, timestep, tokens, statistics, statistics, direction)
            loss = (said - noise).square().mean(dim=(1, 2, 3)).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        average.step(trained)
        return loss.item()

    return step


def their_step(parts: tuple, batch: int, size: int, device: str) -> Callable[[], float]:
    """One optimiser step in the order of the InstructPix2Pix example, its loss in fp32."""
    unet, vae, encoder, _ = parts
    unet.to(device).train()
    optimizer, average = torch.optim.AdamW(unet.parameters(), 1e-4), EMAModel(unet.parameters(), decay=0.9999)
    average.to(device)
    images, tokens, _ = _inputs(batch, size, encoder, device)
    kept = torch.rand(batch, device=device)

    def step() -> float:
        with torch.autocast(device, torch.bfloat16):
            with torch.no_grad():
                latents = vae.encode(images).latent_dist.sample() * vae.config.scaling_factor
                context = encoder(tokens)[0]
                original = vae.encode(images).latent_dist.mode()
            noise = torch.randn_like(latents)
            timestep = torch.randint(1000, (batch,), device=device)
            both = torch.cat([noised(latents, noise, kept), original], dim=1)
            said = unet(both, timestep, context, return_dict=False)[0]
            loss = F.mse_loss(said.float(), noise.float(), reduction="mean")
        loss.backward()
        torch.nn.utils.clip_grad_norm_(unet.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        average.step(unet.parameters())
        return loss.item()

    return step


def _inputs(batch: int, size: int, encoder: CLIPTextModel, device: str) -> tuple[Tensor, Tensor, Tensor]:
    tokens = torch.randint(encoder.config.vocab_size, (batch, 77), device=device)
    return torch.rand(batch, 3, size, size, device=device) * 2 - 1, tokens, torch.rand(batch, device=device) * 0.3


def timed(toy: bool, batch: int, size: int, steps: int) -> None:
    """Print seconds a step and peak memory of both, with and without torch.compile, one after the other."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cpu" and not toy:
        sys.exit("no GPU here; --toy shows that the script runs, and without --time the cost is computed")
    original = networks(toy, "cpu")
    rows = {}
    for compiled in (False, True) if device == "cuda" else (False,):
        for name, make in (("ours", our_step), ("example", their_step)):
            parts = tuple(copy.deepcopy(part).to(device) for part in original)
            if compiled:
                parts[0].compile()
            step = make(parts, batch, size, device)
            for _ in range(3):
                step()
            if device == "cuda":
                torch.cuda.reset_peak_memory_stats()
            start = time.perf_counter()
            for _ in range(steps):
                step()
            seconds = (time.perf_counter() - start) / steps
            memory = f", {torch.cuda.max_memory_allocated() / 1e9:.1f} GB" if device == "cuda" else ""
            rows[name, compiled] = seconds
            print(f"{name}{' compiled' if compiled else ''}: {1 / seconds:.2f} steps/s{memory}")
            del step, parts
            gc.collect()
    for compiled in {compiled for _, compiled in rows}:
        ratio = rows["example", compiled] / rows["ours", compiled]
        print(f"ours does {ratio:.2f} times the example's steps{' (compiled)' if compiled else ''}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--batch", type=int, default=64, help="examples of an optimiser step")
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--time", action="store_true")
    parser.add_argument("--toy", action="store_true")
    options = parser.parse_args()
    if options.time:
        timed(options.toy, 2 if options.toy else 16, 64 if options.toy else options.size, 5 if options.toy else 30)
    else:
        computed(options.size, options.batch, options.steps)
