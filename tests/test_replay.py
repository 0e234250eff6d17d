"""The training leg's loop: what it keeps, what it draws, and that it trains; see benchmarks/replay.py."""

import queue
import time
from pathlib import Path

import pytest
import torch

from benchmarks import replay
from benchmarks.replay import TAKEN, Pool, Time, averaged, came, joined, levels_of
from gendeg.model.bundled import make_change_scheduler
from gendeg.primitives.images import write_image
from gendeg.training.batches import Batch
from gendeg.training.config import DiffusionConfig
from tests.tiny import photo, tiny_pipeline

KINDS = ("haze", "low_light", "motion_blur", "rain", "raindrop", "snow", "rain+haze", "snow+haze")


def batch(first: int, count: int) -> Batch:
    numbers = torch.arange(first, first + count)
    image = numbers[:, None, None, None].float().expand(count, 2, 4, 4)
    return Batch(
        clean=image, degraded=-image, keep_image=torch.ones(count, dtype=torch.bool), tokens=numbers[:, None],
        mu=numbers.double(), sigma=numbers.double(), direction=torch.zeros(count, 2), sizes=torch.ones(count),
        noise=image, timestep=numbers,
    )  # fmt: skip


def test_a_full_pool_forgets_the_oldest_and_keeps_rows_together() -> None:
    pool = Pool(5, torch.device("cpu"))
    pool.add(batch(0, 3))
    assert len(pool) == 3 and set(pool.draw(50)["mu"].tolist()) == {0.0, 1.0, 2.0}
    pool.add(batch(3, 4))
    drawn = pool.draw(200)
    assert len(pool) == 5 and pool.seen == 7 and set(drawn["mu"].tolist()) == {2.0, 3.0, 4.0, 5.0, 6.0}
    for name, sign in (("clean", 1), ("degraded", -1)):
        assert torch.equal(drawn[name][:, 0, 0, 0], sign * drawn["mu"])
    assert torch.equal(drawn["tokens"][:, 0], drawn["mu"].long())


def test_what_came_is_joined_by_size_and_nothing_is_left() -> None:
    ready: queue.Queue[tuple[bool, Batch]] = queue.Queue()
    assert came(ready, False) == [] and joined([]) == {}
    for number in range(TAKEN + 2):
        ready.put((number % 3 == 0, batch(10 * number, 2)))
    both = joined(came(ready, True))
    large, small = ([n for n in range(TAKEN) if (n % 3 == 0) == big] for big in (True, False))
    assert both[True].tokens[:, 0].tolist() == [10 * n + k for n in large for k in (0, 1)]
    assert both[False].clean[:, 0, 0, 0].tolist() == [10 * n + k for n in small for k in (0, 1)]
    assert len(came(ready, False)) == 2 and ready.empty()


def test_the_averaged_weights_are_there_for_a_while() -> None:
    weight = torch.nn.Parameter(torch.zeros(3))
    with averaged([weight], [torch.ones(3)]):
        assert torch.equal(weight, torch.ones(3))
    assert torch.equal(weight, torch.zeros(3))


def test_levels_are_log_normal() -> None:
    alphas = make_change_scheduler().alphas_cumprod
    config = DiffusionConfig(pairs=(), out=Path(), noise_mean=-0.3, noise_width=1.5)
    logs, levels = levels_of(4000, alphas, config)
    assert float(logs.mean()) == pytest.approx(-0.3, abs=0.01) and float(logs.std()) == pytest.approx(1.5, abs=0.02)
    known = ((1 - alphas) / alphas).sqrt().log()
    inside = (logs > known[0]) & (logs < known[-1])
    assert (known[levels[inside]] >= logs[inside] - 1e-4).all() and (known[levels[inside] - 1] < logs[inside]).all()


def test_it_trains_on_fresh_crops_until_the_time_is_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        write_image(photo(96, 120, number), tmp_path / f"{number}.png", "png")
    pipeline = tiny_pipeline(structure=False).with_parts(
        scheduler=make_change_scheduler(), change_scale=dict.fromkeys(KINDS, 5.0), guidance_text=1.0, guidance_image=1.0
    )
    config = DiffusionConfig(
        pairs=(), clean=(tmp_path,), out=tmp_path / "run", batch_size=4, repeats=1, size=32, workers=1, view=64,
        noise_mean=-0.3, noise_width=1.5,
    )  # fmt: skip
    monkeypatch.setattr(replay, "ROOM", 400)
    before = pipeline.unet.conv_in.weight.detach().clone()
    shown: list[int] = []
    end = time.time() + 25
    steps = replay.train(pipeline, config, Time(end, 0.0), lambda _, step: shown.append(step), first=16)
    assert steps > 1 and shown == list(range(1, steps + 1)) and abs(time.time() - end) < 20
    assert pipeline.unet.conv_in.weight.isfinite().all() and not torch.equal(pipeline.unet.conv_in.weight, before)


def test_it_does_not_wait_for_crops_for_ever(tmp_path: Path) -> None:
    write_image(photo(96, 120), tmp_path / "0.png", "png")
    pipeline = tiny_pipeline(structure=False).with_parts(
        scheduler=make_change_scheduler(), change_scale=dict.fromkeys(KINDS, 5.0)
    )
    config = DiffusionConfig(pairs=(), clean=(tmp_path,), out=tmp_path / "run", size=32, workers=1, view=64)
    with pytest.raises(TimeoutError, match="too few crops"):
        replay.train(pipeline, config, Time(time.time() - 1, 1.0), lambda *_: None)
