"""Train the structure correction: (clean, decoded) → degraded (the network and its inputs: GenDeg, CVPR 2025).

The loss is L1 and the L1 of gradients (Mathieu et al., ICLR 2016); the learning rate falls by half a cosine, from 1e-3,
as NAFNet's own (Chen et al., ECCV 2022, section 5). Both are our choice: GenDeg's code for it is not public.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from gendeg.intensity.measure import measure_intensity
from gendeg.model.bundled import make_structure, sizes_of
from gendeg.model.latents import Autoencoder, check_side, decode, encode, onto_photo
from gendeg.model.loading import quiet
from gendeg.model.nafnet import NAFNet
from gendeg.model.pipeline import GenDegPipeline
from gendeg.model.schedulers import generated_of, noised
from gendeg.model.weights import load_autoencoder, load_pipeline, load_structure
from gendeg.pairs.pair import Pair, held_out_pairs, open_pairs
from gendeg.primitives.errors import BadOption
from gendeg.primitives.images import signed_to_u8, write_image
from gendeg.primitives.rng import for_sample, torch_generator
from gendeg.report.sheet import Tile, draw_sheet
from gendeg.training.conditions import Condition, Dropout, make_condition
from gendeg.training.config import StructureConfig
from gendeg.training.examples import crop_pair, shuffled, to_tensor
from gendeg.training.losses import psnr, reconstruction_loss
from gendeg.training.run import Run
from gendeg.training.state import LossLog

Triple = tuple[Float[Tensor, "b 3 h w"], Float[Tensor, "b 3 h w"], Float[Tensor, "b 3 h w"]]


@dataclass(frozen=True)
class Crops:
    """Crops of the examples of these numbers, and what the model is told of each."""

    numbers: list[int]
    clean: Float[Tensor, "b 3 h w"]
    degraded: Float[Tensor, "b 3 h w"]
    conditions: list[Condition]


@dataclass(frozen=True)
class Decoder:
    """The autoencoder, how latents of degraded images are spoilt before they are decoded, and how to move both.

    `residual`: the decoded change is laid onto the photo, as a model with `residual_decoding` does.
    """

    vae: Autoencoder
    residual: bool
    spoil: Callable[[Float[Tensor, "b c y x"], Crops], Float[Tensor, "b c y x"]]
    to: Callable[[torch.device], object]


def make_decoder(config: StructureConfig) -> Decoder:
    """Through a whole model where one is given, else through an autoencoder alone. Raises `BadModel`."""
    if not config.model:
        vae = load_autoencoder(Path(config.vae))
        return Decoder(vae, config.residual, lambda latent, crops: _jittered(latent, vae, crops, config), vae.to)
    pipeline = load_pipeline(config.model)
    if pipeline.config.guidance_built_in:
        raise BadOption("--model", "this model was distilled: correct its teacher, whose structure network it shares")
    vae, residual = pipeline.vae, config.residual or pipeline.config.residual_decoding
    return Decoder(vae, residual, lambda latent, crops: _denoised(latent, pipeline, crops, config), pipeline.to)


@torch.no_grad()
def make_triples(numbers: list[int], pairs: list[Pair], decoder: Decoder, config: StructureConfig) -> Triple:
    """(clean, decoded, degraded): signed crops of the examples of these numbers, on the CPU."""
    crops = _crops(numbers, pairs, config)
    with torch.autocast(decoder.vae.device.type, torch.bfloat16, enabled=config.precision != "no"):
        device = decoder.vae.device
        latent = encode(decoder.vae, crops.degraded.to(device))
        decoded = decode(decoder.vae, decoder.spoil(latent, crops)).float()
        if decoder.residual:
            photo = crops.clean.to(device)
            decoded = onto_photo(photo, decoded, decode(decoder.vae, encode(decoder.vae, photo)).float())
    return crops.clean, decoded.clamp(-1, 1).cpu(), crops.degraded


def _crops(numbers: list[int], pairs: list[Pair], config: StructureConfig) -> Crops:
    clean, degraded, conditions, nothing_dropped = [], [], [], Dropout(0.0, 0.0, 0.0)
    for number in numbers:
        pair = pairs[shuffled(len(pairs), number, config.seed)]
        before, after = crop_pair(*pair.read(), config.size, for_sample(config.seed, number, "crop"))
        clean.append(before)
        degraded.append(after)
        told = (pair.degradation, pair.caption, measure_intensity(before, after), nothing_dropped)
        conditions.append(make_condition(*told, caption_mix=0.0, seed=config.seed, number=number))
    return Crops(numbers, to_tensor(clean), to_tensor(degraded), conditions)


def _jittered(
    latent: Float[Tensor, "b c y x"], vae: Autoencoder, crops: Crops, config: StructureConfig
) -> Float[Tensor, "b c y x"]:
    """With Gaussian noise of a random size, from none up to the configured one: no model's latents are exact."""
    noise = []
    for number in crops.numbers:
        generator = torch_generator(config.seed, number, "jitter")
        one = torch.randn(latent.shape[1:], generator=generator)
        noise.append(one * config.latent_jitter * torch.rand((), generator=generator))
    return latent + torch.stack(noise).to(latent) / vae.config.scaling_factor


def _denoised(
    latent: Float[Tensor, "b c y x"], pipeline: GenDegPipeline, crops: Crops, config: StructureConfig
) -> Float[Tensor, "b c y x"]:
    """Noised to a random early timestep, and back in one step of the model (as in SDEdit, Meng et al., ICLR 2022).

    What it gets wrong there is what it gets wrong when it generates, but where its streaks lie is still known.
    """
    clean = encode(pipeline.vae, crops.clean.to(latent.device))
    generated, scheduler = pipeline.to_generated(latent.float(), clean.float()), pipeline.scheduler
    generators = [torch_generator(config.seed, number, "jitter") for number in crops.numbers]
    latest = max(1, int(config.noise_share * scheduler.config.num_train_timesteps))
    timestep = torch.cat([torch.randint(latest, (1,), generator=g) for g in generators]).to(latent.device)
    noise = torch.stack([torch.randn(latent.shape[1:], generator=g) for g in generators]).to(generated)
    kept = scheduler.alphas_cumprod.to(latent.device)[timestep]
    told, noisy = crops.conditions, noised(generated, noise, kept)
    read = pipeline.encode_prompt([c.prompt for c in told], [c.mu for c in told], [c.sigma for c in told])
    labels = {} if read.vector is None else {"class_labels": read.vector}
    both = torch.cat([noisy, clean.float()], dim=1)
    said = pipeline.unet(both, timestep, encoder_hidden_states=read.context, **labels).sample.float()
    back = generated_of(scheduler.config.prediction_type, said, noisy, kept)
    return pipeline.from_generated(back, clean.float())


HELD_OUT = 16


def train_structure(config: StructureConfig) -> None:
    """Write checkpoints, `log.csv`, sheets and, at the end, the averaged network as `structure/` below `config.out`."""
    quiet()
    pairs = open_pairs(config.pairs, "train")
    torch.manual_seed(config.seed)
    network = load_structure(Path(config.init)) if config.init else make_structure(sizes_of(config.sizes))
    decoder = make_decoder(config)
    check_side(decoder.vae, config.size)
    run = Run(config, network)
    device = run.accelerator.device
    decoder.to(device)
    batches = run.batches(lambda numbers: make_triples(numbers, pairs, decoder, config))
    for _ in run.steps("structure", lambda step: _draw_corrections(network, decoder, config, step)):
        for _ in range(config.accumulate):
            clean, decoded, degraded = (x.to(device) for x in next(batches))
            with run.accumulate():
                run.descend(reconstruction_loss(run.model(clean, decoded), degraded, config.gradient_weight))
    run.finish(lambda trained: trained.save_pretrained(config.out / "structure"))


def _draw_corrections(network: NAFNet, decoder: Decoder, config: StructureConfig, step: int) -> dict[str, float]:
    """Held-out crops: degraded, decoded, corrected, with PSNR to the degraded one; the means go to `psnr.csv`."""
    clean, decoded, degraded = make_triples(list(range(HELD_OUT)), held_out_pairs(config.pairs), decoder, config)
    device = next(network.parameters()).device
    corrected = network(clean.to(device), decoded.to(device)).clamp(-1, 1).cpu()
    before, after = psnr(decoded, degraded), psnr(corrected, degraded)
    measured = {"decoded": float(before.mean()), "corrected": float(after.mean())}
    LossLog(config.out / "psnr.csv", step - 1, main=True).add(step=step, **measured)
    arrays = [signed_to_u8(x.permute(0, 2, 3, 1).numpy()) for x in (degraded, decoded, corrected)]
    rows = [
        [Tile(a, "degraded"), Tile(b, f"decoded {p:.1f} dB"), Tile(c, f"corrected {q:.1f} dB")]
        for a, b, c, p, q in zip(*arrays, before.tolist(), after.tolist(), strict=True)
    ]
    write_image(draw_sheet(rows, config.size), config.out / f"sheet-{step:08d}.png", "png")
    return {f"psnr/{name}": value for name, value in measured.items()}
