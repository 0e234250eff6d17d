"""Train the bundled autoencoder on both halves of pairs, those on disk and those simulated on the way."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import torch
from torch import nn

from gendeg.model.bundled import make_autoencoder, sizes_of
from gendeg.model.latents import Autoencoder, check_side, decode, encode
from gendeg.model.loading import quiet
from gendeg.model.weights import load_autoencoder
from gendeg.pairs.pair import Pair, held_out_pairs
from gendeg.primitives.images import U8Image, signed_to_u8, write_image
from gendeg.primitives.rng import for_sample
from gendeg.report.sheet import Tile, draw_sheet
from gendeg.training.config import AutoencoderConfig
from gendeg.training.examples import crop_pair, shuffled, to_tensor
from gendeg.training.fresh_pairs import FreshPairs, fresh_recipe, training_pairs
from gendeg.training.losses import psnr, reconstruction_loss
from gendeg.training.run import Run
from gendeg.training.state import LossLog

HELD_OUT = 16  # crops on every sheet
SCALED = 256  # crops that the scale of the latents is measured on
DEGRADED = 0.75  # share of examples that are the degraded half of their pair


class RoundTrip(nn.Module):
    """Encode and decode in one forward call, which is what distributed wrappers hook into."""

    def __init__(self, vae: Autoencoder):
        super().__init__()
        self.vae = vae

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        latent = encode(self.vae, image)
        return latent, decode(self.vae, latent)


Halves = Callable[[list[int]], list[U8Image]]
"""Numbers of examples → one crop of one half of a pair each."""

Shown = Callable[[Autoencoder, int], None]
"""Gets the autoencoder with the averaged weights, and the step, whenever a sheet has been drawn."""


def train_autoencoder(config: AutoencoderConfig, shown: Shown | None = None) -> None:
    """Write checkpoints, `log.csv`, sheets and, at the end, the averaged autoencoder as `vae/` below `config.out`."""
    quiet()
    pairs = training_pairs(config)
    torch.manual_seed(config.seed)
    vae = load_autoencoder(Path(config.init)) if config.init else make_autoencoder(sizes_of(config.sizes))
    check_side(vae, config.size)
    with _halves(pairs, config) as halves:
        run = Run(config, RoundTrip(vae))
        batches = run.batches(lambda numbers: to_tensor(halves(numbers)))
        for _ in run.steps("autoencoder", lambda step: _draw_round_trips(vae, config, step, shown)):
            for _ in range(config.accumulate):
                image = next(batches).to(run.accelerator.device)
                with run.accumulate():
                    latent, output = run.model(image)
                    loss = reconstruction_loss(output, image, config.gradient_weight)
                    run.descend(loss + config.latent_weight * latent.square().mean())
        examples = to_tensor(halves(list(range(SCALED))))

    def save(trained: RoundTrip) -> None:
        _set_scale(trained.vae, examples)
        trained.vae.save_pretrained(config.out / "vae")

    run.finish(save)


@contextmanager
def _halves(pairs: list[Pair], config: AutoencoderConfig) -> Iterator[Halves]:
    """Of pairs that are simulated on the way, or of those on disk."""
    if not config.clean:
        yield lambda numbers: [_view(pairs, number, config) for number in numbers]
        return
    with closing(FreshPairs(fresh_recipe(config, pairs), config.workers)) as fresh:

        def halves(numbers: list[int]) -> list[U8Image]:
            seen = zip(fresh.views(numbers, config.size), numbers, strict=True)
            return [one.degraded if _later(number, config) else one.clean for one, number in seen]

        yield halves


def _later(number: int, config: AutoencoderConfig) -> bool:
    """Whether the degraded half is seen: three times of four, for it is what is hard to say."""
    return bool(for_sample(config.seed, number, "half").uniform() < DEGRADED)


def _view(pairs: list[Pair], number: int, config: AutoencoderConfig) -> U8Image:
    """One crop of one half of a pair."""
    generator = for_sample(config.seed, number, "crop")
    both = pairs[shuffled(len(pairs), number, config.seed)].read()
    return crop_pair(*both, config.size, generator)[int(generator.uniform() < DEGRADED)]


def _draw_round_trips(vae: Autoencoder, config: AutoencoderConfig, step: int, shown: Shown | None) -> dict[str, float]:
    """Held-out crops and their reconstructions, with PSNR; the mean goes to `psnr.csv`."""
    pairs = held_out_pairs(config.pairs)
    images = to_tensor([_view(pairs, number, config) for number in range(HELD_OUT)]).to(vae.device)
    rebuilt = decode(vae, encode(vae, images)).clamp(-1, 1)
    scores = psnr(rebuilt, images)
    measured = {"psnr": float(scores.mean())}
    LossLog(config.out / "psnr.csv", step - 1, main=True).add(step=step, **measured)
    arrays = [signed_to_u8(x.permute(0, 2, 3, 1).cpu().numpy()) for x in (images, rebuilt)]
    cells = [
        [Tile(a, "original"), Tile(b, f"{score:.1f} dB")] for a, b, score in zip(*arrays, scores.tolist(), strict=True)
    ]
    rows = [cells[i] + cells[i + 1] + cells[i + 2] + cells[i + 3] for i in range(0, HELD_OUT, 4)]
    write_image(draw_sheet(rows, config.size), config.out / f"sheet-{step:08d}.png", "png")
    if shown:
        shown(vae, step)
    return measured


@torch.no_grad()
def _set_scale(vae: Autoencoder, images: torch.Tensor) -> None:
    """scaling_factor = 1 / root mean square of the latents (LDM, section G)."""
    square = torch.cat([encode(vae, part.to(vae.device)).float().square().mean()[None] for part in images.split(32)])
    vae.register_to_config(scaling_factor=round(1.0 / float(square.mean().sqrt()), 4))
