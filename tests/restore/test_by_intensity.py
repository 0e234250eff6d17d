"""Scores by intensity: crossings where arithmetic puts them, verdicts by intervals, a graded set from end to end."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gendeg.build.build import build
from gendeg.pairs.pair import open_pairs
from gendeg.restore.by_intensity import FEWEST, HARMS, HELPS, UNDECIDED, by_intensity, zero_crossings
from gendeg.restore.config import RestoreEvalConfig
from gendeg.restore.eval import _limited, report_restorer, tabulate_intensities
from gendeg.restore.loading import save_restorer
from gendeg.restore.networks.nafnet import NAFRestorer
from gendeg.restore.page import _numbers
from gendeg.restore.score import ScoreRow
from tests.builds import small_build, write_photos

LEVELS = (0.1, 0.3, 0.5, 0.7, 0.9)
NOT_MEASURED = dict.fromkeys(("e_r", "e_r_input", "e_b", "e_b_input"), math.nan)


def _row(photo: str, intensity: float, gain: float, lpips_gain: float = math.nan) -> ScoreRow:
    before = 30 - 10 * intensity
    lpips = (0.5 - lpips_gain, 0.5) if math.isfinite(lpips_gain) else (math.nan, math.nan)
    sides = (before + gain, before, 0.8, 0.8)
    return ScoreRow("rain", "a", "generated", photo, "d", *sides, **NOT_MEASURED, lpips=lpips[0], lpips_input=lpips[1],
                    intensity=intensity)  # fmt: skip


def test_the_gain_crosses_zero_where_a_straight_line_does() -> None:
    rows = [_row(f"p{n}", level, 8 * (level - 0.4) + (n - 4.5) / 10) for n in range(10) for level in LEVELS]
    psnr, ssim = by_intensity(rows, draws=200)
    assert (psnr.score, psnr.binned, [point.intensity for point in psnr.points]) == ("psnr", False, list(LEVELS))
    assert [point.verdict for point in psnr.points] == [HARMS, HARMS, HELPS, HELPS, HELPS]
    for point in psnr.points:
        assert point.photos == point.gain.n == 10
        assert point.before.value == pytest.approx(30 - 10 * point.intensity)
        assert point.gain.value == pytest.approx(point.after.value - point.before.value)
    (crossing,) = psnr.crossings
    assert crossing.up and crossing.at.value == pytest.approx(0.4)
    # the offsets of the ten photos have standard deviation .287 dB, their mean .091 dB, at 8 dB for each 1 of intensity
    assert crossing.at.high - crossing.at.low == pytest.approx(2 * 1.96 * 0.091 / 8, rel=0.3)
    assert psnr.says.endswith("on; on 10 photos")
    assert psnr.says.startswith("harms from 0.1 to 0.3; helps from 0.5 to 0.9; mean gain above zero from 0.40 [")
    assert {point.verdict for point in ssim.points} == {UNDECIDED} and ssim.crossings == []
    assert by_intensity(rows, draws=200)[0] == psnr


@pytest.mark.parametrize(
    "gain, crossings",
    [
        ((1, 2, 3), []),
        ((0, 0, 0), []),
        ((-1, 1, 3), [(0.3, True)]),
        ((3, 1, -1), [(0.7, False)]),
        ((-1, 1, -3), [(0.3, True), (0.6, False)]),
        ((-1, math.nan, 1), [(0.5, True)]),
        ((-1, 0, 1), [(0.5, True)]),
    ],
)
def test_crossings(gain, crossings) -> None:
    found = zero_crossings(np.array([0.1, 0.5, 0.9]), np.array(gain, float))
    assert [(pytest.approx(place), up) for place, up in found] == crossings


def test_less_lpips_is_better_and_harm_at_the_strong_end_is_said() -> None:
    rows = [_row(f"p{n}", level, 1.0 + n / 10, 0.3 - level / 2) for n in range(6) for level in (0.2, 0.5, 0.8)]
    found = {one.score: one for one in by_intensity(rows, draws=100)}
    assert found["psnr"].says == "helps from 0.2 to 0.8; on 6 photos"
    assert [point.verdict for point in found["lpips"].points] == [HELPS, HELPS, HARMS]
    (crossing,) = found["lpips"].crossings
    assert not crossing.up and crossing.at.value == pytest.approx(0.6)
    assert found["lpips"].says.endswith("mean gain above zero up to 0.60 [0.60, 0.60]; on 6 photos")


def test_a_crossing_that_some_draws_do_not_have_reaches_the_end_of_the_levels() -> None:
    """Half of the photos gain everywhere, the others lose everywhere but at the last level."""
    rows = [_row(f"p{n}", q, 1.0 if n % 2 else (-1.5 if q < 0.8 else 1.0)) for n in range(4) for q in (0.2, 0.5, 0.8)]
    (crossing,) = by_intensity(rows, draws=400)[0].crossings
    assert crossing.at.low == 0.2 and 0.5 < crossing.at.value < crossing.at.high < 0.8


def test_drawn_intensities_are_put_into_five_parts() -> None:
    draws = np.random.default_rng(0).uniform(size=40)
    curve = by_intensity([_row(f"p{n}", q, q - 0.5) for n, q in enumerate(draws)], draws=50)[0]
    assert curve.binned and len(curve.points) == 5 and sum(point.gain.n for point in curve.points) == 40
    for number, point in enumerate(curve.points):
        inside = draws[(draws >= number / 5) & (draws < (number + 1) / 5)]
        assert point.intensity == pytest.approx(inside.mean(), abs=1e-6)
        assert point.gain.value == pytest.approx(inside.mean() - 0.5)
    assert curve.crossings[0].at.value == pytest.approx(0.5)


def test_what_tells_nothing_of_other_photos_or_intensities() -> None:
    assert by_intensity([_row(f"p{n}", 0.5, 1.0) for n in range(5)]) == []
    assert by_intensity([_row(f"p{n}", math.nan, 1.0) for n in range(5)]) == []
    alone = by_intensity([_row("p", level, 1.0) for level in LEVELS], draws=10)[0]
    assert [point.intensity for point in alone.points] == list(LEVELS) and not alone.binned
    assert {point.verdict for point in alone.points} == {UNDECIDED}


@pytest.mark.parametrize("photos", [1, 2, 3, FEWEST - 1, FEWEST])
def test_few_photos_decide_nothing_however_much_they_agree(photos: int) -> None:
    rows = [_row(f"p{n}", level, (5 + n / 100) * (-1 if level < 0.4 else 1)) for n in range(photos) for level in LEVELS]
    psnr, _ = by_intensity(rows, draws=50)
    enough = photos == FEWEST
    assert {point.verdict for point in psnr.points} == ({HARMS, HELPS} if enough else {UNDECIDED})
    assert ("a verdict takes" in psnr.says) != enough and ("mean gain" in psnr.says) == enough
    assert f"on {photos} photo" in psnr.says
    (cell, _), *_ = [(line[-2], line[-1]) for line in _numbers("psnr", [psnr.as_row()]).rows]
    assert (cell.good is None) != enough


def test_six_is_the_least_number_that_agrees_by_chance_in_less_than_a_twentieth() -> None:
    assert 2 / 2**FEWEST < 0.05 < 2 / 2 ** (FEWEST - 1)


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three photos at three levels of haze and rain, for testing; beside them a pair that nobody ordered."""
    root = tmp_path_factory.mktemp("graded")
    write_photos(root / "photos", 3)
    write_photos(root / "old", 1)
    row = {"clean": "old/p0.png", "degraded": "old/p0.png", "degradation": "haze", "source": "found", "split": "test",
           "caption": "a photo", "mu": 0.0, "sigma": 0.0, "width": 36, "height": 32}  # fmt: skip
    (root / "old.jsonl").write_text(json.dumps(row) + "\n")
    config = small_build(root, intensity="0.2,0.5,0.8", per_image=None, split="test=1", include=(root / "old.jsonl",))
    build(config)
    return config.out


def test_a_graded_set_from_build_to_page(graded: Path, tmp_path: Path) -> None:
    network = NAFRestorer(4, (1,), 1, (1,)).eval()
    save_restorer(network, tmp_path / "model")
    config = RestoreEvalConfig(tmp_path / "model", (graded,), tmp_path / "out", draws=50, device="cpu", progress=False)
    results = report_restorer(config)
    curves = {(one["degradation"], one["score"]): one for one in results["by_intensity"]}
    assert set(curves) == {(kind, score) for kind in ("haze", "rain") for score in ("psnr", "ssim")}
    for one in curves.values():
        assert [(point["intensity"], point["photos"]) for point in one["points"]] == [(0.2, 3), (0.5, 3), (0.8, 3)]
        assert {point["verdict"] for point in one["points"]} == {UNDECIDED}, "the identity gains nothing"
    rows = [json.loads(line) for line in (config.out / "scores.jsonl").read_text().splitlines()]
    assert sorted({row.get("intensity", -1) for row in rows}) == [-1, 0.2, 0.5, 0.8]
    assert [row["source"] for row in rows if "intensity" not in row] == ["found"]
    page = (config.out / "page.html").read_text()
    assert 'id="by-intensity"' in page and page.count('<svg class="plot"') == 8 and "NAFRestorer" in page
    assert "undecided from 0.2 to 0.8" in tabulate_intensities(results["by_intensity"])


def test_a_limit_takes_whole_series(graded: Path) -> None:
    pairs = [one for one in open_pairs([graded], "test", seed=3) if math.isfinite(one.asked)]
    kept = _limited(pairs, 3)
    for kind in ("haze", "rain"):
        those = [one for one in kept if one.degradation == kind]
        assert len({one.photo for one in those}) == 1 and sorted(one.asked for one in those) == [0.2, 0.5, 0.8]
    assert _limited(pairs, 0) == pairs
    alone = [replace(one, asked=math.nan) for one in pairs]
    for kind in ("haze", "rain"):
        first = [one for one in alone if one.degradation == kind][:3]
        assert [one for one in _limited(alone, 3) if one.degradation == kind] == first
