"""A small model told to learn eight pairs by heart: its loss falls to a tenth, and it gives their mu back."""

import csv

import pytest
import torch

from gendeg.intensity.measure import measure_intensity
from gendeg.model.weights import load_pipeline
from gendeg.pairs.pair import open_pairs
from gendeg.primitives.images import signed_to_u8
from gendeg.primitives.kinds import parse_mix
from gendeg.prompts import make_prompt
from gendeg.training.autoencoder import train_autoencoder
from gendeg.training.config import AutoencoderConfig, DiffusionConfig
from gendeg.training.diffusion import train_diffusion
from gendeg.training.examples import to_tensor
from tests.few_pairs import write_pairs

pytestmark = pytest.mark.slow


def test_eight_pairs_by_heart(tmp_path):
    torch.set_num_threads(2)
    manifest = write_pairs(tmp_path / "pairs", count=8, width=32)
    common = {"pairs": (manifest,), "size": 32, "batch_size": 8, "precision": "no", "sizes": "smoke", "cpu": True,
              "log_every": 1, "tracker": "none", "seed": 1}  # fmt: skip
    train_autoencoder(AutoencoderConfig(**common, out=tmp_path / "ae", steps=500, sheet_every=500, learning_rate=3e-3))
    config = DiffusionConfig(
        **common, out=tmp_path / "run", vae=str(tmp_path / "ae"), steps=1200, sheet_every=1200, learning_rate=3e-3,
        drop_text=0.0, drop_image=0.0, drop_both=0.0, drop_direction=0.0, flips=False,
        caption_mix=0.0, noise_mean=-0.4, noise_width=1.4, sample_steps=10,
    )  # fmt: skip
    train_diffusion(config)
    with open(config.out / "log.csv") as stream:
        losses = [float(row["loss"]) for row in csv.DictReader(stream)]
    start, end = losses[0], sum(losses[-20:]) / 20
    print(f"loss {start:.4f} -> {end:.4f}, a {start / end:.0f}th")
    assert end < start / 10
    pipeline, errors = load_pipeline(str(config.out / "model")), []
    for number, placed in enumerate(open_pairs([manifest], "train")):
        clean, _ = placed.read()
        prompt = make_prompt(placed.caption, parse_mix(placed.degradation))
        made = pipeline(
            to_tensor([clean]), [prompt], [placed.mu], [placed.sigma],
            [torch.Generator().manual_seed(number)], degradations=[placed.degradation],
        )  # fmt: skip
        image = signed_to_u8(made[0].permute(1, 2, 0).numpy())
        errors.append(abs(measure_intensity(clean, image).mu / placed.mu - 1))
    print("errors of mu, relative:", " ".join(f"{error:.4f}" for error in errors))
    assert max(errors) < 0.15
