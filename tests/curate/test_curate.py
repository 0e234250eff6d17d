"""Curate: on a constructed set it picks what it must, counts what it drops, and its manifest can be trained on."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gendeg.curate.backgrounds import by_cover
from gendeg.curate.config import CurateConfig
from gendeg.curate.curate import curate, even_weights, say
from gendeg.curate.range import cells, in_turn
from gendeg.curate.select import parse_ranges
from gendeg.intensity.measure import measure_intensity
from gendeg.pairs.pair import Pair, listed, open_pairs, read_manifest, write_manifest
from gendeg.primitives.errors import BadOption, MissingPath, NoPairs, OutputExists
from gendeg.primitives.images import encode_image, write_image
from tests.builds import finished_build

SIZE = 48


def background(number: int, noisy: bool) -> np.ndarray:
    generator = np.random.default_rng(number)
    level = generator.integers(60, 140)
    return (np.full((SIZE, SIZE, 3), level) + (generator.normal(0, 30, (SIZE, SIZE, 3)) if noisy else 0)).clip(
        0, 255
    ).astype(np.uint8)  # fmt: skip


def rain(clean: np.ndarray, strength: float, slope: int, number: int) -> np.ndarray:
    """Bright streaks of one pixel that move `slope` pixels a row; more of them where it is stronger."""
    generator, degraded = np.random.default_rng(number), clean.astype(int)
    rows = np.arange(SIZE)
    for start in generator.integers(0, SIZE, round(2 + 14 * strength)):
        degraded[rows, (start + slope * rows // 4) % SIZE] += round(30 + 80 * strength)
    return np.clip(degraded, 0, 255).astype(np.uint8)


def write_set(folder: Path, rows: list[tuple[str, bool, float, int]], held_out: int = 0) -> Path:
    """Rows: name of the background, whether it is noisy, strength and slope of its rain."""
    folder.mkdir(parents=True, exist_ok=True)
    pairs = []
    for number, (name, noisy, strength, slope) in enumerate(rows):
        clean = background(int(name), noisy)
        degraded = rain(clean, strength, slope, number)
        write_image(clean, folder / f"c{name}.png", "png")
        write_image(degraded, folder / f"d{number}.png", "png")
        split = "validation" if number < held_out else "train"
        mu, sigma = measure_intensity(clean, degraded)
        pairs.append(
            listed(folder, f"c{name}.png", f"d{number}.png", "rain", "made", split, "a photo", mu, sigma, SIZE, SIZE)
        )
    write_manifest(folder / "manifest.jsonl", pairs)
    return folder / "manifest.jsonl"


STRENGTHS, SLOPES = (0.1, 0.4, 0.7, 1.0), (-3, 0, 3)


def crossed(folder: Path) -> Path:
    """Four backgrounds, the even ones flat and the odd ones noise, each under every rain."""
    rows = [(str(n), n % 2 == 1, strength, slope) for n in range(4) for strength in STRENGTHS for slope in SLOPES]
    return write_set(folder, rows)


def config(manifest: Path, **changes: object) -> CurateConfig:
    made = CurateConfig((manifest,), manifest.parent / "out" / "curated.jsonl", autoencoder_steps=0, workers=1)
    return replace(made, **changes)  # type: ignore[arg-type]


def photos(pairs: list[Pair]) -> set[str]:
    return {pair.clean.title for pair in pairs}


FLAT = {"c0.png", "c2.png"}
PAIRS = 48


def test_it_takes_the_simple_backgrounds_and_the_whole_range_of_the_rain(tmp_path: Path) -> None:
    made = curate(config(crossed(tmp_path), samples=16, backgrounds=2))
    kept = read_manifest(made.manifest)
    assert photos(kept) <= FLAT
    rains = [int(Path(pair.degraded.path).stem[1:]) % 12 for pair in kept]
    assert {number // 3 for number in rains} == {0, 1, 2, 3}  # every strength
    assert {number % 3 for number in rains} == {0, 1, 2}  # every slope
    assert made.report["kept"] == 16 and made.report["dropped"] == PAIRS - 16


def test_simplest_is_a_share_of_the_photos(tmp_path: Path) -> None:
    made = curate(config(crossed(tmp_path), simplest=0.5))
    assert photos(read_manifest(made.manifest)) == FLAT
    assert made.report["reasons"] == {"background not among the --simplest": 24}
    assert made.report["after"][0]["ratio"] > 3 * made.report["before"][0]["ratio"]


def test_a_narrow_rain_does_not_crowd_out_the_varied_one(tmp_path: Path) -> None:
    narrow = [(str(n), False, 0.1, 0) for n in range(100, 130)]
    varied = [(str(n), False, strength, slope) for n, (strength, slope) in
              enumerate((s, t) for s in STRENGTHS[1:] for t in SLOPES)]  # fmt: skip
    made = curate(config(write_set(tmp_path, narrow + varied), samples=14))
    kept = photos(read_manifest(made.manifest))
    assert len({f"c{n}.png" for n in range(len(varied))} & kept) >= 7  # by chance it would be three


def test_balance_keeps_as_many_backgrounds_as_the_layers_outweigh(tmp_path: Path) -> None:
    """Twelve layers of a flat background outweigh it; one layer of a noisy one does not."""
    reused = [("0", False, strength, slope) for strength in STRENGTHS for slope in SLOPES]
    noisy = [(str(n), True, 0.4, 0) for n in range(1, 30)]
    made = curate(config(write_set(tmp_path, reused + noisy), balance=True))
    row = made.report["after"][0]
    assert "c0.png" in photos(read_manifest(made.manifest))
    assert made.report["before"][0]["bits"] < 1 <= row["bits"]
    assert 1 <= row["photos"] < 30
    assert set(made.report["reasons"]) == {"background beyond the balance"}


def test_nothing_asked_nothing_dropped_and_paths_hold(tmp_path: Path) -> None:
    manifest = crossed(tmp_path)
    made = curate(config(manifest))
    assert made.reasons == [""] * PAIRS and made.report["dropped"] == 0
    for pair in read_manifest(made.manifest):
        assert pair.clean.file.is_file() and pair.degraded.file.is_file()
    assert len(open_pairs([made.manifest], "train", 0)) == PAIRS


def test_same_seed_same_choice_and_measurements_are_kept(tmp_path: Path) -> None:
    manifest = crossed(tmp_path)
    first = curate(config(manifest, samples=20))
    lines = first.manifest.with_suffix(".measures.jsonl").read_text()
    again = curate(config(manifest, samples=20, overwrite=True))
    assert first.reasons == again.reasons
    assert again.manifest.with_suffix(".measures.jsonl").read_text() == lines
    changed = manifest.parent / "d5.png"
    write_image(np.zeros((SIZE, SIZE, 3), np.uint8), changed, "png")
    curate(config(manifest, samples=20, overwrite=True))
    assert len(first.manifest.with_suffix(".measures.jsonl").read_text().splitlines()) == 1 + PAIRS + 1


def test_an_interrupted_measurement_goes_on_and_another_choice_uses_it(tmp_path: Path) -> None:
    made = config(write_set(tmp_path, [(str(n), False, 0.5, 0) for n in range(5)]), measures=tmp_path / "m.jsonl")
    first = curate(made)
    lines = (tmp_path / "m.jsonl").read_text().splitlines()
    (tmp_path / "m.jsonl").write_text("\n".join([*lines[:3], lines[3][:40]]))  # as a killed run leaves it
    other = curate(replace(made, out=tmp_path / "other.jsonl", samples=2))
    assert (tmp_path / "m.jsonl").read_text().splitlines() == lines
    assert [one.measured for one in other.candidates] == [one.measured for one in first.candidates]
    assert not (tmp_path / "other.measures.jsonl").exists()


def test_every_pair_is_kept_held_out_or_dropped_with_a_reason(tmp_path: Path) -> None:
    rows = [(str(n), n % 2 == 1, strength, slope) for n in range(2) for strength in STRENGTHS for slope in SLOPES]
    manifest = write_set(tmp_path, rows, held_out=5)
    (tmp_path / "d20.png").write_bytes(b"no image")
    write_image(np.zeros((SIZE, SIZE + 1, 3), np.uint8), tmp_path / "d21.png", "png")
    made = curate(config(manifest, samples=9, ranges=("mu=0.005:",)))
    report, lost = made.report, made.manifest.with_suffix(".dropped.jsonl").read_text().splitlines()
    assert report["pairs"] == 24 == report["kept"] + report["dropped"]
    assert report["held_out"] == 5 and report["kept"] == 14
    assert report["dropped"] == len(lost) == sum(report["reasons"].values())
    assert report["reasons"]["cannot be measured"] == 2
    assert all(json.loads(line)["reason"] for line in lost)
    assert json.loads(made.manifest.with_suffix(".report.json").read_text()) == report
    table, talk = say(made)
    assert "chosen:" in table and any("24 pairs" in line for line in talk)


def test_samples_of_a_dataset_are_written_as_images_that_train(tmp_path: Path) -> None:
    dataset = finished_build() / "out"
    made = curate(CurateConfig((dataset,), tmp_path / "c.jsonl", samples=8, autoencoder_steps=0, workers=1))
    pairs = read_manifest(made.manifest)
    assert len(pairs) == 8 and {pair.degradation for pair in pairs} == {"haze", "rain"}
    assert all(pair.source.startswith("generated-") for pair in pairs)
    for example in open_pairs([made.manifest], "train", 0):
        clean, degraded = example.read()
        mu, sigma = measure_intensity(clean, degraded)
        assert (mu, sigma) == pytest.approx((example.mu, example.sigma), abs=1e-6)
    assert len(list((tmp_path / "c/degraded").iterdir())) == 8
    assert len(list((tmp_path / "c/clean").iterdir())) == len(photos(pairs)) <= 5
    assert made.report["bytes"] > 0


def test_copies_stand_alone_and_never_share_a_name(tmp_path: Path) -> None:
    places = [write_set(tmp_path / name, [("1", False, 0.4, slope) for slope in SLOPES]) for name in ("a", "b")]
    out = tmp_path / "c.jsonl"
    curate(CurateConfig(tuple(places), out, autoencoder_steps=0, workers=1, copy=True))
    pairs = read_manifest(out)
    assert len({pair.degraded for pair in pairs}) == 6
    assert all(pair.degraded.path.startswith("c/degraded/") for pair in pairs)


def test_the_autoencoder_is_a_measure_and_counts_the_same_again(tmp_path: Path) -> None:
    manifest = write_set(tmp_path, [(str(n), n % 2 == 1, 0.5, 0) for n in range(6)])
    first = curate(config(manifest, autoencoder_steps=3))
    errors = np.array([one.measured.background[3] for one in first.candidates])
    assert errors[1::2].min() > errors[::2].max()  # noise is left, flat fields are not
    again = curate(config(manifest, autoencoder_steps=3, out=tmp_path / "again.jsonl"))
    assert [one.measured for one in again.candidates] == [one.measured for one in first.candidates]
    assert first.report["measures"][-1] == "autoencoder"


def test_cells_are_covered_evenly_by_any_beginning_of_the_order(tmp_path: Path) -> None:
    made = curate(config(crossed(tmp_path)))
    codes = cells(made.candidates)
    order = in_turn(made.candidates, range(PAIRS), 0, "rain")
    assert sorted(order) == list(range(PAIRS))
    first = len(np.unique(codes, axis=0))
    assert len(np.unique(codes[order[:first]], axis=0)) == first  # a pair of each cell, then the second ones
    beginning = codes[order[:4]]
    assert all(len(set(axis.tolist())) >= 2 for axis in beginning.T if len(set(axis.tolist())) > 1)
    assert len(set(beginning[:, 0].tolist())) >= 3  # four pairs, nearly as many bins of mu


def test_weights_make_degradations_even(tmp_path: Path) -> None:
    made = curate(config(crossed(tmp_path)))
    assert even_weights(made.kept) == ""
    haze = [replace(one, pair=replace(one.pair, degradation="haze")) for one in made.kept[:12]]
    assert even_weights([*made.kept, *haze]) == "haze=4,rain=1"


def test_bad_input_is_said_by_name(tmp_path: Path) -> None:
    manifest = write_set(tmp_path, [("0", False, 0.5, 0), ("1", False, 0.5, 0)])
    (tmp_path / "empty.jsonl").write_text("")
    for changes, error, says in (
        ({"data": (tmp_path / "none.jsonl",)}, MissingPath, "no such file"),
        ({"data": (tmp_path / "empty.jsonl",)}, NoPairs, "no pairs"),
        ({"ranges": ("fog=1:2",)}, BadOption, "NAME=LOW:HIGH"),
        ({"ranges": ("mu=0.9:1",)}, BadOption, "no pair"),
        ({"balance": True, "samples": 3}, BadOption, "--balance"),
        ({"simplest": 0.0}, BadOption, "(0, 1]"),
        ({"split": "dev"}, BadOption, "train, validation, test"),
        ({"out": manifest}, OutputExists, "exists"),
        ({"out": manifest, "overwrite": True}, BadOption, "what is read"),
        ({"measures": manifest}, BadOption, "something else"),
        ({"split": "test"}, NoPairs, "split test"),
        ({"out": tmp_path / "x.json"}, BadOption, ".jsonl"),
    ):
        with pytest.raises(error, match=says.replace("(", r"\(").replace(".", r"\.")):
            curate(config(manifest, **changes))
    (tmp_path / "d0.png").write_bytes(b"")
    (tmp_path / "d1.png").write_bytes(b"")
    with pytest.raises(NoPairs, match="readable"):
        curate(config(manifest))


def test_ranges_have_open_ends() -> None:
    assert parse_ranges(["mu=0.1:", "direction=-30:30"]) == {"mu": (0.1, float("inf")), "direction": (-30, 30)}
    assert len(encode_image(background(0, False), "png")) < len(encode_image(background(0, True), "png"))


def test_photos_are_taken_by_what_they_cover_for_their_cost() -> None:
    """By hand: b covers two cells for 1; then a adds a cell for 1, c half a cell and a new one for 4."""
    covered = {"a": Counter({(0,): 1}), "b": Counter({(1,): 1, (2,): 1}), "c": Counter({(1,): 1, (3,): 1})}
    assert list(by_cover(covered, {"a": 1, "b": 1, "c": 4})) == ["b", "a", "c"]
    assert list(by_cover(covered, {"a": 1, "b": 9, "c": 1})) == ["c", "a", "b"]
