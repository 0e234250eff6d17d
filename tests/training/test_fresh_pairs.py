"""Pairs simulated on the way: the same by their numbers in any process, of all kinds; a run that learns from them."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import psutil
import pytest
import torch

from gendeg.intensity.measure import measure_intensity
from gendeg.model.weights import load_pipeline
from gendeg.pairs.pair import open_pairs
from gendeg.primitives.errors import BadOption, NoImages, NoPairs
from gendeg.primitives.images import write_image
from gendeg.training.batches import encoded, make_batch, simulated
from gendeg.training.config import DiffusionConfig
from gendeg.training.diffusion import train_diffusion
from gendeg.training.fresh_pairs import SHARED, FreshPairs, fresh_recipe, simulated_view, training_pairs
from tests.few_pairs import write_pairs
from tests.tiny import clean_image, generators, photo, tiny_pipeline


@pytest.fixture
def config(tmp_path):
    torch.set_num_threads(1)
    (tmp_path / "photos").mkdir()
    for number in range(3):
        write_image(photo(40, 56, seed=number), tmp_path / "photos" / f"{number}.png", "png")
    return DiffusionConfig(
        pairs=(write_pairs(tmp_path / "pairs", count=4),), clean=(tmp_path / "photos",), out=tmp_path / "run", size=16,
        view=32, batch_size=4, repeats=2, noise_mean=-0.4, noise_width=1.4, precision="no", workers=1, steps=2,
        log_every=1, sheet_every=2, sheet_photos=1, checkpoint_every=1, warmup=0, tracker="none", cpu=True,
    )  # fmt: skip


def recipe_of(config):
    return fresh_recipe(config, open_pairs(config.pairs, "train"))


def test_views_depend_on_their_number_only_and_are_measured(config):
    recipe = recipe_of(config)
    seen = [simulated_view(recipe, number, 16) for number in range(64)]
    for number in (40, 3):
        again = simulated_view(recipe, number, 16)
        assert np.array_equal(again.clean, seen[number].clean) and np.array_equal(again.degraded, seen[number].degraded)
    assert len({view.degraded.tobytes() for view in seen}) > 60, "no crop is seen twice"
    assert {view.degradation for view in seen} >= {"haze", "rain", "snow", "motion_blur", "low_light", "raindrop"}
    assert all(view.intensity == measure_intensity(view.clean, view.degraded) for view in seen)
    directed = {"rain", "snow", "motion_blur", "rain+haze", "snow+haze"}
    assert all((view.direction.cos == view.direction.cos) == (view.degradation in directed) for view in seen)
    pictures = [{view.degradation for view in seen[n : n + SHARED]} for n in range(0, 64, SHARED)]
    assert all(len(kinds) <= SHARED for kinds in pictures)


def test_pairs_take_their_share(config):
    only = recipe_of(replace(config, simulated=0.0))
    captions = {simulated_view(only, number, 16).degradation for number in range(40)}
    assert captions == {"haze", "low_light"}, "the pairs on disk have no others"


def test_weights_choose_what_is_simulated(config):
    recipe = recipe_of(replace(config, types="rain,snow", weights="rain=9,snow=1,plain=2", simulated=1.0))
    kinds = [simulated_view(recipe, SHARED * number, 16).degradation for number in range(60)]
    assert 45 < kinds.count("rain") < 60
    with pytest.raises(BadOption, match="fog"):
        recipe_of(replace(config, weights="fog=2"))


def test_a_folder_without_photos_is_refused(config, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(NoImages):
        recipe_of(replace(config, clean=(tmp_path / "empty",)))


def test_batches_are_small_or_large_and_repeat_their_crops(config):
    pipeline = tiny_pipeline().with_parts(change_scale=dict.fromkeys(
        ("haze", "rain", "snow", "motion_blur", "low_light", "raindrop", "rain+haze", "snow+haze"), 5.0
    ))  # fmt: skip
    pool = FreshPairs(recipe_of(config), 1)
    try:
        for share, count, side in ((0.0, 4, 16), (1.0, 1, 32)):
            views = simulated(pool, replace(config, large=share))
            batch = make_batch([8, 9, 10, 11], views, pipeline, replace(config, large=share))
            assert batch.clean.shape == (count, 3, side, side) and len(batch.noise) == len(batch.timestep) == 2 * count
            whole = encoded(batch, pipeline, cached=False, half=False)
            assert whole.degraded.shape == whole.noise.shape == (2 * count, 4, side // 2, side // 2)
            assert torch.equal(whole.degraded[0], whole.degraded[1]) and not torch.equal(whole.noise[0], whole.noise[1])
            assert len(whole.mu) == len(whole.tokens) == len(whole.direction) == 2 * count
    finally:
        pool.close()


def test_noise_levels_are_log_normal(config):
    from gendeg.training.batches import _timesteps

    alphas = tiny_pipeline().scheduler.alphas_cumprod
    spread = replace(config, batch_size=500, repeats=2, noise_mean=-0.5, noise_width=1.0)
    levels = ((1 - alphas) / alphas).sqrt().log()[_timesteps(list(range(1000)), spread, alphas)]
    assert float(levels.mean()) == pytest.approx(-0.5, abs=0.05) and float(levels.std()) == pytest.approx(1.0, abs=0.05)
    uniform = _timesteps(list(range(1000)), replace(spread, noise_width=0.0), alphas)
    assert float(uniform.float().mean()) == pytest.approx(len(alphas) / 2, rel=0.02)


@pytest.mark.slow
def test_a_new_model_learns_from_photos_alone_and_knows_its_sizes(config, tmp_path):
    tiny_pipeline().save_pretrained(tmp_path / "vae")
    validation = config.pairs  # its pairs of split train are not needed: the sheet takes those of split validation
    train_diffusion(replace(config, vae=str(tmp_path / "vae"), sizes="smoke", simulated=1.0, pairs=validation))
    trained = load_pipeline(str(config.out / "model"))
    told = json.loads((config.out / "statistics.json").read_text())
    assert set(trained.config.change_scale) >= {"haze", "rain", "snow", "motion_blur", "low_light", "raindrop"}
    assert trained.config.change_scale == told["change_scale"] and set(told["directions"]) >= {"rain", "motion_blur"}
    made = trained(clean_image(16, 24), ["a photo"], [0.1], [0.1], generators(0), degradations=["rain"], steps=2)
    assert made.isfinite().all()
    with pytest.raises(ValueError, match="needs the degradation"):
        trained(clean_image(16, 24), ["a photo"], [0.1], [0.1], generators(0), steps=2)


WORK = """
import sys, time
from pathlib import Path
from gendeg.training.config import DiffusionConfig
from gendeg.training.fresh_pairs import FreshPairs, fresh_recipe
if __name__ == "__main__":
    config = DiffusionConfig(pairs=(), clean=(Path(sys.argv[1]),), out=Path("."), size=16, view=32)
    pool = FreshPairs(fresh_recipe(config, []), 1)
    pool.views([0, 1], 16)
    print("ready", flush=True)
    time.sleep(60)
"""


@pytest.mark.slow
def test_workers_leave_with_a_parent_that_is_killed(config, tmp_path):
    (tmp_path / "work.py").write_text(WORK)
    parent = subprocess.Popen(
        [sys.executable, str(tmp_path / "work.py"), str(config.clean[0])], stdout=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert parent.stdout is not None and parent.stdout.readline().strip() == "ready"
    workers = psutil.Process(parent.pid).children(recursive=True)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    deadline = time.monotonic() + 20
    while any(w.is_running() and w.status() != psutil.STATUS_ZOMBIE for w in workers) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert workers and not [w for w in workers if w.is_running() and w.status() != psutil.STATUS_ZOMBIE]


def test_a_manifest_may_hold_pairs_for_the_sheets_only_where_photos_are_given(config, tmp_path):
    held = write_pairs(tmp_path / "held", count=0, held_out=2)
    assert training_pairs(replace(config, pairs=(held,))) == []
    assert len(training_pairs(replace(config, pairs=(*config.pairs, held)))) == 4
    with pytest.raises(NoPairs, match="split train"):
        training_pairs(replace(config, pairs=(held,), clean=()))


def test_what_simulates_starts_without_torch():
    """There are as many of these processes as cores, and each would take seconds and 150 MB more."""
    heavy = {"torch", "diffusers", "transformers"}
    code = f"import sys, gendeg.training.fresh_pairs; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
