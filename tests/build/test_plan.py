"""The plan: every kind of input, keys, splits, shards, batches, and statistics as they were asked for."""

import csv
import json
import tarfile
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gendeg.build.config import PlanConfig
from gendeg.build.inputs import PHOTO_SCHEMA, choose_format, look_at_pairs, look_at_photos
from gendeg.build.plan import batch_numbers, write_plan
from gendeg.pairs.listers import Asked
from gendeg.pairs.pair import listed, write_manifest
from gendeg.pairs.photos import find_photos, listing_digest
from gendeg.pairs.scan import scan_photos
from gendeg.pairs.split import parse_split, split_of
from gendeg.primitives.errors import BadManifest, BadOption, CannotRead, MissingPath, NoImages
from gendeg.primitives.pictures import count_reasons
from gendeg.shards.plan import PlannedSample, PlanReader
from tests.builds import priors_folder, write_photos


def settings(root: Path, **changes: object) -> PlanConfig:
    given = {
        "clean": (str(root / "photos"),),
        "out": root,
        "priors": str(priors_folder()),
        "batch_size": 8,
        "progress": False,
    }
    return PlanConfig(**(given | changes))  # type: ignore[arg-type]


def rows_of(config: PlanConfig, path: Path) -> list[PlannedSample]:
    seen = look_at_photos(config, find_photos(config.clean, Asked(hidden=True)))
    write_plan(config, seen.table, path)
    return [row for rows in PlanReader(path) for row in rows]


def many_photos(count: int, sizes: int = 1) -> pa.Table:
    """A list of photos that were never made: what the plan needs to know of them."""
    number = np.arange(count)
    names = pa.array([f"photo{i:07d}" for i in range(count)])
    columns = {
        "input": pa.array(np.zeros(count, np.int32)), "clean_path": names.cast(pa.binary()),
        "clean_offset": pa.array(np.full(count, -1)), "clean_length": pa.array(np.full(count, 200_000)),
        "clean_sha256": pa.array([f"{i:064x}" for i in range(count)]), "keep": pa.array(np.ones(count, bool)),
        "degraded_path": pa.array([b""] * count),
        "caption": pa.array([f"a photo of thing {i % 1000}" for i in range(count)]),
        "stem": names, "split": pa.array(np.where(number % 50 == 0, "validation", "train")),
        "width": pa.array((512 + 8 * (number % sizes)).astype(np.int32)),
        "height": pa.array(np.full(count, 512, np.int32)),
    }  # fmt: skip
    return pa.table(columns, schema=PHOTO_SCHEMA)


# --- inputs ---


def test_every_kind_of_input_gives_the_same_photos(tmp_path):
    photos = write_photos(tmp_path / "photos", 3)
    names = sorted(path.name for path in photos.iterdir())
    (tmp_path / "list.txt").write_text("\n".join(f"photos/{name}" for name in names))
    with open(tmp_path / "list.csv", "w", newline="") as stream:
        csv.writer(stream).writerows([["path", "caption"], *([f"photos/{name}", f"photo {name}, ü"] for name in names)])
    lines = [json.dumps({"file_name": f"photos/{name}", "text": "hello"}) for name in names]
    (tmp_path / "list.jsonl").write_text("\n".join(lines))
    pq.write_table(pa.table({"path": [f"photos/{name}" for name in names]}), tmp_path / "list.parquet")
    with tarfile.open(tmp_path / "shard.tar", "w") as tar:
        for name in names:
            tar.add(photos / name, f"../odd/{name}")
    expected = {(photos / name).read_bytes() for name in names}
    for argument in ("photos", "list.txt", "list.csv", "list.jsonl", "list.parquet", "shard.tar"):
        found = find_photos([tmp_path / argument]).photos
        read = {photo.bytes() for photo in found}
        assert read == expected and len({p.stem for p in found}) == 3, argument
    assert find_photos([tmp_path / "list.csv"]).photos[0].caption == "photo p0.png, ü"
    assert find_photos([tmp_path / "list.jsonl"]).photos[0].caption == "hello"


def test_absolute_paths_of_a_table_stay_on_this_machine(tmp_path):
    photos = write_photos(tmp_path / "home of alice" / "photos", 2)
    names = [str(photos / "p0.png"), str(photos / "p1.png")]
    (tmp_path / "list.txt").write_text("\n".join(names))
    (input,), found, _ = find_photos([tmp_path / "list.txt"], Asked(hidden=True))
    assert [photo.path for photo in found] == ["p0.png", "p1.png"] and input.place == str(photos)
    assert found[0].bytes() == (photos / "p0.png").read_bytes()


def test_a_hugging_face_dataset_is_an_input(tmp_path):
    import datasets

    photos = write_photos(tmp_path / "photos", 3)
    paths = sorted(map(str, photos.iterdir()))
    rows = datasets.Dataset.from_dict({"image": paths, "caption": ["one", "two", "three"]}).cast_column(
        "image", datasets.Image()
    )
    rows.save_to_disk(tmp_path / "saved")
    found = find_photos([tmp_path / "saved"]).photos
    assert [photo.caption for photo in found] == ["one", "two", "three"]
    read = [photo.bytes() for photo in found]
    assert read == [Path(path).read_bytes() for path in paths]


def test_captions_come_from_text_files_of_a_tar(tmp_path):
    photos = write_photos(tmp_path / "photos", 1)
    (tmp_path / "p0.txt").write_text("two  dogs\n")
    with tarfile.open(tmp_path / "s.tar", "w") as tar:
        tar.add(photos / "p0.png", "p0.png")
        tar.add(tmp_path / "p0.txt", "p0.txt")
    assert [photo.caption for photo in find_photos([tmp_path / "s.tar"]).photos] == ["two dogs"]


def test_bad_inputs_are_refused(tmp_path):
    with pytest.raises(MissingPath):
        find_photos([tmp_path / "nowhere"])
    (tmp_path / "no.tar").write_bytes(b"this is no tar" * 100)
    with pytest.raises(CannotRead):
        find_photos([tmp_path / "no.tar"])
    (tmp_path / "no.csv").write_text("a,b\n1,2\n")
    with pytest.raises(BadManifest):
        find_photos([tmp_path / "no.csv"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(NoImages):
        find_photos([tmp_path / "empty"])
    (tmp_path / "bad.txt").write_text("gone.png\n")
    opened = find_photos([tmp_path / "bad.txt"], Asked(hidden=True))
    with pytest.raises(NoImages):
        look_at_photos(settings(tmp_path, clean=(str(tmp_path / "bad.txt"),)), opened)


def test_the_listing_digest_sees_names_sizes_and_captions(tmp_path):
    photos = write_photos(tmp_path / "photos", 2)
    digests = [listing_digest(find_photos([photos]).photos)]
    (photos / "p0.png").rename(photos / "p9.png")
    digests.append(listing_digest(find_photos([photos]).photos))
    with open(photos / "p9.png", "ab") as stream:
        stream.write(b"\0")
    digests.append(listing_digest(find_photos([photos]).photos))
    assert len(set(digests)) == 3
    assert listing_digest(find_photos([photos]).photos) == digests[-1]


def test_scanning_counts_duplicates_and_bad_files_in_order(tmp_path):
    photos = write_photos(tmp_path / "photos", 2)
    (photos / "q.png").write_bytes((photos / "p0.png").read_bytes())
    (photos / "r.png").write_bytes(b"")
    scanned = list(scan_photos(find_photos([photos]).photos))
    assert [getattr(one, "failed", "") for one in scanned] == ["", "", "duplicate", "empty"]
    assert count_reasons(one.failed for one in scanned[2:]) == {"duplicate": 1, "empty": 1}


# --- samples ---


def test_every_photo_gets_its_samples_and_the_types_go_round(tmp_path):
    write_photos(tmp_path / "photos", 4)
    rows = rows_of(settings(tmp_path, types="haze,rain,snow", per_image=6, shard_size=5), tmp_path / "plan.parquet")
    assert len(rows) == 24 and len({row.key for row in rows}) == 24
    each = Counter((row.clean_path, row.degradation) for row in rows)
    assert set(each.values()) == {2} and len(each) == 12
    assert {row.prompt for row in rows if row.degradation == "haze"} == {"a photo, in hazy conditions"}
    sizes = Counter(row.shard for row in rows)
    assert max(sizes.values()) == 5 and all(len({r.degradation for r in rows if r.shard == s}) == 1 for s in sizes)


def test_keys_fit_into_a_tar_header_and_never_collide(tmp_path):
    photos = tmp_path / "photos"
    write_photos(photos / "a", 2)
    write_photos(photos / "b", 2)
    for number, name in enumerate(("x" * 200, "x" * 201, "ü.ö", "a b", "a_b", "P0")):
        (photos / f"{name}.png").write_bytes((photos / "a/p0.png").read_bytes() + bytes(number + 1))
    for number, path in enumerate(sorted((photos / "b").iterdir())):
        path.write_bytes(path.read_bytes() + bytes(20 + number))
    rows = rows_of(settings(tmp_path, types="motion_blur", per_image=2), tmp_path / "plan.parquet")
    assert len(rows) == 20 and len({row.key.lower() for row in rows}) == 20
    assert all(
        len(f"{row.key}.degraded.png") <= 100 and row.key.replace("-", "").replace("_", "").isalnum() for row in rows
    )


@pytest.mark.parametrize("samples", [1, 7, 10, 23])
def test_a_number_of_samples_is_spread_over_the_photos(tmp_path, samples):
    config = settings(tmp_path, types="haze,rain", samples=samples, shard_size=4)
    write_plan(config, many_photos(10), tmp_path / "plan.parquet")
    rows = [row for shard in PlanReader(tmp_path / "plan.parquet") for row in shard]
    each = Counter(row.clean_path for row in rows)
    assert len(rows) == samples and max(each.values()) - min([*each.values(), 0 if samples < 10 else 99]) <= 1


def test_one_photo_is_in_one_split_only(tmp_path):
    shares = parse_split("train=0.7,validation=0.2,test=0.1")
    rng = np.random.default_rng(0)
    counts = Counter(split_of(rng.bytes(32).hex(), shares) for _ in range(5000))
    assert abs(counts["train"] / 5000 - 0.7) < 0.03 and abs(counts["test"] / 5000 - 0.1) < 0.02
    write_photos(tmp_path / "photos", 8)
    rows = rows_of(settings(tmp_path, split="train=0.5,validation=0.5"), tmp_path / "plan.parquet")
    assert all(
        len({row.split for row in rows if row.clean_path == path}) == 1 for path in {row.clean_path for row in rows}
    )


@pytest.mark.parametrize("text", ["train", "train=0.5", "all=1", "train=2,test=-1", "train=x"])
def test_impossible_splits_are_refused(text):
    with pytest.raises(BadOption):
        parse_split(text)


def test_batches_hold_one_size_and_are_numbered_by_their_first_sample():
    width = np.array([5, 7, 5, 5, 7, 5, 5, 9])
    got = batch_numbers(width, np.full(8, 3), 2)
    assert got.tolist() == [0, 1, 0, 2, 1, 2, 3, 4]
    rng = np.random.default_rng(1)
    width, height = rng.integers(1, 5, 500), rng.integers(1, 5, 500)
    got = batch_numbers(width, height, 7)
    for number in range(got.max() + 1):
        here = got == number
        assert 1 <= here.sum() <= 7 and len(set(zip(width[here], height[here], strict=True))) == 1


def test_rows_of_a_shard_are_ordered_by_batch(tmp_path):
    write_plan(
        settings(tmp_path, types="haze", per_image=1, shard_size=50),
        many_photos(200, sizes=3),
        tmp_path / "plan.parquet",
    )
    for rows in PlanReader(tmp_path / "plan.parquet"):
        batches = [row.batch for row in rows]
        assert batches == sorted(batches) and len({(row.width, row.batch) for row in rows}) == len(set(batches))


def test_statistics_of_the_priors(tmp_path):
    write_plan(
        settings(tmp_path, types="haze", per_image=40, shard_size=1000), many_photos(500), tmp_path / "plan.parquet"
    )
    rows = [row for shard in PlanReader(tmp_path / "plan.parquet") for row in shard]
    mu, source = np.array([row.mu for row in rows]), np.array([row.source for row in rows])
    width = 0.7 / 128
    assert abs((source == "second").mean() - 0.75) < 0.02  # by weight
    assert mu.min() >= 3 * width - 1e-6 and mu.max() <= 50 * width + 1e-6
    assert abs(np.median(mu[source == "first"]) - 18 * width) < 0.01  # even over bins 3 to 32
    intensity = np.array([row.intensity for row in rows])
    assert (np.diff(intensity[np.argsort(mu)]) >= -1e-4).all() and abs(np.median(intensity) - 0.5) < 0.02
    assert all(2 * 0.4 / 128 - 1e-6 <= row.sigma <= 30 * 0.4 / 128 + 1e-6 for row in rows)


@pytest.mark.parametrize(("text", "low", "high"), [("0.5", 0.5, 0.5), ("0.2-0.8", 0.2, 0.8), ("0", 0, 0), ("1", 1, 1)])
def test_intensities_as_they_were_asked_for(tmp_path, text, low, high):
    write_plan(
        settings(tmp_path, types="rain", per_image=2, intensity=text), many_photos(300), tmp_path / "plan.parquet"
    )
    got = [row.intensity for shard in PlanReader(tmp_path / "plan.parquet") for row in shard]
    assert low <= min(got) and max(got) <= high
    assert low == high or (min(got) < low + 0.05 and max(got) > high - 0.05)


@pytest.mark.parametrize("text", ["1.2", "0.8-0.2", "strong", "-1", ""])
def test_impossible_intensities_are_refused(tmp_path, text):
    with pytest.raises(BadOption):
        write_plan(settings(tmp_path, intensity=text), many_photos(3), tmp_path / "plan.parquet")
    assert not list(tmp_path.glob("*plan*"))


def test_a_plan_depends_on_the_seed_only(tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        write_plan(settings(tmp_path, seed=seed), many_photos(50), tmp_path / name)
    data = [(tmp_path / name).read_bytes() for name in "abc"]
    assert data[0] == data[1] != data[2]


def test_size_and_format_decide_what_is_stored(tmp_path):
    write_photos(tmp_path / "photos", 2, "jpg")
    config = settings(tmp_path)
    good = list(scan_photos(find_photos(config.clean).photos))
    assert choose_format(config, good) == "jpg"
    assert choose_format(settings(tmp_path, size=16), good) == "png"
    rows = rows_of(config, tmp_path / "plan.parquet")
    assert all(row.keep and (row.width, row.height) in ((40, 32), (36, 32)) for row in rows)
    rows = rows_of(settings(tmp_path, size=16, square=True), tmp_path / "plan.parquet")
    assert all(not row.keep and (row.width, row.height) == (16, 16) for row in rows)
    write_photos(tmp_path / "photos", 1, "png")
    assert (
        choose_format(config, list(scan_photos(find_photos(config.clean).photos))) == "png"
    )  # a mixture cannot stay as it is


def test_existing_pairs_fill_shards_of_their_own(tmp_path):
    photos = write_photos(tmp_path / "photos", 3)
    pairs = [
        listed(tmp_path, f"photos/p{i}.png", f"photos/p{i}.png", "haze", "RESIDE", "train", "", 0.0, 0.0, 36, 32)
        for i in range(3)
    ]
    pairs.append(listed(tmp_path, "photos/p0.png", "photos/gone.png", "haze", "RESIDE", "train", "", 0.0, 0.0, 36, 32))
    write_manifest(tmp_path / "pairs.jsonl", pairs)
    config = settings(tmp_path, types="haze", per_image=1, shard_size=2, include=(tmp_path / "pairs.jsonl",))
    seen = look_at_photos(config, find_photos([photos]))
    manifests, table, bad = look_at_pairs(config, 1, seen.format)
    assert [Path(one.place).name for one in manifests] == ["pairs.jsonl"]
    assert [one.failed for one in bad] == ["missing"]
    planned = write_plan(config, seen.table, tmp_path / "plan.parquet", table)
    assert [str(shard.name) for shard in planned] == [f"haze/train-{n:05d}" for n in range(4)]
    rows = [row for shard in PlanReader(tmp_path / "plan.parquet") for row in shard]
    assert [row.origin for row in rows] == ["generated"] * 3 + ["existing"] * 3
    assert len({row.key for row in rows}) == 6 and {row.input for row in rows} == {0, 1}


def test_cost_of_a_sample_does_not_grow_with_the_plan(tmp_path):
    """Row groups are shards: a shard's rows are read alone, and no shard is longer than asked for."""
    planned = write_plan(settings(tmp_path, per_image=6, shard_size=100), many_photos(1000), tmp_path / "plan.parquet")
    assert sum(shard.samples for shard in planned) == 6000 and max(shard.samples for shard in planned) == 100
    file = pq.ParquetFile(tmp_path / "plan.parquet")
    assert file.num_row_groups == len(planned)
    last = PlanReader(tmp_path / "plan.parquet").rows(len(planned) - 1)
    assert {row.shard for row in last} == {len(planned) - 1}


def test_directions_are_dealt_to_what_has_one(tmp_path):
    write_photos(tmp_path / "photos", 8)
    config = settings(tmp_path, types="rain,haze", per_image=2, direction="-40..10", priors="")
    rows = rows_of(config, tmp_path / "plan.parquet")
    leans = [row.ask.direction.degrees for row in rows if row.degradation == "rain"]
    assert len(set(leans)) == 8 and -40 <= min(leans) < max(leans) <= 10
    assert not any(row.ask.direction.known for row in rows if row.degradation == "haze")
