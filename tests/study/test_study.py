"""gendeg restore study: equal budgets, resumed to the same numbers, other recipes refused, known differences found."""

import json
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gendeg.intensity.measure import measure_intensity
from gendeg.pairs.pair import open_pairs, read_manifest
from gendeg.primitives.errors import BadManifest, BadOption, DifferentRun, NoPairs, NotEnoughPhotos, RunsFailed
from gendeg.primitives.files import read_json_object, read_jsonl, sha256_of
from gendeg.primitives.images import resize_short_side
from gendeg.shards.reader import load_gends
from gendeg.study.config import StudyConfig
from gendeg.study.data import find_study_photos
from gendeg.study.noise import with_noise
from gendeg.study.plan import plan_runs
from gendeg.study.real import find_real, missing_sources, real_digest, write_real
from gendeg.study.recipe import read_study
from gendeg.study.scores import by_degradation, difference, mean_over
from gendeg.study.study import study
from gendeg.study.work import RESULT, Study, make_run, run_all, training_config, training_examples
from gendeg.training.examples import crop_pair
from tests.builds import finished_build
from tests.studies import RECIPE, SHORT, finished_study, small_study

KEPT = ("results.json", "index.html", "plan.json")


@pytest.fixture
def copied(tmp_path: Path) -> StudyConfig:
    """A finished study that may be damaged."""
    shutil.copytree(finished_study(), tmp_path / "study")
    return small_study(tmp_path / "study")


def numbers(out: Path) -> dict[str, str]:
    """Hashes of all that is promised to stay the same."""
    return {
        str(p.relative_to(out)): sha256_of(p)
        for p in sorted(out.rglob("*"))
        if p.name in (*KEPT, "scores.jsonl", RESULT, "manifest.jsonl")
    }


def results_of(config: StudyConfig) -> list[dict]:
    return [read_json_object(path) for path in sorted((config.out / "runs").glob(f"*/{RESULT}"))]


def test_every_arm_makes_the_same_steps_and_sees_as_many_examples():
    told = results_of(small_study(finished_study()))
    assert {one["name"] for one in told} == {"existing", "generated", "existing+generated", "existing+0.5generated"}
    assert {(one["steps"], one["batch"], one["seen"], one["tested"]) for one in told} == {(3, 2, 6, told[0]["tested"])}
    origins = {one["name"]: one["origins"] for one in told}
    existing, generated = origins["existing"]["existing"], origins["generated"]["generated"]
    assert origins["existing"] == {"existing": existing} and origins["generated"] == {"generated": generated}
    assert origins["existing+generated"] == {"existing": existing, "generated": generated}
    assert origins["existing+0.5generated"] == {"existing": existing, "generated": generated // 2}


def test_no_photo_is_both_trained_on_and_tested_on_and_the_halves_are_apart(tmp_path):
    config = small_study(tmp_path)
    photos = find_study_photos(read_study(config).data)
    groups = [set(photos.existing), set(photos.generated), set(photos.test)]
    assert sum(map(len, groups)) == len(set.union(*groups)) == 6 and all(groups)


def test_an_unseen_source_is_only_tested_on_and_sources_are_told_apart():
    config = small_study(finished_study())
    results = read_json_object(config.out / "results.json")
    assert results["roles"] == {
        "haze/known": "within", "haze/simulated": "within", "rain/simulated": "within",
        "haze/stranger": "ood", "haze/strangers": "ood", "rain/strangers": "ood",
    }  # fmt: skip
    assert all("haze/stranger" not in one["trained"] for one in results_of(config))
    real = open_pairs([config.out / "data" / "real"], "test")
    assert {one.source for one in real} == {"known", "stranger"}


def only_training(root: Path) -> Path:
    """A table of one pair of the unseen source."""
    table = small_study(finished_study()).pairs[0]
    lines = table.read_text().splitlines()
    (root / "pairs.csv").write_text("\n".join([lines[0], *(one for one in lines if "stranger" in one)]))
    for name in ("c2.png", "d2.png"):
        shutil.copyfile(table.parent / name, root / name)
    return root / "pairs.csv"


def test_of_an_unseen_source_only_its_test_pairs_where_the_recipe_says_so(tmp_path):
    data = replace(read_study(small_study(finished_study())).data, unseen_whole=False)
    assert {(one.source, one.split) for one in find_real(data)} == {("known", "train"), ("known", "test")}
    assert missing_sources(data) == ["stranger"]  # its one pair is for training
    with pytest.raises(NoPairs, match="none of them of split test"):
        find_real(replace(data, pairs=(str(only_training(tmp_path)),)))
    known = replace(data, unseen_sources=("known",))
    assert [(one.source, one.split) for one in find_real(known)] == [("known", "test"), ("stranger", "train")]


def test_unseen_sources_without_a_pair_are_named():
    data = read_study(small_study(finished_study())).data
    assert missing_sources(data) == []
    assert missing_sources(replace(data, unseen_sources=("stranger", "strangre"))) == ["strangre"]
    assert missing_sources(replace(data, pairs=())) == ["stranger"]


def test_pairs_of_a_dataset_are_real_pairs_too(tmp_path, capsys):
    dataset = finished_build() / "out"
    data = replace(read_study(small_study(tmp_path)).data, pairs=(str(dataset),), real_size=24)
    found = find_real(data)
    assert {one.split for one in found} == {"train"} and {one.degradation for one in found} == {"haze", "rain"}
    write_real(data, tmp_path / "set")
    pairs = read_manifest(tmp_path / "set" / "manifest.jsonl")
    stored = load_gends(dataset, split=None)
    assert len(pairs) == len(stored) and f"{len(stored)} of the {len(stored)} pairs" in capsys.readouterr().err
    for pair, number in zip(pairs, range(len(stored)), strict=True):
        expected = [resize_short_side(image, 24) for image in stored.read(number)]
        halves = pair.read()
        assert all(np.array_equal(a, b) for a, b in zip(halves, expected, strict=True))
        assert measure_intensity(*halves).mu == pytest.approx(pair.mu, abs=1e-6)
    assert real_digest(data) == real_digest(data) != real_digest(replace(data, pairs=()))


def test_an_empty_word_of_the_command_line_goes_over_the_recipe(tmp_path):
    recipe = RECIPE.replace("[data]", '[data]\ntest_clean = "elsewhere"').replace(
        "[transfer]", '[transfer]\nreal = "r"'
    )
    told = read_study(small_study(tmp_path, recipe))
    assert (told.data.test_clean, told.transfer.real) == ("elsewhere", "r")
    told = read_study(small_study(tmp_path, recipe, test_clean="", real=""))
    assert (told.data.test_clean, told.transfer.real) == ("", "")


def test_the_same_command_again_makes_nothing_and_changes_nothing(copied):
    before = numbers(copied.out)
    times = (copied.out / "times.jsonl").read_text()
    assert study(copied).made == 0
    assert numbers(copied.out) == before and (copied.out / "times.jsonl").read_text() == times


def test_a_run_that_was_lost_is_made_again_with_the_same_numbers(copied):
    before = numbers(copied.out)
    lost = [copied.out / "runs" / name for name in ("existing-s0", "generated-s1")]
    shutil.rmtree(lost[0])
    (lost[1] / RESULT).unlink()  # trained, but not measured
    assert study(copied).made == 2
    assert numbers(copied.out) == before


def test_a_training_that_was_stopped_goes_on_to_the_same_numbers(copied, monkeypatch):
    """Stopped after its first checkpoint, as by a kill: nothing of a result is there."""
    recipe = read_study(copied)
    whole, run = Study(copied, recipe), plan_runs(recipe)[0]
    before = sha256_of(whole.folder(run) / "scores.jsonl")
    shutil.rmtree(whole.folder(run))
    with monkeypatch.context() as patch:
        patch.setattr("gendeg.training.run.Checkpoints.save", stop_after(1))
        with pytest.raises(KeyboardInterrupt):
            make_run(whole, run)
    assert training_config(whole, run).resume and not (whole.folder(run) / RESULT).exists()
    make_run(whole, run)
    assert sha256_of(whole.folder(run) / "scores.jsonl") == before
    assert not list((whole.folder(run) / "train").glob("checkpoint-*"))


def stop_after(count: int):
    from gendeg.training.state import Checkpoints

    save = Checkpoints.save

    def stopping(self, step):
        save(self, step)
        if step >= count:
            raise KeyboardInterrupt

    return stopping


def test_a_changed_recipe_is_refused_by_name_and_other_settings_are_not(copied):
    with pytest.raises(DifferentRun, match=r"train\.steps"):
        study(small_study(copied.recipe.parent, SHORT.replace("steps = 3", "steps = 4")))
    small_study(copied.recipe.parent)  # the old recipe again
    (copied.recipe.parent / "photos" / "p0.png").unlink()
    with pytest.raises(DifferentRun, match=r"inputs \(photos\)"):
        study(copied)


@pytest.mark.parametrize(
    ("recipe", "error", "words"),
    [
        ("[data]\nsise = 3\n", BadManifest, "no setting sise"),
        ("[daata]\n", BadManifest, "unknown table daata"),
        ("[train]\nseed = 3\n", BadManifest, "no setting seed"),
        ("[train]\nsteps = 0\n", BadManifest, r"\[train\] steps must be 1 or more, got 0"),
        ("[arms]\nshares = ['all']\n", BadManifest, r"\[arms\] shares must be a number, not 'all'"),
        (
            "[mixtures]\nmixtures = ['rian=2']\n",
            BadManifest,
            r"\[mixtures\] unknown degradation 'rian'; did you mean rain",
        ),
        ("[mixtures]\nmixtures = ['rain=2', 'rain=2.0']\n", BadManifest, "a mixture twice"),
        (
            "[mixtures]\nmixtures = ['snow=2']\n[data]\ntypes = 'rain'\n",
            BadManifest,
            "has snow, which .data. types has not",
        ),
        ("[mixtures]\nmixtures = ['existing=0,rain=0']\n[data]\ntypes = 'rain'\n", BadManifest, "nothing to train on"),
        ("[mixtures]\nmixtures = ['existing=0,generated=0']\n", BadManifest, "nothing to train on"),
        ("[mixtures]\nseeds = [7]\nmixtures = ['rain=2']\n", BadManifest, "those of .arms., 7 is not"),
        ("steps = \n", BadManifest, "not TOML"),
    ],
)
def test_a_wrong_recipe_is_told_before_anything_is_made(tmp_path, recipe, error, words):
    config = small_study(tmp_path)
    config.recipe.write_text(recipe)
    with pytest.raises(error, match=words):
        study(config)
    assert not config.out.exists()


def test_missing_photos_are_told(tmp_path):
    config = small_study(tmp_path)
    with pytest.raises(BadOption, match="--clean"):
        study(replace(config, clean=""))
    for path in sorted((tmp_path / "photos").iterdir())[1:]:
        path.unlink()
    with pytest.raises(NotEnoughPhotos, match="0 photos to train on and 1 to test on"):
        study(config)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.slow
def test_a_killed_worker_is_told_and_the_same_command_goes_on(copied):
    before = numbers(copied.out)
    with pytest.raises(RunsFailed, match="first"):
        run_all(replace(copied, workers=2), [("first", die), ("second", die)])
    (copied.out / "runs" / "existing-s0" / RESULT).unlink()
    (copied.out / "runs" / "existing-s1" / RESULT).unlink()
    assert study(replace(copied, workers=2)).made == 2
    assert numbers(copied.out) == before


@pytest.mark.slow
def test_everything_of_a_study_once(tmp_path):
    made = study(small_study(tmp_path, RECIPE, real=str(real_photos(tmp_path))))
    results = json.loads((made.page.parent / "results.json").read_text())
    assert [row["backgrounds"] for row in results["complexity"]["backgrounds"]] == [1, 2]
    assert {row["network"] for row in results["content_prior"]} == {"plain", "prior", "prior+detail"}
    assert "test" in results["transfer"]
    check_mixtures(made.page.parent, results)
    page = made.page.read_text()
    for name in (
        "claim",
        "arms",
        "scaling",
        "mix",
        "mixtures",
        "tsne",
        "complexity",
        "content-prior",
        "transfer",
        "data",
    ):
        assert f'<section id="{name}"' in page
    assert "Existing + generated minus existing" in page and "Generated alone minus existing" in page


def check_mixtures(out: Path, results: dict) -> None:
    """Trained on what they say; gains are over the arm of the same seed."""
    rows = {row["mixture"]: row for row in results["mixtures"]}
    names = ["existing", "generated", "existing+generated", "existing=0.5,rain=0", "strength=0.5:1"]
    assert list(rows) == names
    both, dry, strong = (rows[name] for name in names[2:])
    assert dry["origins"]["existing"] == (both["origins"]["existing"] + 1) // 2
    assert strong["origins"]["existing"] == both["origins"]["existing"]
    assert 0 < strong["origins"]["generated"] < both["origins"]["generated"]
    scores = {
        name: {row["degraded"]: row["psnr"] for row in read_jsonl(out / "runs" / f"{name}-s1" / "scores.jsonl")
               if row["source"] == "strangers" and row["degradation"] == "rain"}
        for name in ("existing", "mixture-strength=0.5-1")
    }  # fmt: skip
    gained = np.mean([scores["mixture-strength=0.5-1"][key] - psnr for key, psnr in scores["existing"].items()])
    assert strong["ood gain"]["rain"]["value"] == pytest.approx(gained)
    assert all(row["ood over both"]["all"]["seeds"] == 1 for row in rows.values())


def real_photos(root: Path) -> Path:
    """Real rainy photos, without clean halves."""
    from gendeg.primitives.images import write_image
    from tests.tiny import photo

    (root / "rainy" / "rain").mkdir(parents=True)
    for number in range(4):
        write_image(photo(40, 40, seed=40 + number), root / "rainy" / "rain" / f"r{number}.png", "png")
    return root / "rainy"


# --- numbers with a known answer ---


def test_a_constant_gain_is_found_exactly_and_its_interval_is_a_point():
    whole = Study(small_study(finished_study()), read_study(small_study(finished_study())))
    rows = np.random.default_rng(0).normal(20, 3, (3, 7))
    gained = difference({("rain", "a"): rows + 0.5, ("snow", "b"): rows}, {("rain", "a"): rows, ("snow", "b"): rows})
    told = by_degradation(whole, gained, "test")
    assert [told["rain"][key] for key in ("value", "low", "high", "n", "seeds")] == [0.5, 0.5, 0.5, 7, 3]
    assert told["snow"]["low"] == told["snow"]["high"] == 0 and told["all"]["value"] == 0.25


def test_sources_count_alike_whatever_their_size():
    whole = Study(small_study(finished_study()), read_study(small_study(finished_study())))
    blocks = {("rain", "large"): np.full((2, 50), 1.0), ("rain", "small"): np.full((2, 2), 4.0)}
    told = mean_over(whole, blocks, "test")
    assert told is not None and told["value"] == 2.5 and told["n"] == 52 and told["sources"] == 2


def test_smaller_shares_lie_within_larger_ones_and_seeds_draw_others():
    config = small_study(finished_study())
    recipe = read_study(config)
    whole, runs = Study(config, recipe), {run.folder: run for run in plan_runs(recipe)}
    drawn = {name: {one.degraded.place for one in training_examples(whole, runs[name])} for name in runs}
    for seed in (0, 1):
        assert drawn[f"existing-s{seed}"] < drawn[f"existing+0.5generated-s{seed}"]
        assert drawn[f"existing+0.5generated-s{seed}"] < drawn[f"existing+generated-s{seed}"]


def test_noise_is_of_the_asked_size_and_always_the_same():
    (inner, *_) = open_pairs([finished_study() / "out" / "data" / "within"], "train")
    (noisy,) = with_noise([inner], "gaussian=0.1", 3)
    clean, first = noisy.read()
    assert (first == noisy.read()[1]).all() and (clean == inner.read()[0]).all()
    assert np.std((first.astype(float) - clean)[(clean > 80) & (clean < 175)]) == pytest.approx(25.5, rel=0.1)
    assert noisy.degradation == "noise" and noisy.source == "gaussian=0.1"
    assert crop_pair(clean, first, 16, np.random.default_rng(0))[0].shape == (16, 16, 3)
    for wrong in ("gauss=0.1", "gaussian", "gaussian=2"):
        with pytest.raises(BadOption):
            with_noise([inner], wrong, 0)
