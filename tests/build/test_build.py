"""A build on the CPU with a toy model: what it writes, that it resumes, that it refuses, that nothing is dropped."""

import json
import os
import re
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from gendeg.build.build import build, plan
from gendeg.build.repair import repair, retry
from gendeg.build.status import failures, status
from gendeg.build.verify import verify
from gendeg.primitives.errors import DifferentRun, FolderInUse, NotEnoughRoom, OtherPhotos
from gendeg.primitives.files import read_jsonl
from gendeg.primitives.images import read_rgb, write_image
from gendeg.primitives.lock import FolderLock
from gendeg.primitives.orientation import EXIF_ORIENTATION
from gendeg.primitives.records import Record
from gendeg.shards.description import read_description, totals
from gendeg.shards.layout import Layout
from gendeg.shards.verify import Depth
from tests.builds import copy_build, finished_build, small_build, tree, write_photos
from tests.odd_images import ODD, awkward_files, bad_files, encoded, turned_files
from tests.tiny import photo, tiny_pipeline

DEEP = Depth(bytes=True, images=True)


@pytest.fixture
def finished() -> Path:
    """A dataset that was built without interruption; only to be read."""
    return finished_build()


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The root of a copy that may be damaged."""
    return copy_build(tmp_path)


def test_a_finished_dataset_is_found_good(finished):
    assert list(verify(finished / "out", DEEP)) == []


def test_the_same_build_elsewhere_has_the_same_bytes(finished, tmp_path):
    shutil.copytree(finished / "photos", tmp_path / "photos")
    build(small_build(tmp_path, workers=1))
    assert tree(tmp_path / "out") == tree(finished / "out")


def test_a_plan_and_then_a_build_are_the_build(finished, tmp_path):
    shutil.copytree(finished / "photos", tmp_path / "photos")
    description, expected = plan(small_build(tmp_path))
    assert description.samples == 20 and expected.bytes > 4096
    assert not list(tmp_path.glob("out/*.tar")) and not list(tmp_path.glob("out/*/*.tar"))
    build(small_build(tmp_path))
    assert tree(tmp_path / "out") == tree(finished / "out")


def test_a_second_run_makes_nothing(copy):
    before = tree(copy / "out")
    built = build(small_build(copy))
    assert built is not None and built.made == 0
    assert tree(copy / "out") == before


def test_resume_makes_only_what_is_missing(copy):
    before = tree(copy / "out")
    (copy / "out/.gendeg/shards/haze-train-00001.json").unlink()
    (copy / "out/rain/train-00000.tar").unlink()
    for folder in ("haze", ".", ".gendeg"):
        (copy / "out" / folder / ".gendeg-0123456789abcdef.tmp").write_bytes(b"what a killed process had begun")
    built = build(small_build(copy))
    assert built is not None and built.made == 6
    assert tree(copy / "out") == before


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"seed": 1}, "seed"),
        ({"steps": 3}, "steps"),
        ({"per_image": 2}, "per_image"),
        ({"intensity": "0.5"}, "intensity"),
        ({"batch_size": 3}, "batch_size"),
        ({"tolerance": 0.5}, "tolerance"),
        ({"types": "rain"}, "types"),
    ],
)
def test_another_configuration_is_refused_by_name(copy, change, named):
    before = tree(copy / "out")
    with pytest.raises(DifferentRun) as caught:
        build(small_build(copy, **change))
    assert caught.value.fields == (named,)
    assert re.search(rf"other {named} \(.+ -> .+\); use the same", str(caught.value))
    assert tree(copy / "out") == before


def test_other_photos_are_refused(copy):
    write_photos(copy / "photos", 6)
    with pytest.raises(DifferentRun) as caught:
        build(small_build(copy))
    assert caught.value.fields == ("inputs",)


def test_after_a_left_out_photo_was_mended_repair_finishes_what_was_planned(copy):
    photos, out = copy / "photos", copy / "new"
    (photos / "late.png").write_text("no picture yet")
    config = replace(small_build(copy), out=out)
    plan(config)
    assert [(one.failed, one.clean_path) for one in failures(out)] == [("not_an_image", "late.png")]
    write_image(photo(32, 36, seed=9), photos / "late.png", "png")
    with pytest.raises(OtherPhotos, match="repair .* finishes what was planned; new or mended") as caught:
        build(config)
    assert caught.value.fields == ("inputs",)
    assert repair(out, Depth(), device="cpu", workers=2, progress=False).totals.written == 20
    tars = {name: digest for name, digest in tree(out).items() if name.endswith(".tar")}
    assert tars == {name: digest for name, digest in tree(copy / "out").items() if name.endswith(".tar")}


def test_another_model_is_refused(copy, tmp_path):
    from tests.tiny import tiny_pipeline

    tiny_pipeline(seed=5).save_pretrained(tmp_path / "other")
    with pytest.raises(DifferentRun) as caught:
        build(small_build(copy, model=str(tmp_path / "other")))
    assert caught.value.fields == ("model",)


def test_a_folder_in_use_is_refused_and_unharmed(copy):
    before, layout = tree(copy / "out"), Layout(copy / "out")
    with FolderLock(layout.lock, layout.root), pytest.raises(FolderInUse) as caught:
        build(small_build(copy))
    assert caught.value.pid == os.getpid()
    assert tree(copy / "out") == before


def test_too_little_room_is_said_before_anything_is_made(tmp_path, monkeypatch):
    free = shutil.disk_usage(tmp_path)._replace(free=10_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: free)
    with pytest.raises(NotEnoughRoom):
        build(small_build(tmp_path))
    assert not list(tmp_path.glob("out/*/*.tar"))
    assert build(small_build(tmp_path, check_disk=False)) is not None


def test_dry_run_plans_and_stops(tmp_path):
    assert build(small_build(tmp_path, dry_run=True)) is None
    assert (tmp_path / "out/.gendeg/plan.parquet").is_file() and not list(tmp_path.glob("out/*/*.tar"))


def test_other_settings_after_a_dry_run_are_another_plan_until_something_is_made(tmp_path):
    build(small_build(tmp_path, dry_run=True))
    other = small_build(tmp_path, per_image=2, types="rain")
    built = build(other)
    assert built is not None and built.totals.written == 10
    assert {tar.parent.name for tar in tmp_path.glob("out/*/*.tar")} == {"rain"}
    fresh = build(replace(other, out=tmp_path / "fresh"))
    assert fresh is not None and fresh.totals == built.totals and tree(tmp_path / "fresh") == tree(tmp_path / "out")
    for mark in tmp_path.glob("out/.gendeg/shards/*.json"):
        mark.unlink()  # killed before its mark: the tar is there
    with pytest.raises(DifferentRun):
        build(small_build(tmp_path))


def test_repair_of_what_was_only_planned_makes_that_plan_or_nothing(tmp_path):
    config = small_build(tmp_path, model=str(tmp_path / "mine"))
    tiny_pipeline(seed=1).save_pretrained(tmp_path / "mine")
    plan(config)
    (config.out / ".gendeg/plan.parquet").unlink()
    shutil.rmtree(tmp_path / "mine")
    tiny_pipeline(seed=2).save_pretrained(tmp_path / "mine")
    with pytest.raises(DifferentRun) as caught:
        repair(config.out, Depth(), device="cpu", workers=2, progress=False)
    assert caught.value.fields == ("model",) and not list(tmp_path.glob("out/*/*.tar"))


# --- nothing is dropped silently ---


def test_what_the_filter_refuses_is_a_failure_with_its_reason(tmp_path):
    built = build(small_build(tmp_path, tolerance=0.08, attempts=2))
    assert built is not None
    stands = built.totals
    assert stands.written + stands.failed == stands.planned == 20
    assert set(stands.reasons) == {"intensity_off"} and stands.written > 0
    rows = [json.loads(line) for line in _records(tmp_path / "out")]
    assert all(abs(row["mu"] - row["mu_requested"]) <= 0.08 for row in rows)
    failures = [row for mark in _marks(tmp_path / "out") for row in mark["failures"]]
    assert {row["attempt"] for row in failures} == {1}  # both attempts were used
    assert list(verify(tmp_path / "out", DEEP)) == []


def test_retry_gives_refused_samples_more_attempts_and_repair_knows(tmp_path):
    config = small_build(tmp_path, tolerance=0.08, attempts=1)
    build(config)
    first = totals(Layout(config.out), read_description(Layout(config.out)))
    kept = set(_records(config.out))
    again = retry(config.out, device="cpu", workers=2, progress=False)
    assert again.totals.failed <= first.failed and kept <= set(_records(config.out))
    assert {row["attempt"] for mark in _marks(config.out) for row in mark["failures"]} == {1}
    after = tree(config.out)
    assert list(verify(config.out, DEEP)) == []
    for mark in (config.out / ".gendeg/shards").glob("haze*.json"):
        tar = config.out / "haze" / f"{mark.stem.removeprefix('haze-')}.tar"
        tar.write_bytes(b"")
    repaired = repair(config.out, Depth(), device="cpu", workers=2, progress=False)
    assert repaired.changed == [] and tree(config.out) == after


def test_a_photo_that_comes_back_is_retried_and_repaired_to_the_same_bytes(tmp_path):
    config = small_build(tmp_path)
    plan(config)
    photo, away = tmp_path / "photos/p1.png", tmp_path / "away.png"
    listing = photo.stat()
    photo.rename(away)
    photo.symlink_to(tmp_path / "nowhere.png")
    with pytest.raises(DifferentRun):  # the listing differs: a size is gone
        build(config)
    photo.unlink()
    photo.write_bytes(b"x" * listing.st_size)  # the same name and size, other bytes: found when it is read
    built = build(config)
    assert built is not None and built.totals.reasons == {"changed": 4}
    photo.unlink()
    away.rename(photo)
    again = retry(config.out, device="cpu", workers=2, progress=False)
    assert again.totals.failed == 0 and again.totals.written == 20
    after = tree(config.out)
    for tar in config.out.glob("*/*.tar"):
        tar.unlink()
    assert repair(config.out, Depth(), device="cpu", workers=2, progress=False).changed == []
    assert tree(config.out) == after


def test_bad_photos_are_counted_and_the_good_ones_made(tmp_path):
    photos = write_photos(tmp_path / "photos", 3)
    (photos / "empty.png").write_bytes(b"")
    (photos / "text.jpg").write_text("no picture")
    (photos / "cut.png").write_bytes((photos / "p0.png").read_bytes()[:-400])
    (photos / "same.png").write_bytes((photos / "p1.png").read_bytes())
    (photos / "a.b c.ü.png").write_bytes((photos / "p2.png").read_bytes() + b"\0")
    (photos / "gone.png").symlink_to(tmp_path / "nowhere.png")
    (photos / "circle").symlink_to(photos)
    (photos / "..dots..png").write_bytes((photos / "p0.png").read_bytes() + b"\0")  # hidden: counted, not looked at
    built = build(small_build(tmp_path))
    assert built is not None
    assert built.left_out == {"duplicate": 1, "empty": 1, "hidden": 1, "missing": 1, "not_an_image": 1}
    assert built.totals.reasons == {"truncated": 4}  # its header is good: found when it was decoded
    assert built.totals.written == 16 and built.totals.planned == 20
    numbers = Counter(path.parent.name for path in tmp_path.glob("out/*/*.tar"))
    for kind, count in numbers.items():
        assert {path.name for path in (tmp_path / "out" / kind).iterdir()} == {
            f"train-{n:05d}.tar" for n in range(count)
        }
    assert list(verify(tmp_path / "out", DEEP)) == []


def test_every_odd_photo_is_made_and_every_bad_one_counted(tmp_path):
    """The same files that the image reader is tested with."""
    photos = tmp_path / "photos"
    photos.mkdir()
    noise, exif = photo(24, 24), Image.Exif()
    exif[EXIF_ORIENTATION] = 6
    odd = {name: encoded(image, codec, **options) for name, (image, codec, options, _) in ODD.items()}
    odd["turned"] = encoded(Image.fromarray(noise[:, :16]), "JPEG", exif=exif)
    odd["16 bits"] = encoded(Image.fromarray(noise[..., 0].astype(np.uint16) * 257), "PNG")
    bad = {name: data for name, (data, _) in bad_files(noise).items()}
    for name, data in (odd | bad).items():
        (photos / f"{name}.jpg").write_bytes(data)
    built = build(small_build(tmp_path, types="haze", per_image=1))
    assert built is not None
    counted = Counter(built.left_out) + Counter(built.totals.reasons)
    assert counted == Counter(str(reason) for _, reason in bad_files(noise).values())
    assert built.totals.written == len(odd)
    sizes = {
        row["clean_path"]: (row["width"], row["height"])
        for row in pq.read_table(tmp_path / "out/.gendeg/manifest.parquet").to_pylist()
    }
    assert sizes["turned.jpg"] == (24, 16) and sizes["1 x 1.jpg"] == (1, 1)
    assert list(verify(tmp_path / "out", DEEP)) == []


def test_captions_longer_than_the_model_reads_keep_their_degradation(tmp_path, capfd):
    photos, caption = write_photos(tmp_path / "photos", 2), "a dog on a hill, " * 30
    table = tmp_path / "photos.csv"
    table.write_text(f'path,caption\nphotos/p0.png,"{caption}"\nphotos/p1.png,a dog\n')
    build(small_build(tmp_path, clean=(str(table),), per_image=2))
    assert photos.is_dir() and "1 caption shortened: this model reads 16 tokens" in capfd.readouterr().err
    records = {(row.degradation, row.caption): row for row in map(Record.from_json, _records(tmp_path / "out"))}
    for kind, phrase in (("haze", "in hazy conditions"), ("rain", "in rainy conditions")):
        long, short = records[kind, caption.strip()], records[kind, "a dog"]
        assert short.prompt == f"a dog, {phrase}" and not short.shortened
        assert long.prompt.startswith("a dog on a hill, a") and long.prompt.endswith(f", {phrase}") and long.shortened
    assert list(verify(tmp_path / "out", DEEP)) == []


def test_kept_bytes_are_the_same_picture_to_datasets_as_to_us(tmp_path):
    """Turned photos, by every place that tells of it: `load_dataset` gives clean and degraded of one size."""
    from datasets import Image as Feature

    photos = tmp_path / "photos"
    photos.mkdir()
    stored = Image.fromarray(photo(24, 16))
    for name, data in (turned_files(stored) | awkward_files(stored)).items():
        (photos / f"{name}.png").write_bytes(data)
    built = build(small_build(tmp_path, types="haze", per_image=1))
    assert built is not None and built.totals.written == 13
    sizes = Counter()
    for tar in (tmp_path / "out").glob("*/*.tar"):
        for name, data in _members(tar):
            if not name.endswith(".json"):
                seen = np.asarray(Feature().decode_example({"path": None, "bytes": data}).convert("RGB"))
                sizes[seen.shape[:2]] += 1
                assert np.array_equal(seen, read_rgb(data))
    assert sizes == {(16, 24): 22, (24, 16): 4}  # eleven upright pairs, and the two that nothing turns
    assert list(verify(tmp_path / "out", DEEP)) == []


# --- status, signals ---


def test_status_counts_what_stands(copy):
    (copy / "out/rain/train-00000.tar").unlink()
    now = status(copy / "out")
    assert (now.totals.done, now.totals.shards, now.totals.written, now.totals.missing) == (7, 8, 17, 3)
    assert now.holder is None and now.seconds_left is None


def _marks(out: Path) -> list[dict]:
    return [json.loads(path.read_text()) for path in sorted(out.glob(".gendeg/shards/*.json"))]


def _records(out: Path) -> list[str]:
    import tarfile

    lines = []
    for path in sorted(out.glob("*/*.tar")):
        with tarfile.open(path) as tar:
            lines += [tar.extractfile(m).read().decode() for m in tar if m.name.endswith(".json")]  # type: ignore[union-attr]
    return lines


def _members(path: Path) -> list[tuple[str, bytes]]:
    import tarfile

    with tarfile.open(path) as tar:
        return [(member.name, tar.extractfile(member).read()) for member in tar]  # type: ignore[union-attr]


def test_a_row_of_a_table_of_images_is_told_by_its_number(tmp_path):
    import datasets

    paths = sorted(map(str, write_photos(tmp_path / "photos", 3).iterdir()))
    rows = datasets.Dataset.from_dict({"image": [*paths, paths[0]]}).cast_column("image", datasets.Image())
    rows.to_parquet(tmp_path / "rows.parquet")
    config = small_build(tmp_path, clean=(str(tmp_path / "rows.parquet"),), types="haze", per_image=1)
    build(config)
    table = pq.read_table(config.out / ".gendeg/manifest.parquet")
    assert sorted(table.column("clean_path").to_pylist()) == [f"train row {number}" for number in range(3)]
    (left,) = read_jsonl(config.out / ".gendeg/left_out.jsonl")
    assert left["clean_path"] == "train row 3"
