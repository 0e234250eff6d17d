"""--optimizer adamw8bit: averages in 8 bits, learning as AdamW does, going on from a checkpoint to the same bits."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from gendeg.training.config import TrainConfig
from gendeg.training.run import Run

pytestmark = pytest.mark.slow
pytest.importorskip("bitsandbytes", reason="bitsandbytes is an optional extra")


def train(config: TrainConfig) -> tuple[Run, list[float]]:
    """A layer of more than 4,096 weights, for smaller ones are kept in 32 bits, learns to be the identity."""
    torch.manual_seed(0)
    run, losses = Run(config, torch.nn.Linear(128, 128, bias=False)), []
    for number in run.steps("identity", lambda step: {}):
        x = torch.randn(64, 128, generator=torch.Generator().manual_seed(number))
        with run.accumulate():
            loss = (run.model(x) - x).square().mean()
            run.descend(loss)
        losses.append(float(loss.detach()))
    return run, losses


def test_it_learns_as_adamw_does_in_a_quarter_of_the_room_and_goes_on(tmp_path: Path) -> None:
    config = TrainConfig(
        pairs=(), out=tmp_path / "whole", steps=20, learning_rate=1e-2, warmup=0, precision="no", tracker="none",
        optimizer="adamw8bit", checkpoint_every=10, cpu=True, schedule="constant",
    )  # fmt: skip
    whole, losses = train(config)
    (state,) = whole.optimizer.state.values()
    assert state["state1"].dtype == state["state2"].dtype == torch.uint8
    _, plain = train(replace(config, out=tmp_path / "plain", optimizer="adamw"))
    assert losses[-1] < 0.7 * losses[0] and losses[-1] == pytest.approx(plain[-1], rel=0.1)
    half = replace(config, out=tmp_path / "half")
    train(half)
    for name in ("checkpoint-00000020", "log.csv"):
        path = half.out / name
        path.rename(tmp_path / name)
    again, rest = train(replace(half, resume=True))
    assert len(rest) == 10 and rest == losses[10:]
    assert torch.equal(again.model.weight, whole.model.weight)
