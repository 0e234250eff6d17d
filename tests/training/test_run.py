"""A run around a loop of one number: what is logged and tracked, that every step is done once, how it is refused."""

import csv
import time
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from gendeg.primitives.errors import BadOption
from gendeg.training.config import TrainConfig
from gendeg.training.run import Run

WITHOUT_EXTRA = pytest.mark.skipif(find_spec("bitsandbytes") is not None, reason="bitsandbytes is installed here")


@pytest.fixture
def config(tmp_path: Path) -> TrainConfig:
    return TrainConfig(
        pairs=(), out=tmp_path / "run", steps=5, log_every=3, precision="no", cpu=True, workers=1, checkpoint_every=2
    )


def test_the_last_step_is_logged_whatever_the_interval(config: TrainConfig) -> None:
    torch.manual_seed(0)
    run = Run(config, torch.nn.Linear(1, 1))
    drawn: list[int] = []
    saved: list[torch.nn.Module] = []

    def draw(step: int) -> dict[str, float]:
        drawn.append(step)
        return {"error": 0.25}

    batches = run.batches(lambda numbers: torch.ones(len(numbers), 1))
    for _ in run.steps("line", draw):
        with run.accumulate():
            run.descend(run.model(next(batches)).square().mean())
    run.finish(saved.append)
    with open(config.out / "log.csv") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["step"] for row in rows] == ["3", "5"]
    assert drawn == [5]
    names = [path.name for path in run.checkpoints.found()]
    assert names == ["checkpoint-00000004", "checkpoint-00000005"]
    assert [p.shape for p in saved[0].parameters()] == [(1, 1), (1,)] and not saved[0].training
    curves = EventAccumulator(str(config.out / "tracked")).Reload()
    assert [(e.step, e.value) for e in curves.Scalars("error")] == [(5, 0.25)]
    assert [e.value for e in curves.Scalars("loss")] == pytest.approx([float(row["loss"]) for row in rows])


def test_a_sheet_comes_late_at_the_latest(config: TrainConfig) -> None:
    """Where steps take longer than was thought; the time runs from the last sheet."""
    run = Run(replace(config, sheet_seconds=0.3, tracker="none"), torch.nn.Linear(1, 1))
    drawn: list[int] = []
    for step in run.steps("line", lambda step: {"n": float(drawn.append(step) or 0)}):
        time.sleep(0.4 if step in (2, 4) else 0)
    assert drawn == [2, 4, 5]


def test_what_is_saved_is_the_average_of_what_was_trained(config: TrainConfig) -> None:
    module = torch.nn.Linear(1, 1)
    module.bias.requires_grad_(False)
    before = module.bias.clone()
    run = Run(replace(config, ema_decay=0.5, tracker="none"), module, [{"params": [module.weight]}])
    batches = run.batches(lambda numbers: torch.ones(len(numbers), 1))
    for _ in run.steps("line", lambda step: {}):
        with run.accumulate():
            run.descend(run.model(next(batches)).square().mean())
    assert not torch.equal(run.ema.shadow_params[0], module.weight), "the average lags behind"
    average, saved = run.ema.shadow_params[0].clone(), []
    run.finish(saved.append)
    assert torch.equal(saved[0].weight, average) and torch.equal(saved[0].bias, before)
    assert not (config.out / "tracked").exists()


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"tracker": "nosuch"}, "--tracker: 'nosuch' is not installed here; usable are none, .*tensorboard"),
        pytest.param({"optimizer": "adamw8bit"}, "--optimizer: adamw8bit needs bitsandbytes", marks=WITHOUT_EXTRA),
    ],
)
def test_what_is_not_there_is_refused_before_a_folder_is_made(config: TrainConfig, changed: dict, says: str) -> None:
    with pytest.raises(BadOption, match=says):
        Run(replace(config, **changed), torch.nn.Linear(1, 1))
    assert not config.out.exists()
