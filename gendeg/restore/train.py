"""Train a restorer on pairs, all degradations at once: degraded → clean, by L1, as NAFNet, PromptIR and GenDeg do."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from gendeg.model.loading import quiet
from gendeg.model.weights import load_autoencoder
from gendeg.pairs.pair import Pair, held_out_pairs, open_pairs
from gendeg.pairs.photos import by_turns
from gendeg.primitives.errors import BadOption
from gendeg.primitives.images import signed_to_u8, write_image
from gendeg.primitives.rng import for_sample
from gendeg.report.sheet import Tile, draw_sheet
from gendeg.restore.config import RestoreTrainConfig
from gendeg.restore.loading import RESULT, load_restorer, save_restorer
from gendeg.restore.networks.content_prior import prior_of
from gendeg.restore.networks.network import Restorer
from gendeg.restore.networks.presets import make_restorer
from gendeg.training.examples import Deal, Memory, crop_pair, parse_weights, to_tensor
from gendeg.training.losses import psnr
from gendeg.training.run import Run
from gendeg.training.state import LossLog

Sized = tuple[np.ndarray, np.ndarray]  # clean, degraded: u8 [h w 3] both; each pair of its own size
SHEET_ROWS = 12
CropPairs = tuple[Float[Tensor, "b 3 h w"], Float[Tensor, "b 3 h w"]]


def train_restorer(
    config: RestoreTrainConfig, examples: Sequence[Pair] | None = None, network: Restorer | None = None
) -> Path:
    """Write checkpoints, `log.csv`, `psnr.csv`, sheets and the averaged restorer, whose folder is returned.

    `examples` and `network` take the place of what the configuration names; weights that want no gradient stay.
    """
    quiet()
    learned = open_pairs(config.pairs, "train", config.seed) if examples is None else list(examples)
    candidates = held_out_pairs(config.pairs, config.seed) if config.pairs else learned
    held_out = by_turns(candidates, lambda pair: pair.degradation, config.held_out)
    memory = Memory(learned, config.memory * 2**20)  # 0.4 megabytes for a pair of 256 pixels
    deal = Deal(learned, config.seed, parse_weights(config.weights))
    torch.manual_seed(config.seed)
    network = make_network(config) if network is None else network
    run = Run(config, network, [{"params": [p for p in network.parameters() if p.requires_grad]}])
    device, count = run.accelerator.device, range(len(held_out))
    shown = _crops(count, [one.read() for one in held_out], replace(config, flips=False))
    batches = run.batches(lambda numbers: _crops(numbers, [memory.read(deal(n)) for n in numbers], config))
    for _ in run.steps("restorer", lambda step: _draw_restored(network, held_out, shown, config, step)):
        for _ in range(config.accumulate):
            clean, degraded = (x.to(device) for x in next(batches))
            with run.accumulate():
                run.descend(F.l1_loss(run.model(degraded), clean))
    run.finish(lambda trained: save_restorer(trained, config.out / RESULT))
    return config.out / RESULT


def make_network(config: RestoreTrainConfig) -> Restorer:
    """What the run starts from. Raises `BadModel`, `BadOption`."""
    if config.init and config.content_prior:
        raise BadOption("--content-prior", "is for a fresh network; a restorer given by --init stays what it is")
    if config.init:
        return load_restorer(Path(config.init))
    network = make_restorer(config.model, config.preset)
    if not config.content_prior:
        return network
    return prior_of(network, load_autoencoder(Path(config.autoencoder)), config.detail_path)


def _crops(numbers: Sequence[int], images: Sequence[Sized], config: RestoreTrainConfig) -> CropPairs:
    """(clean, degraded): one signed crop of each pair, where the stream's number says."""
    crops = [
        crop_pair(*both, config.size, for_sample(config.seed, number, "crop"), config.flips)
        for number, both in zip(numbers, images, strict=True)
    ]
    return to_tensor([clean for clean, _ in crops]), to_tensor([degraded for _, degraded in crops])


def _draw_restored(
    network: Restorer, held_out: Sequence[Pair], shown: CropPairs, config: RestoreTrainConfig, step: int
) -> dict[str, float]:
    """Crops of held-out pairs: degraded, restored, clean; their PSNR, in all and by degradation, to `psnr.csv`."""
    clean, degraded = shown
    parts = [network(part.to(network.device)).float().clamp(-1, 1).cpu() for part in degraded.split(config.batch_size)]
    restored = torch.cat(parts)
    before, after = psnr(degraded, clean), psnr(restored, clean)
    measured = {"degraded": float(before.mean()), "restored": float(after.mean())}
    by_kind: dict[str, list[float]] = defaultdict(list)
    for example, value in zip(held_out, after.tolist(), strict=True):
        by_kind[example.degradation].append(value)
    measured |= {kind: sum(values) / len(values) for kind, values in sorted(by_kind.items())}
    LossLog(config.out / "psnr.csv", step - 1, main=True).add(step=step, **measured)
    arrays = [signed_to_u8(x[:SHEET_ROWS].permute(0, 2, 3, 1).numpy()) for x in (degraded, restored, clean)]
    rows = [
        [Tile(a, f"{example.degradation} {p:.1f} dB"), Tile(b, f"restored {q:.1f} dB"), Tile(c, "clean")]
        for example, a, b, c, p, q in zip(held_out, *arrays, before.tolist(), after.tolist(), strict=False)
    ]
    write_image(draw_sheet(rows, max(128, config.size)), config.out / f"sheet-{step:08d}.png", "png")
    return {f"psnr/{name}": value for name, value in measured.items()}
