"""What a build is said to take."""

import time
from dataclasses import replace

import pytest

from gendeg.build.build import plan
from gendeg.build.estimate import Forecast, estimate, relative_area
from gendeg.build.worker import load_model
from gendeg.model.bundled import make_change_scheduler
from gendeg.shards.layout import Layout
from gendeg.shards.plan import EXISTING, GENERATED, PlanReader
from tests.builds import KINDS, small_build
from tests.tiny import tiny_pipeline


def test_an_estimate_is_said_in_units_that_fit():
    assert Forecast(26_730, 0.1864).say(1_000_000) == "about 26.7 GB, about 51.8 hours on one process like this"
    assert Forecast(26_730, 0.1864).say(42) == "about 1.1 MB, about 8 seconds on one process like this"
    assert Forecast(26_730, None).say(42) == "about 1.1 MB"


def test_passes_are_counted_over_all_kinds(tmp_path, monkeypatch):
    """By a model whose passes take 20 ms each, and nothing else any time: haze has six, what begins with a draw two."""
    pipeline = tiny_pipeline(structure=False).with_parts(
        scheduler=make_change_scheduler(), change_scale=dict.fromkeys(KINDS, 5.0), steps=6, guidance_text=1.0,
        guidance_image=1.0, sketch=1.0, sketch_levels={"haze": 0.0},
    )  # fmt: skip
    pipeline.save_pretrained(tmp_path / "model")
    config = small_build(
        tmp_path, model=str(tmp_path / "model"), steps=None, types="haze,rain", per_image=4, shard_size=100
    )
    model = load_model(config)
    description, _ = plan(config)
    rows = [row for shard in PlanReader(Layout(config.out).plan) for row in shard if row.origin == GENERATED]
    passes = [model.driver.used(row.ask).passes for row in rows]
    assert set(passes) == {6, 2}

    def making(driver, samples, photos, attempt, drawn):
        time.sleep(0.02 * sum(driver.used(row.ask).passes for row in samples))
        return []

    monkeypatch.setattr("gendeg.build.estimate.make_images", making)
    monkeypatch.setattr(model.driver.network, "draw", lambda *told: None)
    found = estimate(replace(config, estimate=True), description, model).seconds
    assert found == pytest.approx(0.02 * sum(passes) / len(passes), rel=0.25)


def test_a_small_photo_stands_for_its_pixels_only(tmp_path):
    config = small_build(tmp_path)
    plan(config)
    row = PlanReader(Layout(config.out).plan).rows(0)[0]
    small, large = replace(row, width=100, height=50), replace(row, width=300, height=150)
    assert relative_area(small, [small, large]) == pytest.approx(5.0)
    assert relative_area(large, [small, large]) == pytest.approx(5 / 9)
    assert relative_area(small, [small, replace(large, origin=EXISTING)]) == 1.0
