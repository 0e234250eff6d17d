"""Training a restorer: what it leaves behind, that it learns, that a stopped run comes to the same numbers."""

import csv
import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from accelerate.state import AcceleratorState

from gendeg.pairs.pair import open_pairs
from gendeg.primitives.errors import BadModel, BadOption, DifferentRun, MissingPath, NothingToResume, RunExists
from gendeg.restore.config import RestoreTrainConfig
from gendeg.restore.loading import load_restorer, save_restorer
from gendeg.restore.networks.content_prior import PriorRestorer
from gendeg.restore.networks.swin import SwinRestorer
from gendeg.restore.train import make_network, train_restorer
from tests.builds import exit_code, finished_build, fork
from tests.few_pairs import write_pairs
from tests.restorers import small_prior, small_restorer


@pytest.fixture
def config(tmp_path: Path) -> RestoreTrainConfig:
    return RestoreTrainConfig(
        pairs=(write_pairs(tmp_path / "pairs"),), out=tmp_path / "run", steps=6, batch_size=2, size=16, cpu=True,
        tracker="none", workers=1, checkpoint_every=2, sheet_every=3, log_every=1, warmup=2, held_out=4,
    )  # fmt: skip


def _weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_restorer(folder).state_dict()


def _rows(path: Path) -> list[dict[str, str]]:
    with open(path) as stream:
        return list(csv.DictReader(stream))


def test_a_run_leaves_a_restorer_its_log_its_sheets(config: RestoreTrainConfig) -> None:
    out = train_restorer(config, network=small_restorer())
    assert out == config.out / "model" and load_restorer(out)
    assert [row["step"] for row in _rows(config.out / "log.csv")] == [str(n) for n in range(1, 7)]
    psnr = _rows(config.out / "psnr.csv")
    assert [row["step"] for row in psnr] == ["3", "6"]
    assert list(psnr[0]) == ["step", "degraded", "restored", "haze", "low_light"]
    assert psnr[0]["degraded"] == psnr[1]["degraded"], "the same crops each time"
    assert sorted(path.name for path in config.out.glob("sheet-*.png")) == ["sheet-00000003.png", "sheet-00000006.png"]


def test_it_learns_all_degradations_at_once(config: RestoreTrainConfig) -> None:
    config = replace(config, steps=80, batch_size=4, learning_rate=5e-3, sheet_every=1000, checkpoint_every=1000)
    train_restorer(config, network=small_restorer())
    (last,) = _rows(config.out / "psnr.csv")
    assert float(last["restored"]) > float(last["degraded"]) + 2


@pytest.mark.parametrize("prior", [False, True])
def test_a_killed_run_that_goes_on_equals_one_that_was_not_stopped(config: RestoreTrainConfig, prior: bool) -> None:
    def begin() -> torch.nn.Module:
        return small_prior() if prior else small_restorer()

    whole = train_restorer(config, network=begin())
    stopped = replace(config, out=config.out.with_name("stopped"), steps=6)
    child = fork(lambda: train_restorer(replace(stopped, steps=6), network=_slow(begin())))
    until = time.monotonic() + 60
    while not (stopped.out / "checkpoint-00000004").exists() and time.monotonic() < until:
        time.sleep(0.02)
    os.kill(child, signal.SIGKILL)
    assert exit_code(child) == -signal.SIGKILL
    assert not (stopped.out / "model").exists()
    resumed = train_restorer(replace(stopped, resume=True), network=begin())
    first, second = _weights(whole), _weights(resumed)
    assert first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)
    for name in ("log.csv", "psnr.csv"):
        assert (config.out / name).read_text() == (stopped.out / name).read_text()
    sheets = [(folder / "sheet-00000006.png").read_bytes() for folder in (config.out, stopped.out)]
    assert sheets[0] == sheets[1]


def _slow(network: torch.nn.Module) -> torch.nn.Module:
    """The same, waiting in its last steps, so that there is time to kill it."""
    calls = iter(range(10**6))
    network.register_forward_pre_hook(lambda *_: time.sleep(60) if next(calls) >= 5 else None)
    return network


def test_a_run_on_a_dataset_and_a_manifest_together(config: RestoreTrainConfig) -> None:
    config = replace(config, pairs=(*config.pairs, finished_build() / "out"), steps=2, weights="rain=3")
    assert load_restorer(train_restorer(config, network=small_restorer()))


def test_examples_of_the_callers_own_take_the_place_of_the_data(config: RestoreTrainConfig) -> None:
    examples = open_pairs(config.pairs, "train")[:2]
    train_restorer(replace(config, pairs=(), steps=2), examples, small_restorer())
    assert (config.out / "model").is_dir() and (config.out / "sheet-00000002.png").exists()


def test_frozen_weights_stay_as_they_were(config: RestoreTrainConfig) -> None:
    before = {name: one.clone() for name, one in small_prior().autoencoder.state_dict().items()}
    trained = load_restorer(train_restorer(replace(config, steps=3), network=small_prior()))
    assert isinstance(trained, PriorRestorer)
    assert all(torch.equal(one, before[name]) for name, one in trained.autoencoder.state_dict().items())
    assert not torch.equal(trained.head[1].weight, small_prior().head[1].weight)


def test_bf16_trains_too(config: RestoreTrainConfig) -> None:
    AcceleratorState._reset_state()  # it keeps the precision of the tests before
    train_restorer(replace(config, precision="bf16", steps=2), network=small_restorer())
    AcceleratorState._reset_state()
    assert {one.dtype for one in _weights(config.out).values()} == {torch.float32}


def test_what_a_run_starts_from(config: RestoreTrainConfig, tmp_path: Path) -> None:
    assert isinstance(make_network(replace(config, model="swin")), SwinRestorer)
    prior = make_network(replace(config, content_prior="autoencoder", detail_path=False))
    assert isinstance(prior, PriorRestorer) and prior.detail is None
    save_restorer(small_restorer(), tmp_path / "saved")
    assert type(make_network(replace(config, init=str(tmp_path / "saved")))).__name__ == "NAFRestorer"
    with pytest.raises(BadOption, match="--init stays what it is"):
        make_network(replace(config, init=str(tmp_path / "saved"), content_prior="autoencoder"))
    with pytest.raises(BadModel, match="no such folder"):
        make_network(replace(config, content_prior="autoencoder", autoencoder=str(tmp_path / "none")))


def test_what_is_refused(config: RestoreTrainConfig, tmp_path: Path) -> None:
    with pytest.raises(MissingPath):
        train_restorer(replace(config, pairs=(tmp_path / "none.jsonl",)))
    with pytest.raises(BadOption, match="no pair has the degradation or source 'fog'"):
        train_restorer(replace(config, weights="fog=2"))
    with pytest.raises(NothingToResume):
        train_restorer(replace(config, resume=True), network=small_restorer())
    assert not config.out.exists(), "the folder is free for the corrected command"
    train_restorer(replace(config, steps=2), network=small_restorer())
    with pytest.raises(RunExists):
        train_restorer(replace(config, steps=2), network=small_restorer())
    with pytest.raises(DifferentRun, match="learning_rate"):
        train_restorer(replace(config, steps=2, resume=True, learning_rate=1.0), network=small_restorer())
