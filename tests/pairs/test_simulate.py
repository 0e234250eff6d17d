"""gendeg pairs simulate: the same bytes at any worker count, honest manifests, bad photos counted."""

from dataclasses import replace

import numpy as np
import pytest

from gendeg.intensity.measure import measure_intensity
from gendeg.pairs.config import SimulateConfig
from gendeg.pairs.pair import read_manifest
from gendeg.pairs.simulate import plan_tasks, simulate
from gendeg.physics import degrade
from gendeg.primitives.errors import BadOption, FolderInUse, ForeignFolder, NoImages, OutputExists, UnknownDegradation
from gendeg.primitives.files import read_jsonl, sha256_of
from gendeg.primitives.images import u8_to_unit, unit_to_u8, write_image
from gendeg.primitives.kinds import SINGLES, Degradation, mix_name
from gendeg.primitives.lock import held
from gendeg.primitives.records import Failure
from gendeg.primitives.rng import for_sample
from tests.tiny import photo


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    (folder / "deep").mkdir(parents=True)
    for number, shape in enumerate([(40, 52), (33, 24), (16, 16)]):
        write_image(photo(*shape, seed=number), folder / f"p{number}.png", "png")
    write_image(photo(30, 30, seed=9), folder / "deep" / "p0.jpg", "jpg")
    return folder


@pytest.fixture
def config(photos, tmp_path) -> SimulateConfig:
    return SimulateConfig(
        clean=(photos,), out=tmp_path / "out", per_image=3, size=16, seed=4, workers=1, progress=False
    )


def files(folder) -> dict[str, str]:
    return {str(p.relative_to(folder)): sha256_of(p) for p in sorted(folder.rglob("*")) if p.is_file()}


def test_the_manifest_says_what_the_files_show(config):
    made = simulate(config)
    pairs = read_manifest(made.manifest)
    assert pairs == made.pairs and len(pairs) == 4 * 3 and not made.failures
    for pair in pairs:
        clean, degraded = pair.read()
        assert clean.shape == degraded.shape == (pair.height, pair.width, 3) == (16, 16, 3)
        assert (pair.mu, pair.sigma) == pytest.approx(measure_intensity(clean, degraded), abs=1e-6)
        assert pair.mu > 0 and pair.source == "simulated"
    assert len({pair.degraded for pair in pairs}) == len(pairs)


def test_two_at_once_do_not_mix_their_files(config):
    with held(config.out), pytest.raises(FolderInUse):
        simulate(config)
    assert not list(config.out.iterdir()), "nothing is left of a run that failed"
    assert simulate(config).pairs
    assert sorted(path.name for path in config.out.iterdir()) == ["clean", "degraded", "manifest.jsonl"]


def test_what_synth_made_is_not_written_into(config):
    (config.out / "degraded").mkdir(parents=True)
    (config.out / "degraded/a.haze.i050.s0.png").write_bytes(b"somebody's")
    (config.out / "degraded/records.jsonl").write_text('{"key": "a", "clean_path": "a.png", "seed": 0}\n')
    with pytest.raises(ForeignFolder):
        simulate(config)
    assert not (config.out / "clean").exists()


def test_degradations_take_turns(config):
    tasks = plan_tasks(replace(config, per_image=6))
    for task in tasks:
        assert sorted(mix for _, mix in task.variants) == sorted(SINGLES)
    names = [pair.degradation for pair in simulate(config).pairs]
    assert {name: names.count(name) for name in Degradation} == dict.fromkeys(Degradation, 2)


def test_a_pair_can_be_made_again_from_its_name(config, photos):
    """Nothing but seed, stem and number goes into a pair."""
    whole = replace(config, types="rain+haze", size=0, per_image=1, clean=(photos / "p1.png",))
    (pair,) = simulate(whole).pairs
    generator = for_sample(4, "p1/0", "simulate")
    clean = photo(33, 24, seed=1)
    expected = degrade(u8_to_unit(clean), (Degradation.RAIN, Degradation.HAZE), float(generator.uniform()), generator)
    assert (pair.degraded.image() == unit_to_u8(expected)).all()
    assert (pair.clean.image() == clean).all() and pair.degradation == "rain+haze"


def test_the_same_bytes_for_one_and_two_workers_and_again(config, tmp_path):
    runs = [replace(config, out=tmp_path / name, workers=workers) for name, workers in (("a", 1), ("b", 2), ("c", 1))]
    for run in runs:
        simulate(run)
    assert files(tmp_path / "a") == files(tmp_path / "b") == files(tmp_path / "c")
    assert len(files(tmp_path / "a")) == 1 + 2 * 12
    simulate(replace(config, out=tmp_path / "d", seed=5))
    assert files(tmp_path / "d") != files(tmp_path / "a")


def test_other_photos_do_not_change_a_pair(config, photos, tmp_path):
    whole = simulate(replace(config, types="haze")).pairs
    alone = simulate(replace(config, types="haze", clean=(photos / "p2.png",), out=tmp_path / "alone")).pairs
    assert [p.as_row() for p in whole if p.clean.path.startswith("clean/p2-")] == [p.as_row() for p in alone]


def test_a_bad_photo_is_a_failure_and_the_others_are_made(config, photos):
    (photos / "broken.jpg").write_text("not a picture")
    (photos / "empty.png").touch()
    made = simulate(config)
    assert len(made.pairs) == 4 * 3
    assert [(f.key, f.failed) for f in made.failures] == [("broken", "not_an_image"), ("empty", "empty")]
    rows = [Failure.from_row(row) for row in read_jsonl(config.out / "failures.jsonl")]
    assert rows == made.failures and rows[0].clean_path == str(photos / "broken.jpg")


def test_a_second_run_needs_overwrite_and_leaves_no_old_failures(config, photos):
    (photos / "broken.jpg").write_text("not a picture")
    simulate(config)
    before = files(config.out)
    with pytest.raises(OutputExists):
        simulate(config)
    assert files(config.out) == before
    (photos / "broken.jpg").unlink()
    simulate(replace(config, overwrite=True))
    assert not (config.out / "failures.jsonl").exists()


def test_a_second_run_takes_no_pair_for_a_photo(config, photos):
    inside = replace(config, out=photos / "pairs", overwrite=True)
    simulate(inside)
    write_image(photo(8, 8), inside.out / "sheet.png", "png")
    before = files(inside.out)
    simulate(inside)
    assert files(inside.out) == before


@pytest.mark.parametrize("kind", SINGLES, ids=mix_name)
def test_tiny_photos_whole_and_as_views(config, tmp_path, kind):
    folder = tmp_path / "tiny"
    folder.mkdir()
    for number, shape in enumerate([(1, 1), (7, 5)]):
        write_image(photo(*shape), folder / f"t{number}.png", "png")
    for size in (0, 16):
        run = replace(config, clean=(folder,), out=tmp_path / f"o{size}", types=mix_name(kind), size=size, per_image=1)
        shapes = [(pair.height, pair.width) for pair in simulate(run).pairs]
        assert shapes == ([(1, 1), (7, 5)] if size == 0 else [(16, 16)] * 2)


def test_some_photos_are_held_out_whole(config, photos):
    for number in range(40):
        write_image(photo(2, 2), photos / f"q{number}.png", "png")
    splits = [task.split for task in plan_tasks(replace(config, validation=0.3))]
    assert 4 <= splits.count("validation") <= 24 and set(splits) == {"train", "validation"}
    assert {task.split for task in plan_tasks(replace(config, validation=0.0))} == {"train"}
    assert {task.split for task in plan_tasks(replace(config, validation=1.0))} == {"validation"}


def test_bad_requests_write_nothing(config, tmp_path):
    with pytest.raises(UnknownDegradation):
        simulate(replace(config, types="fog"))
    (tmp_path / "void").mkdir()
    with pytest.raises(NoImages):
        simulate(replace(config, clean=(tmp_path / "void",)))
    assert not config.out.exists()


def test_a_narrow_part_of_the_ranges_is_a_narrow_range_of_mu(config):
    wide, narrow = (
        simulate(replace(config, out=config.out / name, types="haze", per_image=8, **given)).pairs
        for name, given in (("wide", {}), ("narrow", {"strengths": (0.5, 0.55), "width": 0.1}))
    )
    assert np.std([pair.mu for pair in narrow]) < 0.5 * np.std([pair.mu for pair in wide])


def test_the_second_family_says_so_and_makes_other_pictures(config):
    first = simulate(config).pairs
    second = simulate(replace(config, out=config.out / "other", family="strangers")).pairs
    assert {pair.source for pair in second} == {"strangers"}
    assert [p.clean.path for p in first] == [p.clean.path for p in second]
    assert all(a.mu != b.mu for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize(
    "odd", [{"strengths": (0.6, 0.4)}, {"width": 2.0}, {"family": "strangers", "types": "rain+haze"}]
)
def test_what_no_simulator_can_do_is_refused(config, odd):
    with pytest.raises(BadOption):
        simulate(replace(config, **odd))
    assert not config.out.exists()
