"""Muon: what it makes of a matrix, which weights are matrices, and that a run goes on with it to the same bits."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from gendeg.training.config import TrainConfig
from gendeg.training.muon import RMS, Muon, alike, matrix_groups, orthogonal
from gendeg.training.run import Run


@pytest.mark.parametrize("shape", [(24, 40), (40, 24), (32, 32)])
def test_singular_values_come_near_one_and_directions_stay(shape):
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    (found,) = orthogonal(matrix[None])
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    values = torch.linalg.svdvals(found)
    assert 0.6 < float(values.min()) and float(values.max()) < 1.3
    inside = u.T @ found @ v.T
    assert float((inside - torch.diag(inside.diagonal())).abs().max()) < 0.01
    assert torch.equal(orthogonal(torch.zeros(1, *shape)), torch.zeros(1, *shape))


def test_matrices_of_one_shape_are_turned_together_and_each_as_if_alone(monkeypatch):
    shapes = [(32, 32), (24, 40, 1, 1), (40, 24), (32, 32), (24, 40), (32, 32), (7,)]
    draw = torch.Generator().manual_seed(0)
    start, gradients = ([torch.randn(shape, generator=draw) for shape in shapes] for _ in range(2))

    def moved(together: bool, most: int) -> list[torch.Tensor]:
        monkeypatch.setattr("gendeg.training.muon.TOGETHER", most)
        weights = [nn.Parameter(one.clone()) for one in start]
        each = [{"params": [w for w in weights if (w.ndim > 1) == flat], "matrices": flat} for flat in (True, False)]
        if not together:
            each = [{**group, "params": [weight]} for group in each for weight in group["params"]]
        optimizer = Muon(each, lr=0.1)
        for _ in range(2):
            for weight, gradient in zip(weights, gradients, strict=True):
                weight.grad = gradient
            optimizer.step()
        return [weight.detach() for weight in weights]

    alone = moved(False, 2**25)
    for most in (2**25, 2 * 32 * 32, 1):
        for one, other in zip(alone, moved(True, most), strict=True):
            assert torch.allclose(one, other, atol=1e-5)
    monkeypatch.setattr("gendeg.training.muon.TOGETHER", 2 * 32 * 32)
    assert list(alike([torch.zeros(shape) for shape in shapes[:-1]])) == [[0, 3], [5], [1, 4], [2]]


def test_a_step_is_as_large_as_one_of_adam_whatever_the_shape():
    for shape in ((16, 64, 3, 3), (128, 16), (48, 96)):
        weight = nn.Parameter(torch.zeros(shape))
        weight.grad = torch.randn(shape, generator=torch.Generator().manual_seed(1)) * 1e-3
        Muon([{"params": [weight], "matrices": True}], lr=0.01, weight_decay=0).step()
        assert 0.65 < float(weight.detach().square().mean().sqrt()) / (0.01 * RMS) < 1.15


def test_biases_norms_embeddings_and_ends_of_few_channels_are_adams():
    module = nn.Sequential(nn.Embedding(50, 32), nn.Linear(32, 64), nn.Conv2d(64, 32, 3), nn.GroupNorm(4, 32),
                           nn.Conv2d(32, 3, 3), nn.Conv2d(1, 32, 3))  # fmt: skip
    fast = [module[1].weight, module[1].bias]
    rest = [p for p in module.parameters() if all(p is not one for one in fast)]
    groups = matrix_groups([{"params": rest}, {"params": fast, "lr": 2.0}], module)
    assert [(g["matrices"], len(g["params"]), g.get("lr")) for g in groups] == [
        (True, 1, None), (False, 8, None), (True, 1, 2.0), (False, 1, 2.0)
    ]  # fmt: skip
    assert groups[0]["params"][0] is module[2].weight and groups[2]["params"][0] is module[1].weight


def test_what_is_no_matrix_moves_as_with_adamw():
    torch.manual_seed(0)
    mine, theirs = (nn.Parameter(torch.ones(5)) for _ in range(2))
    one = Muon([{"params": [mine]}], lr=0.1, weight_decay=0.01)
    other = torch.optim.AdamW([theirs], 0.1, betas=(0.9, 0.99), weight_decay=0.01)
    for _ in range(4):
        mine.grad = torch.randn(5)
        theirs.grad = mine.grad.clone()
        one.step()
        other.step()
    assert torch.allclose(mine, theirs, atol=1e-6)


def train(config: TrainConfig) -> tuple[torch.Tensor, list[float]]:
    """A layer learns to be the identity from inputs that are thirty times stronger in one direction than in another."""
    torch.manual_seed(0)
    turned = torch.linalg.qr(torch.randn(32, 32))[0] * torch.logspace(0, -1.5, 32)[:, None]
    module = nn.Linear(32, 32, bias=False)
    run, losses = Run(config, module), []
    for number in run.steps("identity", lambda step: {}):
        x = torch.randn(64, 32, generator=torch.Generator().manual_seed(number)) @ turned
        with run.accumulate():
            loss = (run.model(x) - x).square().mean()
            run.descend(loss)
        losses.append(float(loss.detach()))
    return module.weight.detach().clone(), losses


def off(weight: torch.Tensor) -> float:
    return float((weight - torch.eye(32)).square().mean())


def test_a_run_learns_faster_and_goes_on_from_a_checkpoint_to_the_same_bits(tmp_path: Path) -> None:
    config = TrainConfig(
        pairs=(), out=tmp_path / "whole", steps=40, learning_rate=0.05, warmup=4, precision="no", tracker="none",
        optimizer="muon", checkpoint_every=20, cpu=True,
    )  # fmt: skip
    weight, losses = train(config)
    plain = min(
        off(train(replace(config, out=tmp_path / f"{rate}", optimizer="adamw", learning_rate=rate))[0])
        for rate in (0.01, 0.05)
    )
    assert off(weight) < 0.3 * plain
    half = replace(config, out=tmp_path / "half")
    train(half)
    for name in ("checkpoint-00000040", "log.csv"):
        (half.out / name).rename(tmp_path / name)
    again, rest = train(replace(half, resume=True))
    assert rest == losses[20:] and torch.equal(again, weight)
