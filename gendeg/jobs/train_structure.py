"""Train the structure correction: (clean, decoded) → degraded (the network and its inputs: GenDeg, CVPR 2025).

The loss is L1 and the L1 of gradients (Mathieu et al., ICLR 2016); the learning rate falls by half a cosine, from 1e-3,
as NAFNet's own (Chen et al., ECCV 2022, section 5). Both are our choice: GenDeg's code for it is not public.
"""

from pathlib import Path

import torch

from gendeg.configs import StructureConfig
from gendeg.jobs.structure_batches import Decoder, make_decoder, make_triples
from gendeg.model.bundled import make_structure, sizes_of
from gendeg.model.latents import check_side
from gendeg.model.loading import quiet
from gendeg.model.nafnet import NAFNet
from gendeg.model.weights import load_structure
from gendeg.pairs.pair import held_out_pairs, open_pairs
from gendeg.primitives.images import signed_to_u8, write_image
from gendeg.report.sheet import Tile, draw_sheet
from gendeg.training.losses import psnr, reconstruction_loss
from gendeg.training.run import Run
from gendeg.training.state import LossLog

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
