"""Measuring a restorer: rows whose numbers are known, summaries, files, and pairs that cannot be used."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from gendeg.intensity.measure import measure_intensity
from gendeg.metrics.alignment import psnr
from gendeg.metrics.lpips import Lpips
from gendeg.pairs.pair import listed, open_pairs, write_manifest
from gendeg.primitives.errors import BadModel, MissingPath, NoPairs, OutputExists, SizesDiffer
from gendeg.primitives.images import U8Image, write_image
from gendeg.restore.config import RestoreEvalConfig
from gendeg.restore.eval import report_restorer, tabulate_scores
from gendeg.restore.loading import save_restorer
from gendeg.restore.networks.nafnet import NAFRestorer
from gendeg.restore.score import ScoreRow, evaluate_restorer, score, summarise
from tests.tiny import photo

SIZES = [(24, 40), (33, 17), (1, 1)]


def _identity() -> NAFRestorer:
    """Its last convolution is zero."""
    return NAFRestorer(4, (1,), 1, (1,)).eval()


def _rainy(clean: U8Image) -> U8Image:
    streaks = clean.copy()
    streaks[:, ::4] = np.clip(streaks[:, ::4].astype(int) + 60, 0, 255)
    return streaks


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """Rain of two sources, haze of one; odd sizes, one of a single pixel."""
    rows = []
    for number, size in enumerate(SIZES * 2):
        clean = photo(*size, seed=number)
        degraded = _rainy(clean) if number % 2 else (clean // 2 + 100).astype(np.uint8)
        kind, source = ("rain", f"s{number % 3}") if number % 2 else ("haze", "fog")
        write_image(clean, tmp_path / f"c{number}.png", "png")
        write_image(degraded, tmp_path / f"d{number}.png", "png")
        measured = measure_intensity(clean, degraded)
        pair = listed(
            tmp_path, f"c{number}.png", f"d{number}.png", kind, source, "test", "a photo", *_both(measured), *size[::-1]
        )
        rows.append(pair)
    write_manifest(tmp_path / "m.jsonl", rows)
    return tmp_path / "m.jsonl"


def _both(measured: object) -> tuple[float, float]:
    return measured.mu, measured.sigma  # type: ignore[attr-defined]


@pytest.fixture
def config(manifest: Path, tmp_path: Path) -> RestoreEvalConfig:
    save_restorer(_identity(), tmp_path / "model")
    return RestoreEvalConfig(tmp_path / "model", (manifest,), tmp_path / "out", draws=50, device="cpu")


def test_an_identity_restorer_has_exactly_the_inputs_numbers(manifest: Path) -> None:
    rows = evaluate_restorer(_identity(), open_pairs([manifest], "test"))
    assert len(rows) == 6
    for row in rows:
        assert row.psnr == row.psnr_input and row.ssim == row.ssim_input and row.gain == 0
        assert math.isnan(row.lpips)
        if row.degradation == "rain":
            assert np.array_equal([row.e_r, row.e_b], [row.e_r_input, row.e_b_input], equal_nan=True)
        else:
            assert math.isnan(row.e_r) and math.isnan(row.e_b)


def test_the_numbers_are_those_of_the_images(manifest: Path) -> None:
    (example,) = [one for one in open_pairs([manifest], "test") if one.degraded.place == "d3.png"]
    clean, degraded = example.read()
    halved = (clean.astype(int) + (degraded.astype(int) - clean) // 2).astype(np.uint8)
    row = score(example, clean, degraded, halved)
    assert row.psnr == psnr(halved, clean) > row.psnr_input == psnr(degraded, clean)
    assert row.e_r == pytest.approx(row.e_r_input / 2, rel=0.02) and row.e_b == row.e_b_input == 0
    perfect = score(example, clean, degraded, clean)
    assert perfect.psnr == 99.0 and perfect.ssim == 1 and perfect.e_r == perfect.e_b == 0


def _row(degradation: str, source: str, photo_name: str, value: float) -> ScoreRow:
    nothing = dict.fromkeys(("e_r", "e_r_input", "e_b", "e_b_input", "lpips", "lpips_input"), math.nan)
    return ScoreRow(degradation, source, "existing", photo_name, "d", value, 20.0, 0.9, 0.8, **nothing)


def test_a_summary_has_every_source_every_degradation_and_all() -> None:
    rows = [_row("rain", "b", "p1", 22), _row("haze", "a", "p1", 24), _row("rain", "a", "p2", 26)]
    found = summarise(rows, draws=100)
    places = [(one["degradation"], one["source"]) for one in found]
    assert places == [("haze", "a"), ("haze", "all"), ("rain", "a"), ("rain", "b"), ("rain", "all"), ("all", "all")]
    everything = found[-1]
    assert everything["n"] == 3 and everything["photos"] == 2
    assert everything["psnr"]["value"] == 24 and everything["gain"]["value"] == 4
    assert 23 <= everything["psnr"]["low"] < 24 < everything["psnr"]["high"] <= 26, "whole photos are drawn"
    assert "e_r" not in everything and "lpips" not in everything
    assert found == summarise(rows, draws=100)


def test_results_are_written_and_told(config: RestoreEvalConfig) -> None:
    results = report_restorer(config)
    assert json.loads((config.out / "results.json").read_text()) == results
    rows = [json.loads(line) for line in (config.out / "scores.jsonl").read_text().splitlines()]
    assert len(rows) == 6 and all("lpips" not in row for row in rows)
    assert ["e_r" in row for row in rows] == [row["degradation"] == "rain" for row in rows]
    table = tabulate_scores(results["summary"]).splitlines()
    assert table[0].split() == ["degradation", "source", "n", "PSNR", "SSIM", "E_R", "E_B"]
    assert len(table) == 1 + len(results["summary"]) and " → " in table[1]
    with pytest.raises(OutputExists):
        report_restorer(config)
    assert report_restorer(replace(config, overwrite=True)) == results


def test_a_few_of_each_source(config: RestoreEvalConfig) -> None:
    results = report_restorer(replace(config, limit=1))
    counts = {(one["degradation"], one["source"]): one["n"] for one in results["summary"]}
    assert counts["haze", "fog"] == 1 and counts["all", "all"] == 4


def test_lpips_is_there_when_its_weights_are(config: RestoreEvalConfig, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = Lpips("alex")
    names = {f"features.{key}": value for key, value in network.convs.state_dict().items()}
    names |= {f"lin{index}.weight": value.data for index, value in enumerate(network.weights)}
    (tmp_path / "lpips").mkdir()
    save_file(names, tmp_path / "lpips" / "alex.safetensors")
    write_image(photo(64, 72), tmp_path / "c0.png", "png")
    write_image(photo(64, 72, seed=5), tmp_path / "d0.png", "png")
    summary = report_restorer(replace(config, lpips=str(tmp_path / "lpips")))["summary"]
    haze = summary[0]
    assert haze["lpips"] == haze["lpips_input"] and haze["lpips"]["n"] == 1, "the others are too small"
    assert haze["lpips"]["value"] > 0


def test_a_pair_that_cannot_be_used_is_a_failure_and_the_rest_is_measured(
    config: RestoreEvalConfig, tmp_path: Path, unchecked: None
) -> None:
    (tmp_path / "d1.png").unlink()
    write_image(photo(8, 9), tmp_path / "c2.png", "png")
    results = report_restorer(config)
    assert sorted(failure["failed"] for failure in results["failures"]) == ["missing", "sizes_differ"]
    assert results["summary"][-1]["n"] == 4
    examples = open_pairs(config.pairs, "test")
    with pytest.raises(SizesDiffer, match=r"d2.png: is 1 x 1 pixels, its clean photo 9 x 8; a pair has one size"):
        evaluate_restorer(_identity(), [one for one in examples if one.degraded.place == "d2.png"])


def test_what_is_not_there(config: RestoreEvalConfig, tmp_path: Path) -> None:
    for changed, error in (
        ({"model": tmp_path / "none"}, BadModel), ({"pairs": (tmp_path / "none.jsonl",)}, MissingPath),
        ({"split": "train"}, NoPairs), ({"lpips": str(tmp_path / "none")}, BadModel),
    ):  # fmt: skip
        with pytest.raises(error):
            report_restorer(replace(config, **changed))
    assert not config.out.exists()
