"""gendeg report: what the page of a dataset and of an evaluation says, and which pictures it shows."""

import base64
import io
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gendeg.build.build import build, plan
from gendeg.build.page_rows import evenly_ranked, read_dataset
from gendeg.build.page_strength import find_priors
from gendeg.evaluate.page_samples import best_and_worst, score
from gendeg.evaluate.report import report
from gendeg.evaluate.results import read_samples
from gendeg.primitives.errors import BadManifest, MissingPath, NothingToReport, OutputExists
from gendeg.primitives.files import write_jsonl
from gendeg.primitives.images import resize_short_side, write_image
from gendeg.report.config import ReportConfig
from gendeg.shards.reader import load_gends
from tests.builds import copy_build, finished_build, small_build, write_photos
from tests.evaluations import write_evaluation
from tests.report.test_html import Elements
from tests.tiny import photo

BAD = "<img src=x onerror=alert(1)>"


def page_of(path: Path, tmp_path: Path, **changes: object) -> str:
    config = ReportConfig(path, tmp_path / "page.html", progress=False)
    assert report(replace(config, **changes)) == (tmp_path / "page.html").stat().st_size  # type: ignore[arg-type]
    return (tmp_path / "page.html").read_text(encoding="utf-8")


def pictures(page: str) -> list[np.ndarray]:
    found = re.findall(r'src="data:image/webp;base64,([^"]+)"', page)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")) for data in found]


def words(page: str) -> str:
    return " ".join(Elements(page).text.split())


# --- a dataset ---


def test_a_dataset_as_a_page(tmp_path):
    page = page_of(finished_build() / "out", tmp_path)
    text = words(page)
    assert "20 of 20 pairs" in text and "20 planned = 20 written + 0 failed" in text
    for name in ("Contact sheet", "Asked and measured", "Strength and its priors", "Counts", "Failures", "Provenance"):
        assert "<h2 id" in page and name in text
    description = read_dataset(finished_build() / "out").description
    assert description.fingerprint in text and description.model_sha256 in text
    assert "Only" not in text and "no picture at hand" not in text
    assert page == page_of(finished_build() / "out", tmp_path, overwrite=True), "the same page again"


def test_of_a_mix_in_parts_each_part_is_compared_with_what_was_asked_of_it(tmp_path):
    config = small_build(tmp_path, types="rain,rain+low_light", per_image=2, model="physics", steps=None)
    build(config)
    text = words(page_of(config.out, tmp_path))
    parts = [part for pair in load_gends(config.out) for part in pair.record["parts"]]
    assert len(parts) > 10
    error = np.mean([abs(part["mu"] - part["mu_requested"]) for part in parts])
    assert error > 0 and f"mean |mu measured − asked|{error:.4f}" in text
    mixed = [part for pair in load_gends(config.out) for part in pair.record["parts"] if len(pair.record["parts"]) > 1]
    for kind in ("rain", "low_light"):
        off = np.mean([abs(part["mu"] - part["mu_requested"]) for part in mixed if part["degradation"] == kind])
        assert f"rain+low_light: {kind} {len(mixed) // 2} {off:.4f}" in text


def test_pictures_are_those_of_the_samples(tmp_path):
    pairs = load_gends(finished_build() / "out", types="haze")
    strongest = max(pairs, key=lambda pair: pair.record["mu"])
    page = page_of(finished_build() / "out", tmp_path, pictures=1000)
    shown = pictures(page)
    assert len(shown) == 2 * 20
    degraded, clean = shown[2 * 9 : 2 * 10]  # haze comes first, its ten by rank of mu
    for picture, half in ((degraded, strongest.degraded), (clean, strongest.clean)):
        stored = half.numpy().transpose(1, 2, 0) * 255
        assert picture.shape == stored.shape
        own = np.abs(_cells(picture) - _cells(stored)).mean()
        others = [np.abs(_cells(other) - _cells(stored)).mean() for other in shown if other.shape == stored.shape]
        assert own == min(others) < 8, "none is nearer to what is stored"


def _cells(image: np.ndarray) -> np.ndarray:
    """Grey means of 4 x 4 pixels: what WebP keeps even of noise in saturated colours."""
    height, width = image.shape[:2]
    return image.astype(np.float64).mean(axis=2).reshape(height // 4, 4, width // 4, 4).mean(axis=(1, 3))


def test_few_pictures_are_small_and_evenly_ranked(tmp_path):
    page = page_of(finished_build() / "out", tmp_path, pictures=3, picture_size=16)
    assert len(pictures(page)) == 2 * 2 * 3 and all(max(one.shape) == 16 for one in pictures(page))
    ranks = [float(rank) for rank in re.findall(r'data-rank="([\d.]+)"', page)]
    mu = sorted(pair.record["mu"] for pair in load_gends(finished_build() / "out", types="haze"))
    assert ranks[:3] == [mu[0], mu[4], mu[9]]


@pytest.mark.parametrize("count, expected", [(1, [1]), (2, [1, 2]), (3, [1, 0, 2]), (9, [1, 3, 0, 4, 2])])
def test_ranks_begin_with_the_least_and_end_with_the_greatest(count, expected):
    assert evenly_ranked(np.array([3.0, 1.0, 9.0, 2.0, 4.0]), count).tolist() == expected


def test_failures_have_their_reason_and_their_photo_where_it_can_be_had(tmp_path):
    write_photos(tmp_path / "photos", 5)
    config = small_build(tmp_path, tolerance=0.06, attempts=1)
    plan(config)
    size = (tmp_path / "photos/p1.png").stat().st_size
    (tmp_path / "photos/p1.png").write_bytes(bytes(size))  # its samples fail, and no other sample has it
    built = build(config)
    reasons = built.totals.reasons
    assert reasons["changed"] == 4 and reasons["intensity_off"] > 0 and built.totals.written > 0
    page = page_of(tmp_path / "out", tmp_path)
    failures = page[page.index('id="failures"') : page.index('id="provenance"')]
    assert f"{built.totals.planned} planned = {built.totals.written} written + {built.totals.failed} failed" in words(
        page
    )
    assert failures.count("no picture at hand") == 4
    assert len(pictures(failures)) == reasons["intensity_off"]
    (tmp_path / "photos").rename(tmp_path / "elsewhere")  # as after a download: photos come out of other samples
    stored = {pair.record["clean_path"] for pair in load_gends(tmp_path / "out")}
    failed = [one for _, mark in read_dataset(tmp_path / "out").done for one in mark.failed]
    again = page_of(tmp_path / "out", tmp_path, overwrite=True)
    again = again[again.index('id="failures"') : again.index('id="provenance"')]
    assert len(pictures(again)) == sum(one.clean_path in stored for one in failed)


def test_an_unfinished_dataset_says_so(tmp_path):
    out = copy_build(tmp_path) / "out"
    next(iter(sorted((out / ".gendeg/shards").glob("haze*.json")))).unlink()
    text = words(page_of(out, tmp_path))
    assert "Only 7 of 8 shards are here" in text and "17 of 17 pairs" in text


def test_the_prior_is_drawn_only_when_it_is_the_builds_own(tmp_path):
    out = copy_build(tmp_path) / "out"
    priors, why_not = find_priors(read_dataset(out))
    assert set(priors) == {"haze", "rain"} and not why_not
    assert 'class="line prior"' in page_of(out, tmp_path)
    inputs = json.loads((out / ".gendeg/inputs.json").read_text())
    (out / ".gendeg/inputs.json").write_text(json.dumps(inputs | {"priors": ""}))  # those that come along
    page = page_of(out, tmp_path, overwrite=True)
    assert "are not the ones that this build drew from" in words(page) and 'class="line prior"' not in page


def test_a_damaged_image_does_not_end_the_report(tmp_path):
    out = copy_build(tmp_path) / "out"
    tar = sorted(out.glob("haze/*.tar"))[0]
    data = tar.read_bytes()
    place = data.index(b".degraded.png") // 512 * 512 + 512
    tar.write_bytes(data[:place] + bytes(64) + data[place + 64 :])
    assert "an image of it cannot be read: run gendeg verify" in words(page_of(out, tmp_path))


def test_names_and_captions_stay_text(tmp_path):
    (tmp_path / "photos").mkdir()
    for number in range(2):
        write_image(photo(24, 32, seed=number), tmp_path / f"photos/{BAD}{number}.png".replace("/)", ")"), "png")
    table = tmp_path / "table.jsonl"
    rows = [{"path": f"photos/{BAD}{n}.png", "caption": f"<script>alert({n})</script>"} for n in range(2)]
    write_jsonl(table, rows)
    build(small_build(tmp_path, clean=(str(table),)))
    elements = Elements(page_of(tmp_path / "out", tmp_path))
    assert f"{BAD}0.png" in elements.text and "<script>alert(1)</script>" in elements.text
    assert len(elements.of("script")) == 1
    assert [name for _, attributes in elements.found for name in attributes if name.startswith("on")] == []


# --- an evaluation ---


def test_an_evaluation_as_a_page(tmp_path):
    page = page_of(write_evaluation(tmp_path / "evaluation"), tmp_path)
    text = words(page)
    for name in ("Targets", "Best and worst", "Calibration", "Failures", "Structure", "Realism", "Diversity",
                 "The change itself", "Type recognition", "Contact sheet", "Provenance"):  # fmt: skip
        assert f">{name}</h2>" in page, name
    assert "0.0040 [0.0030, 0.0060] ≤ 0.015 met" in text and "missed" in text
    assert 'style="--share:93.33%"' in page, "fourteen of fifteen in the confusion matrix"
    assert "6 of the model's 45 images would be refused" in text
    assert "abababab" in text
    assert "at 0.3" in text and "2.90 [2.61, 3.19]" in text, "the distance of changes at 0.9"


def test_what_was_not_measured_has_no_section(tmp_path):
    folder = write_evaluation(tmp_path / "evaluation")
    results = json.loads((folder / "results.json").read_text())
    for name in ("realism", "diversity", "change", "recognition", "structure", "autoencoder", "headline"):
        del results[name]
    (folder / "results.json").write_text(json.dumps(results))
    text = words(page_of(folder, tmp_path))
    assert "Calibration" in text and "Realism" not in text and "The change" not in text and "Targets" not in text


def test_the_best_and_the_worst(tmp_path):
    samples = read_samples(write_evaluation(tmp_path / "evaluation"))
    best, worst = best_and_worst(samples, 10)
    assert len(best) == len(worst) == 10 and not set(map(id, best)) & set(map(id, worst))
    both = [*best, *worst]
    assert all(one.arm == "model" and one.record.intensity >= 0.3 for one in both)
    assert all(one.verdict for one in worst[:2]), "the refused first"
    assert not any(one.verdict for one in best)
    assert {one.record.degradation for one in best} == {"haze", "rain", "raindrop"}
    assert "p4" in {one.photo for one in worst if not one.verdict}, "least detail, furthest off, under a wrong name"
    assert "p4" not in {one.photo for one in best[:4]}


def test_a_score_is_the_mean_of_ranks_within_degradation_and_intensity(tmp_path):
    samples = read_samples(write_evaluation(tmp_path / "evaluation"))
    mine = [one for one in samples if one.arm == "model" and not one.verdict][:3]
    alone = [one for one in mine if one.record.intensity == mine[0].record.intensity][:1]
    assert score(alone).tolist() == [0.5], "nobody to be compared with"
    assert score([replace(mine[0], verdict="flat")]).tolist() == [-1.0]
    twins = [mine[0], replace(mine[0], metrics=replace(mine[0].metrics, detail=0.0))]
    np.testing.assert_allclose(score(twins), [(3 * 0.5 + 0.75) / 4, (3 * 0.5 + 0.25) / 4])


def test_full_size_means_every_pixel(tmp_path):
    page = page_of(write_evaluation(tmp_path / "evaluation", size=(16, 330)), tmp_path)
    extremes = page[page.index('id="extremes"') : page.index('id="calibration"')]
    assert {one.shape for one in pictures(extremes)} == {(16, 330, 3)}
    contact = page[page.index('id="pairs"') :]
    assert {one.shape[1] for one in pictures(contact)} == {320}


def test_a_listing_does_not_reach_beyond_its_folder(tmp_path):
    folder = write_evaluation(tmp_path / "evaluation")
    write_image(resize_short_side(photo(40, 56), 77), tmp_path / "private.png", "png")
    lines = (folder / "samples.jsonl").read_text().splitlines()
    rows = [json.loads(line) | {"clean": "../private.png"} for line in lines]
    write_jsonl(folder / "samples.jsonl", rows)
    page = page_of(folder, tmp_path)
    assert all(one.shape[0] != 77 for one in pictures(page)) and "cannot be read" in words(page)


# --- what it refuses ---


def test_what_is_neither_is_refused_in_one_line(tmp_path):
    with pytest.raises(NothingToReport, match=r"no \.gendeg/config\.json.*no results\.json"):
        report(ReportConfig(tmp_path, tmp_path / "page.html"))
    with pytest.raises(MissingPath):
        report(ReportConfig(tmp_path / "none", tmp_path / "page.html"))
    folder = write_evaluation(tmp_path / "evaluation")
    (tmp_path / "page.html").write_text("mine")
    with pytest.raises(OutputExists):
        report(ReportConfig(folder, tmp_path / "page.html"))
    assert (tmp_path / "page.html").read_text() == "mine"


@pytest.mark.parametrize(
    "name, text, says",
    [
        ("results.json", '{"schema": "gendeg-evaluation-9"}', "another version"),
        ("results.json", '{"schema": "gendeg-evaluation-1"}', "not as gendeg evaluate writes it"),
        ("samples.jsonl", '{"arm": "model"}', "line 1"),
        ("results.json", "{", "not JSON"),
    ],
)
def test_a_bad_evaluation_is_named(tmp_path, name, text, says):
    folder = write_evaluation(tmp_path / "evaluation")
    (folder / name).write_text(text)
    with pytest.raises(BadManifest, match=says):
        report(ReportConfig(folder, tmp_path / "page.html"))
