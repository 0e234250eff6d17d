"""What simulators draw for a build is drawn beside it, while the model is at the batch before; bytes do not tell."""

import os
import tarfile
import threading
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from itertools import groupby

import numpy as np
import pytest

from gendeg.build.build import build
from gendeg.build.shard import asks_of, make_images, noise_of_rows
from gendeg.build.worker import DRAWS, drawers_of, load_model
from gendeg.drive.driver import Degraded, Driver
from gendeg.drive.physics import Physics
from gendeg.model import generate
from gendeg.model.bundled import make_change_scheduler
from gendeg.primitives.images import read_rgb
from gendeg.primitives.parallel import processes
from gendeg.shards.layout import Layout
from gendeg.shards.plan import PlanReader
from tests.builds import KINDS, model_folder, small_build, tree
from tests.tiny import tiny_pipeline


@pytest.fixture(scope="module")
def sketching(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("sketching")
    tiny_pipeline(structure=False).with_parts(
        scheduler=make_change_scheduler(), change_scale=dict.fromkeys(KINDS, 5.0), steps=2, guidance_text=1.0,
        guidance_image=1.0, sketch=1.0,
    ).save_pretrained(folder)  # fmt: skip
    return str(folder)


@pytest.mark.parametrize("physics", [False, True])
def test_each_sample_is_drawn_once_by_a_thread_and_its_bytes_are_as_without(tmp_path, sketching, monkeypatch, physics):
    config = small_build(tmp_path, model="physics" if physics else sketching, steps=None, per_image=2)
    driver, threads = load_model(config).driver, []
    source = Physics if physics else generate.Generator
    plain = source.draw

    def watched(*told):
        threads.append(threading.current_thread().name)
        return plain(*told)

    monkeypatch.setattr(source, "draw", staticmethod(watched))
    assert build(config) is not None
    shards = list(PlanReader(Layout(config.out).plan))
    assert len(threads) == sum(map(len, shards)) == 10 and all(name.startswith("encode") for name in threads)
    assert build(replace(config, out=tmp_path / "other", workers=1)) is not None
    assert tree(config.out) == tree(tmp_path / "other")
    threads.clear()
    for some in [list(batch) for shard in shards for _, batch in groupby(shard, key=lambda row: row.batch)][::2]:
        photos = [read_rgb(tmp_path / "photos" / row.clean_path.decode()) for row in some]
        for row, made in zip(some, make_images(driver, some, photos, 0), strict=True):
            assert isinstance(made, Degraded)
            assert np.array_equal(made.image, stored(config.out, row.key))
    assert threads and not any(name.startswith("encode") for name in threads), "drawn on the spot"


def test_the_next_batch_is_drawn_while_the_model_is_at_this_one(tmp_path, sketching, monkeypatch):
    config = small_build(tmp_path, model=sketching, steps=None, workers=1, per_image=2)
    drawn, seen, plain, run = [], [], generate.Generator.draw, generate.Generator.degrade
    more = threading.Condition()

    def drawing(photo, ask, seed):
        with more:
            drawn.append(ask)
            more.notify_all()
        return plain(photo, ask, seed)

    def degrading(self, clean, asks, noise, sketches):
        seen.extend(asks)
        if len(seen) == len(asks):  # the first batch
            with more:
                assert more.wait_for(lambda: len(drawn) > len(asks), 30), "nobody draws meanwhile"
        return run(self, clean, asks, noise, sketches)

    monkeypatch.setattr(generate.Generator, "draw", staticmethod(drawing))
    monkeypatch.setattr(generate.Generator, "degrade", degrading)
    built = build(config)
    assert built is not None and built.totals.written == 10


def test_another_attempt_has_draws_of_its_own(tmp_path, sketching, monkeypatch):
    config = small_build(tmp_path, model=sketching, steps=None, per_image=2, attempts=2, tolerance=0.0)
    plain, seeds = generate.Generator.draw, []

    def watched(photo, ask, seed):
        seeds.append((threading.current_thread().name[:6], seed))
        return plain(photo, ask, seed)

    monkeypatch.setattr(generate.Generator, "draw", staticmethod(watched))
    built = build(config)
    assert built is not None and built.totals.failed == 10
    rows = [row for shard in PlanReader(Layout(config.out).plan) for row in shard]
    wanted = [noise.initial_seed() for attempt in (0, 1) for noise in noise_of_rows(rows, attempt)]
    assert sorted(seeds) == sorted(("encode", seed) for seed in wanted) and len(set(seeds)) == 20


def test_a_draw_that_fails_ends_the_build_with_its_reason(tmp_path, sketching, monkeypatch):
    def broken(photo, ask, seed):
        raise ValueError("no weather today")

    monkeypatch.setattr(generate.Generator, "draw", staticmethod(broken))
    with pytest.raises(ValueError, match="no weather today"):
        build(small_build(tmp_path, model=sketching, steps=None))


def test_many_are_drawn_by_processes_and_threads_go_on_where_one_is_killed(tmp_path, monkeypatch):
    config = small_build(tmp_path, model="physics", steps=None, per_image=8)
    driver = load_model(config).driver
    assert [drawers_of(driver, *told) for told in ((4, 2 * DRAWS - 1), (1, 999), (4, 999))] == [0, 0, 4]
    started: list[ProcessPoolExecutor] = []

    def opened(workers: int) -> ProcessPoolExecutor:
        started.append(processes(workers))
        return started[-1]

    monkeypatch.setattr("gendeg.build.worker.processes", opened)
    assert build(config) is not None and len(started) == 1
    assert build(replace(config, out=tmp_path / "alone", workers=1)) is not None and len(started) == 1
    assert tree(config.out) == tree(tmp_path / "alone")

    def killed(workers: int) -> ProcessPoolExecutor:
        pool = opened(workers)
        pool.submit(os._exit, 1)
        return pool

    monkeypatch.setattr("gendeg.build.worker.processes", killed)
    assert build(replace(config, out=tmp_path / "killed")) is not None and len(started) == 2
    assert tree(config.out) == tree(tmp_path / "killed")


def test_beside_a_network_on_the_cpu_threads_are_enough(tmp_path, sketching):
    driver = load_model(small_build(tmp_path, model=sketching, steps=None)).driver
    assert driver.maker.draws and not driver.draws_alone and drawers_of(driver, 4, 999) == 0


def test_who_needs_no_draw_has_none_and_parts_wait_for_each_other(tmp_path, sketching):
    photos, config = [np.zeros((32, 36, 3), np.uint8)], small_build(tmp_path, dry_run=True, types="haze,haze=0.5+rain")
    build(config)
    rows = [row for shard in PlanReader(Layout(config.out).plan) for row in shard]
    of_parts = next(row for row in rows if row.ask.parts)
    whole = next(row for row in rows if not row.ask.parts)

    def ahead(driver: Driver, *some) -> int:
        return len(driver.ahead(photos * len(some), asks_of(some), noise_of_rows(some, 0)))

    drawing = load_model(replace(config, model=sketching)).driver
    assert ahead(drawing, whole) == 1 and ahead(drawing, whole, of_parts) == 0
    assert ahead(load_model(replace(config, model=str(model_folder()))).driver, whole) == 0


def stored(out, key: str) -> np.ndarray:
    for tar in sorted(out.glob("*/*.tar")):
        with tarfile.open(tar) as members:
            if f"{key}.degraded.png" in members.getnames():
                return read_rgb(members.extractfile(f"{key}.degraded.png").read())  # type: ignore[union-attr]
    raise AssertionError(f"{key} is in no shard")
