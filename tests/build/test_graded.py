"""A graded set: every photo at every level with one noise, whatever is refused, damaged, tried again or asked twice."""

from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gendeg.build.build import build
from gendeg.build.command import _again, _report
from gendeg.build.inputs import look_at_photos
from gendeg.build.page import dataset_page
from gendeg.build.plan import write_plan
from gendeg.build.repair import repair, retry
from gendeg.build.shard import make_images
from gendeg.build.verify import verify
from gendeg.build.worker import load_model
from gendeg.drive.driver import Degraded
from gendeg.intensity.ask import ask_intensity
from gendeg.pairs.listers import Asked
from gendeg.pairs.photos import find_photos
from gendeg.primitives.errors import BadOption, DifferentRun
from gendeg.primitives.kinds import parse_mix
from gendeg.report.config import ReportConfig
from gendeg.report.html import render_page
from gendeg.shards.description import read_description
from gendeg.shards.layout import Layout
from gendeg.shards.plan import PlannedSample, PlanReader
from gendeg.shards.reader import load_gends
from gendeg.shards.verify import Depth
from tests.builds import priors_folder, small_build, tree
from tests.tiny import photo

LEVELS = {"intensity": "0.2,0.5,0.875", "per_image": None}


def planned(out: Path) -> list[PlannedSample]:
    return [row for rows in PlanReader(Layout(out).plan) for row in rows]


def test_every_photo_at_every_level_of_every_type_on_one_side(tmp_path):
    config = small_build(tmp_path, **LEVELS, types="haze,rain", split="train=0.2,test=0.8", dry_run=True)
    build(config)
    rows = planned(config.out)
    assert len(rows) == len({row.key for row in rows}) == 5 * 2 * 3
    series = defaultdict(list)
    for row in rows:
        series[row.clean_path, row.degradation].append(row)
        told = ask_intensity(parse_mix(row.degradation), row.intensity, priors=str(priors_folder()))
        assert row.mu == pytest.approx(told.mu, abs=1e-6) and row.sigma == pytest.approx(told.sigma, abs=1e-6)
    assert len(series) == 10
    for (_, kind), those in series.items():
        assert [row.intensity for row in those] == [0.2, 0.5, 0.875]
        assert len({(row.split, row.noise, row.seed) for row in those}) == 1 and all(row.graded for row in those)
        endings = [row.key.removeprefix(row.noise) for row in those]
        assert endings == ["-i020", "-i050", "-i0875000"] and those[0].noise.endswith(kind)
    assert len({row.noise for row in rows}) == 10 and len({row.split for row in rows}) == 2
    settings = read_description(Layout(config.out)).settings
    assert (settings["per_image"], settings["attempts"], settings["intensity"]) == (None, 1, "0.2,0.5,0.875")


def test_the_levels_of_a_photo_have_one_direction(tmp_path):
    config = small_build(tmp_path, **LEVELS, types="rain", direction="-40..40", shard_size=4)
    seen = look_at_photos(config, find_photos(config.clean, Asked(hidden=True)))
    write_plan(config, seen.table, tmp_path / "plan.parquet")
    drawn = defaultdict(set)
    for row in (row for rows in PlanReader(tmp_path / "plan.parquet") for row in rows):
        drawn[row.noise].add(row.direction)
    assert all(len(those) == 1 for those in drawn.values())
    assert len(set.union(*drawn.values())) == len(drawn) == 5


def test_only_the_strength_differs(tmp_path):
    """Asked the same, samples of one series are the same image; those of a common set are not."""
    graded = small_build(tmp_path, **LEVELS, dry_run=True)
    common = small_build(tmp_path, intensity="0.5", out=tmp_path / "common", types="haze", dry_run=True)
    driver = load_model(graded).driver
    for config, equal in ((graded, True), (common, False)):
        build(config)
        first, second = [row for row in planned(config.out) if row.degradation == "haze"][:2]
        assert first.clean_path == second.clean_path
        second = replace(second, mu=first.mu, sigma=first.sigma, intensity=first.intensity)
        one, other = make_images(driver, [first, second], [photo(32, 36, seed=0)] * 2, 0)
        assert isinstance(one, Degraded) and isinstance(other, Degraded)
        assert np.array_equal(one.image, other.image) == equal


def test_refused_samples_keep_their_noise_and_are_said(tmp_path, capsys):
    config = small_build(tmp_path, **LEVELS, tolerance=0.08)
    built = build(config)
    assert built is not None
    stands = built.totals
    assert stands.written and stands.failed and stands.written + stands.failed == stands.planned == 30
    assert built.kept == stands.failed and _report(config.out, built) == 3
    assert_no_retry_is_advised(capsys)
    before = tree(config.out)
    again = retry(config.out, device="cpu", workers=2, progress=False)
    assert (again.shards, again.kept) == ([], stands.failed) and tree(config.out) == before
    assert _again(config.out, again) == 3
    assert_no_retry_is_advised(capsys)
    for tar in list(config.out.glob("haze/*.tar"))[:2]:
        tar.write_bytes(tar.read_bytes()[:1000])
    mended = repair(config.out, Depth(), device="cpu", workers=2, progress=False)
    assert mended.changed == [] and len(mended.shards) == 2 and tree(config.out) == before
    assert mended.kept == stands.failed


def assert_no_retry_is_advised(capsys):
    said = capsys.readouterr().err
    assert "gendeg retry" not in said and "--failed lists them" in said and "refused samples stay so" in said


def test_where_another_try_may_mend_it_is_advised(tmp_path, capsys):
    config = small_build(tmp_path, tolerance=0.0001, attempts=1)
    built = build(config)
    assert built is not None and built.totals.failed and built.kept == 0
    _report(config.out, built)
    said = capsys.readouterr().err
    assert f"gendeg retry {config.out} tries again" in said and "stay so" not in said


def test_a_photo_that_comes_back_joins_its_series(tmp_path):
    """It could not be read at first: a retry makes its levels with attempt 0, the noise that they would have had."""
    config = small_build(tmp_path, **LEVELS, types="haze")
    build(replace(config, dry_run=True))
    lost = tmp_path / "photos/p1.png"
    data = lost.read_bytes()
    lost.write_bytes(b"x" * len(data))
    built = build(config)
    assert built is not None and built.totals.reasons == {"changed": 3}
    lost.write_bytes(data)
    done = retry(config.out, device="cpu", workers=2, progress=False)
    assert done.totals.failed == done.kept == 0
    assert {row["attempt"] for row in load_gends(config.out).rows.select(["attempt"]).to_pylist()} == {0}
    assert list(verify(config.out, Depth())) == []


def test_the_same_levels_in_other_words_are_the_same_build(tmp_path):
    config = small_build(tmp_path, **LEVELS, types="haze")
    assert build(config).made == 15  # type: ignore[union-attr]
    same = replace(config, intensity="0.875, 0.5,.2,0.50", attempts=1)
    assert build(same).made == 0  # type: ignore[union-attr]
    with pytest.raises(DifferentRun, match="intensity"):
        build(replace(config, intensity="0.2,0.5"))


def test_card_and_page_tell_the_levels(tmp_path):
    config = small_build(tmp_path, **LEVELS)
    build(config)
    card = (config.out / "README.md").read_text()
    assert "## Graded" in card and "| degradation | 0.2 | 0.5 | 0.875 |" in card and "(5)" in card
    page = render_page(dataset_page(ReportConfig(path=config.out, out=tmp_path / "p.html", progress=False)))
    assert "3 levels of intensity" in page and "haze, 5 photos at each level" in page


@pytest.mark.parametrize(
    "given, option, words",
    [
        ({"intensity": "0.1,0.3,", "per_image": None}, "--intensity", "'' is none"),
        ({"intensity": "0.1,0.2-0.5", "per_image": None}, "--intensity", "'0.2-0.5' is none"),
        ({"intensity": "0.1,prior", "per_image": None}, "--intensity", "'prior' is none"),
        ({"intensity": "0.1,1.5", "per_image": None}, "--intensity", "must lie in"),
        ({"intensity": "0.3,0.30", "per_image": None}, "--intensity", "twice"),
        (LEVELS | {"per_image": 6}, "--per-image", "every photo gets each"),
        (LEVELS | {"samples": 6}, "--samples", "every photo gets each"),
        (LEVELS | {"attempts": 3}, "--attempts", "other noise"),
        ({"attempts": 0}, "--attempts", "at least 1"),
    ],
)
def test_what_cannot_be_asked_with_levels_is_said(tmp_path, given, option, words):
    with pytest.raises(BadOption, match=words) as error:
        build(small_build(tmp_path, **given))
    assert error.value.option == option and not (tmp_path / "out").exists()
