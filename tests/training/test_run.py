"""A run around a loop of one number: what is logged, and that every step is done once."""

import csv
from pathlib import Path

import torch

from gendeg.configs import TrainConfig
from gendeg.training.run import Run


def test_the_last_step_is_logged_whatever_the_interval(tmp_path: Path) -> None:
    config = TrainConfig(
        pairs=(), out=tmp_path / "run", steps=5, log_every=3, precision="no", cpu=True, workers=1, checkpoint_every=2
    )
    run = Run(config, torch.nn.Linear(1, 1))
    drawn: list[int] = []
    batches = run.batches(lambda numbers: torch.ones(len(numbers), 1))
    for _ in run.steps("line", drawn.append):
        with run.accumulate():
            run.descend(run.model(next(batches)).square().mean())
    run.finish(lambda: None)
    with open(config.out / "log.csv") as stream:
        assert [row["step"] for row in csv.DictReader(stream)] == ["3", "5"]
    assert drawn == [5]
    names = [path.name for path in run.checkpoints.found()]
    assert names == ["checkpoint-00000004", "checkpoint-00000005"]
