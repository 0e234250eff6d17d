"""A small student learns its teacher's way by heart: a tenth of the loss, and one pass comes near eight."""

import csv
from pathlib import Path

import pytest
import torch
from torch import Tensor

from gendeg.model.schedulers import landed
from gendeg.model.weights import load_pipeline
from gendeg.pairs.pair import open_pairs
from gendeg.training.batches import Batch, crops, encoded, make_batch
from gendeg.training.config import DistillConfig
from gendeg.training.diffusion import Denoiser
from gendeg.training.distill import make_teacher, train_distill
from tests.few_pairs import write_pairs
from tests.training.test_distill import SETTINGS, change_model, velocity_model

pytestmark = pytest.mark.slow
UNSEEN = 1 << 20
CALM = 0.3
"""Of what a network with random weights says: eight passes through it can be told in one by a network of its size."""


def walked(config: DistillConfig, steps: int) -> tuple[Batch, Tensor]:
    """Crops and noise that no step has seen, and what the teacher makes of them in so many steps."""
    told = {"pairs": config.pairs, "model": config.model, "text": config.text, "image": config.image}
    given = DistillConfig(**SETTINGS | told | {"out": config.out, "sample_steps": 1, "teacher_steps": steps})
    teacher = make_teacher(given)
    teacher.prepare(torch.device("cpu"), False)
    views = crops(lambda number: number % 8, open_pairs(given.pairs, "train"), given)
    numbers = list(range(UNSEEN, UNSEEN + 32))
    batch = encoded(make_batch(numbers, views, teacher.pipeline, given), teacher.pipeline, False, False)
    return batch, teacher.walk(batch, half=False)[-1]


@pytest.mark.parametrize(("make", "scales"), [(change_model, (1.0, 1.0)), (velocity_model, (3.0, 1.5))])
def test_one_pass_comes_near_eight(tmp_path: Path, make, scales) -> None:
    torch.set_num_threads(1)
    teacher = make()
    with torch.no_grad():
        teacher.unet.conv_out.weight.mul_(CALM)
    teacher.save_pretrained(tmp_path / "teacher")
    config = DistillConfig(
        **SETTINGS
        | {"pairs": (write_pairs(tmp_path / "pairs"),), "out": tmp_path / "run", "model": str(tmp_path / "teacher")}
        | {"sample_steps": 1, "teacher_steps": 8, "text": scales[0], "image": scales[1], "steps": 250}
        | {"batch_size": 8, "learning_rate": 1e-2, "warmup": 5, "checkpoint_every": 250, "sheet_every": 250}
    )
    train_distill(config)
    with open(config.out / "log.csv") as stream:
        losses = [float(row["loss"]) for row in csv.DictReader(stream)]
    start, end = losses[0], sum(losses[-20:]) / 20
    batch, there = walked(config, 8)
    _, undistilled = walked(config, 1)
    student = load_pipeline(str(config.out / "model"))
    ((timestep, signal),) = student.scheduler.config.levels
    denoiser = Denoiser(student.unet, student.text_encoder, student.conditioner)
    with torch.no_grad():
        timesteps, kept = torch.full((len(there),), int(timestep)), torch.full((len(there),), signal)
        said = denoiser(batch.noise, batch.clean, timesteps, batch.tokens, batch.mu, batch.sigma, batch.direction)
    learnt = landed(student.scheduler.config.prediction_type, said, batch.noise, kept, torch.ones(len(there)))
    off, off_before = (float((one - there).square().mean().sqrt()) for one in (learnt, undistilled))
    print(f"loss {start:.4f} -> {end:.4f}, a {start / end:.0f}th; {off_before / off:.1f} times as near")
    assert end < start / 10
    assert off < off_before / 2.5
