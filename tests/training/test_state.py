"""A run's state: learning rate, the folder's guard, checkpoints that come back bit by bit, a log that tells one run."""

import json
from dataclasses import replace

import pytest
import torch
from accelerate import Accelerator

from gendeg.primitives.errors import DifferentRun, NothingToResume, OutputExists, OutputNotWritable
from gendeg.training.config import TrainConfig
from gendeg.training.state import Checkpoints, LossLog, learning_rate_factor, make_ema, set_learning_rate, start


@pytest.fixture
def config(tmp_path) -> TrainConfig:
    return TrainConfig(
        pairs=(tmp_path / "m.jsonl",), out=tmp_path / "run", precision="no", cpu=True, keep_checkpoints=2
    )


def test_learning_rate_warms_up_and_falls():
    factors = [learning_rate_factor(step, warmup=4, steps=20) for step in range(21)]
    assert factors[:4] == pytest.approx([0.2, 0.4, 0.6, 0.8])
    assert factors[4] == 1 and factors[12] == pytest.approx(0.5) and factors[20] == pytest.approx(0)
    assert all(a > b for a, b in zip(factors[4:], factors[5:], strict=False))


def test_learning_rate_without_room_is_finite():
    assert learning_rate_factor(0, warmup=0, steps=10) == 1
    assert learning_rate_factor(5, warmup=5, steps=5) == 1
    assert learning_rate_factor(9, warmup=5, steps=5) == pytest.approx(0)


def test_a_constant_rate_stays_after_its_warm_up():
    factors = [learning_rate_factor(step, 4, 20, "constant") for step in range(20)]
    assert factors[:4] == pytest.approx([0.2, 0.4, 0.6, 0.8]) and set(factors[4:]) == {1.0}


def test_each_group_keeps_its_own_rate():
    first, second = (torch.nn.Parameter(torch.zeros(1)) for _ in range(2))
    optimizer = torch.optim.SGD([{"params": [first]}, {"params": [second], "lr": 1.0}], lr=0.1)
    for factor in (0.5, 0.25, 1.0):
        set_learning_rate(optimizer, factor)
        assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.1 * factor, factor])


def test_the_folder_remembers_its_run(config):
    start(config)
    written = json.loads((config.out / "config.json").read_text())
    assert written["steps"] == config.steps and written["pairs"] == [str(config.pairs[0])]
    with pytest.raises(OutputExists, match="--resume"):
        start(config)
    start(replace(config, resume=True, workers=7, log_every=3))


def test_other_settings_are_another_run(config):
    start(config)
    with pytest.raises(DifferentRun) as caught:
        start(replace(config, resume=True, steps=5, seed=9, workers=7))
    assert set(caught.value.fields) == {"steps", "seed"}


def test_nothing_to_resume(config):
    with pytest.raises(NothingToResume):
        start(replace(config, resume=True))
    assert not (config.out / "config.json").exists()


def test_a_folder_that_cannot_be_written(config):
    config.out.write_text("a file")
    with pytest.raises(OutputNotWritable):
        start(config)


def test_stopped_before_the_first_checkpoint_it_begins_again(config):
    start(config)
    again = replace(config, resume=True)
    assert Checkpoints(start(again), again).restore() == 0


class Run:
    """A tiny training: one linear layer, AdamW, EMA, all registered as the jobs do it."""

    def __init__(self, config: TrainConfig):
        torch.manual_seed(0)
        self.accelerator: Accelerator = start(config)
        layer = torch.nn.Linear(3, 2)
        optimizer = torch.optim.AdamW(layer.parameters(), 0.1)
        self.ema = make_ema(list(layer.parameters()), 0.9)
        self.layer, self.optimizer = self.accelerator.prepare(layer, optimizer)
        self.accelerator.register_for_checkpointing(self.ema)
        self.checkpoints = Checkpoints(self.accelerator, config)

    def train(self, first: int, last: int) -> None:
        for step in range(first, last):
            set_learning_rate(self.optimizer, learning_rate_factor(step, 2, 8))
            x = torch.randn(4, 3, generator=torch.Generator().manual_seed(step))
            self.accelerator.backward(self.layer(x).square().mean())
            self.optimizer.step()
            self.optimizer.zero_grad()
            self.ema.step(self.layer.parameters())

    def everything(self) -> list[torch.Tensor]:
        moments = [v for state in self.optimizer.state_dict()["state"].values() for v in state.values()]
        return [*self.layer.state_dict().values(), *self.ema.shadow_params, *moments]


def test_an_interrupted_run_ends_bit_by_bit_like_a_whole_one(config, tmp_path):
    whole = Run(config)
    whole.train(0, 8)
    config = replace(config, out=tmp_path / "other")
    first = Run(config)
    first.train(0, 5)
    first.checkpoints.save(5)
    first.train(5, 7)  # lost
    second = Run(replace(config, resume=True))
    assert second.checkpoints.restore() == 5
    second.train(5, 8)
    pairs = list(zip(whole.everything(), second.everything(), strict=True))
    assert len(pairs) == 2 + 2 + 6 and all(torch.equal(a, b) for a, b in pairs)
    assert second.ema.optimization_step == 8


def test_old_checkpoints_are_dropped_and_the_newest_is_restored(config):
    run = Run(config)
    for step in (2, 9, 10, 100):
        run.checkpoints.save(step)
    assert [path.name for path in run.checkpoints.found()] == ["checkpoint-00000010", "checkpoint-00000100"]
    assert Run(replace(config, resume=True)).checkpoints.restore() == 100


def test_a_half_written_checkpoint_does_not_count(config):
    run = Run(config)
    run.checkpoints.save(3)
    partial = config.out / ".checkpoint-00000004.partial"
    partial.mkdir()
    (partial / "rubbish").write_text("left by a killed run")
    again = Run(replace(config, resume=True))
    assert again.checkpoints.restore() == 3
    again.checkpoints.save(4)
    assert not (config.out / "checkpoint-00000004" / "rubbish").exists() and not partial.exists()


def test_saving_a_step_again_replaces_it(config):
    run = Run(config)
    run.checkpoints.save(3)
    run.train(0, 2)
    run.checkpoints.save(3)
    again = Run(replace(config, resume=True))
    again.checkpoints.restore()
    assert all(torch.equal(a, b) for a, b in zip(run.everything(), again.everything(), strict=True))


def test_without_resume_nothing_is_restored(config):
    run = Run(config)
    run.checkpoints.save(3)
    assert Checkpoints(run.accelerator, config).restore() == 0


def test_the_log_drops_what_the_resumed_run_makes_again(tmp_path):
    path = tmp_path / "log.csv"
    log = LossLog(path, 0, main=True)
    for step in (10, 20, 30):
        log.add(step=step, loss=1 / step, learning_rate=0.5)
    before = path.read_text()
    assert before.splitlines()[0] == "step,loss,learning_rate" and before.splitlines()[3] == f"30,{1 / 30!r},0.5", (
        "to the last digit"
    )
    resumed = LossLog(path, 20, main=True)
    assert path.read_text() == "".join(before.splitlines(keepends=True)[:3])
    resumed.add(step=30, loss=1 / 30, learning_rate=0.5)
    assert path.read_text() == before


def test_a_torn_last_row_is_dropped(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("step,loss\n10,0.5\n20,0.25\n3")
    LossLog(path, 20, main=True)
    assert path.read_text().splitlines() == ["step,loss", "10,0.5", "20,0.25"]


def test_a_new_run_starts_a_new_log(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("step,loss\n10,0.5\n")
    LossLog(path, 0, main=True).add(step=10, loss=0.1)
    assert path.read_text().splitlines() == ["step,loss", "10,0.1"]


def test_other_ranks_write_no_log(tmp_path):
    LossLog(tmp_path / "log.csv", 0, main=False).add(step=1, loss=1.0)
    assert not (tmp_path / "log.csv").exists()
