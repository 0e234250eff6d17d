"""push --parquet: what datasets reads of it, what is in the files, breaks, changes, and pictures that are too large."""

import io
import os

import numpy as np
import pyarrow.parquet as pq
import pytest
from datasets import ClassLabel, Image, config, disable_progress_bars, load_dataset
from PIL import Image as Pillow

from gendeg.build import parquet
from gendeg.build.build import build
from gendeg.build.parquet import fit_pair, kinds_of, plan_files, row_features, write_file
from gendeg.build.push import NOTES, plan_parquet, plan_upload, push, push_parquet
from gendeg.build.verify import depth, verify
from gendeg.cli import main
from gendeg.primitives.errors import BadOption, DamagedDataset, UploadFailed
from gendeg.primitives.images import encode_image
from gendeg.primitives.records import Record
from gendeg.shards.description import read_description
from gendeg.shards.index import RECORD_FIELDS
from gendeg.shards.layout import Layout
from gendeg.shards.reader import load_gends
from tests.builds import copy_build, small_build, tree, write_photos
from tests.hub import LocalHub

SPLITS = ("train", "train", "validation", "test", "train")
disable_progress_bars()


@pytest.fixture
def out(tmp_path, monkeypatch):
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    return copy_build(tmp_path) / "out"


def pushed(out, hub=None):
    """The folder that a client would download of the Parquet repository."""
    hub = hub or LocalHub()
    assert push_parquet(out, "user/name", api=hub) == "https://hub/datasets/user/name-parquet"
    return hub.repository("user/name-parquet")


def load(folder, *name, **options):
    return load_dataset(str(folder), *name, cache_dir=str(folder.parent / "cache"), **options)


def test_datasets_loads_both_repositories(out):
    hub = LocalHub()
    push(out, "user/name", api=hub)
    folder, stored = pushed(out, hub), load_gends(out, split=None)
    assert load(hub.repository("user/name"))["train"].num_rows == 20
    pairs = load(folder)["train"]
    assert pairs.num_rows == 20 and pairs.column_names == list(row_features(["haze", "rain"]))
    assert isinstance(pairs.features["clean"], Image)
    assert pairs.features["degradation"] == ClassLabel(names=["haze", "rain"])
    by_key = {row["key"]: row for row in pairs}
    for number in range(len(stored)):
        clean, degraded = stored.read(number)
        record = Record.from_row({field.name: stored.rows[field.name][number].as_py() for field in RECORD_FIELDS})
        row = by_key[record.key]
        assert np.array_equal(row["clean"], clean) and np.array_equal(row["degraded"], degraded) and row["untouched"]
        told = {name: row[name] for name in record.as_row()} | {"degradation": record.degradation}
        assert Record.from_row(told) == record
        assert pairs.features["degradation"].int2str(row["degradation"]) == record.degradation


def test_one_degradation_is_filtered_by_strength_and_streamed(out):
    folder = pushed(out)
    mus = sorted(row["mu"] for row in load(folder, "haze")["train"])
    assert len(mus) == 10
    strong = load(folder, "haze", filters=[("mu", ">=", mus[6])])["train"]
    assert sorted(strong["mu"]) == mus[6:] and set(strong["degradation"]) == {0}
    first = next(iter(load(folder, "rain", streaming=True)["train"]))
    assert first["degradation"] == 1 and first["clean"].size == (first["width"], first["height"])


def test_files_carry_what_the_viewer_reads(out, monkeypatch):
    monkeypatch.setattr(config, "MAX_ROW_GROUP_SIZE", "20KB")
    monkeypatch.setattr(config, "MAX_SHARD_SIZE", "60KB")
    folder = pushed(out)
    files = sorted(folder.glob("haze/*.parquet"))
    assert len(files) > 1 and files[0].name == f"train-00000-of-{len(files):05d}.parquet"
    several = 0
    for path in files:
        file = pq.ParquetFile(path)
        several += file.num_row_groups > 1
        groups = [file.metadata.row_group(number) for number in range(file.num_row_groups)]
        assert sum(group.total_byte_size for group in groups) < 60_000 + 30_000  # the rest: the record's dictionaries
        assert all(column.has_column_index for column in _numbers(groups[0]))
        assert {b"huggingface", b"content_defined_chunking"} <= set(file.metadata.metadata)
    assert several
    assert load(folder)["train"].num_rows == 20


def _numbers(group):
    columns = [group.column(number) for number in range(group.num_columns)]
    return [column for column in columns if column.path_in_schema in ("mu", "intensity", "degradation")]


def test_after_a_break_only_what_is_missing_is_made(out, monkeypatch):
    monkeypatch.setattr(config, "MAX_SHARD_SIZE", "60KB")
    hub, made = LocalHub(steps=3), []
    write = write_file
    monkeypatch.setattr("gendeg.build.push.write_file", lambda *given: made.append(given[1].name) or write(*given))
    with pytest.raises(UploadFailed, match="same command goes on"):
        push_parquet(out, "user/name", api=hub)
    assert len(made) == 4 and len([name for name in hub.files if name.endswith(".parquet")]) == 3
    assert "README.md" not in hub.files
    made.clear()
    hub.left = 100
    folder = pushed(out, hub)
    planned = plan_parquet(out, "user/name").files
    assert len(made) == len([name for name in planned if name.endswith(".parquet")]) - 3
    assert sorted(f"user/name-parquet/{name}" for name in hub.files) == sorted(planned)
    assert load(folder)["train"].num_rows == 20
    made.clear()
    pushed(out, hub)
    assert made == []


def test_files_of_an_earlier_state_go(out, monkeypatch):
    hub = LocalHub()
    monkeypatch.setattr(config, "MAX_SHARD_SIZE", "60KB")
    pushed(out, hub)
    monkeypatch.undo()
    folder = pushed(out, hub)
    assert [name for name in hub.files if name.endswith(".parquet")] == [
        "haze/train-00000-of-00001.parquet",
        "rain/train-00000-of-00001.parquet",
    ]
    assert load(folder)["train"].num_rows == 20


@pytest.mark.parametrize("text", ["{", "[]", '{"files": {"haze/train-00000-of-00001.parquet": 3}}'])
def test_notes_that_are_not_ours_are_written_anew(out, text):
    hub = LocalHub()
    path = hub.repository("user/name-parquet") / NOTES
    path.parent.mkdir(parents=True)
    path.write_text(text)
    assert load(pushed(out, hub))["train"].num_rows == 20


def test_the_dataset_is_left_as_it_was(out):
    before = tree(out)
    os.chmod(out, 0o555)
    try:
        plan_parquet(out, "user/name")
        pushed(out)
    finally:
        os.chmod(out, 0o755)
    assert tree(out) == before and list(verify(out, depth())) == []


def test_splits_stay(tmp_path, monkeypatch):
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    photos = sorted(write_photos(tmp_path / "photos").iterdir())
    rows = [f"{path},{split}" for path, split in zip(photos, SPLITS, strict=True)]
    (tmp_path / "photos.csv").write_text("\n".join(["path,split", *rows]))
    table, shares = str(tmp_path / "photos.csv"), "train=0.4,validation=0.3,test=0.3"
    build(small_build(tmp_path, clean=(table,), types="haze", split=shares))
    found = load(pushed(tmp_path / "out")).num_rows
    assert found == {"train": 12, "validation": 4, "test": 4}


def test_a_damaged_picture_is_not_uploaded(out):
    shard = next(out.glob("rain/*.tar"))
    data = bytearray(shard.read_bytes())
    data[700] ^= 1
    shard.write_bytes(data)
    with pytest.raises(DamagedDataset, match="other bytes.*gendeg repair"):
        pushed(out)


def test_what_people_wrote_in_the_card_comes_along(out):
    card = out / "README.md"
    assert "user/name" in (pushed(out) / "README.md").read_text()
    card.write_text(card.read_text().replace("license: other", "license: cc-by-4.0") + "\nMine.\n")
    text = (pushed(out) / "README.md").read_text()
    assert "license: cc-by-4.0" in text and "Mine." in text and "haze/train-*.parquet" in text and ".tar" not in text


# --- rows below 2 MB ---


def noise(height, width):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize("shape", [(900, 1300), (70, 4000)])
def test_large_pictures_are_made_to_fit_alike(shape):
    halves = [encode_image(noise(*shape), "png"), encode_image(255 - noise(*shape), "png")]
    made = fit_pair(halves, 400_000)
    sizes = {Pillow.open(io.BytesIO(data)).size for data in made}
    assert sum(map(len, made)) <= 400_000 and len(sizes) == 1
    width, height = sizes.pop()
    assert width / height == pytest.approx(shape[1] / shape[0], rel=0.03)


def test_a_row_that_would_be_too_large_says_so(out, monkeypatch):
    monkeypatch.setattr(parquet, "ROW_BYTES", 9_500)
    folder = pushed(out)
    rows = [row for path in folder.rglob("*.parquet") for row in pq.read_table(path).to_pylist()]
    smaller = [row for row in rows if not row["untouched"]]
    assert smaller and all(row["clean"]["path"].endswith(".clean.jpg") for row in smaller)
    assert all(row["clean"]["bytes"][:2] == b"\xff\xd8" for row in smaller)
    assert f"{len(smaller)} pairs would have made a row of more than 2 MB" in (folder / "README.md").read_text()


def test_the_plan_is_exact_about_rows(out):
    layout, description = Layout(out), read_description(Layout(out))
    for planned in plan_files(layout, description):
        write_file(layout, planned, kinds_of(description), out.parent / "one.parquet")
        assert pq.read_metadata(out.parent / "one.parquet").num_rows == planned.rows
        assert pq.read_table(out.parent / "one.parquet")["clean"].nbytes < planned.bytes


# --- the command ---


def test_a_dry_run_names_both_and_writes_nothing(out, capsys):
    before = tree(out)
    with pytest.raises(SystemExit) as end:
        main(["push", str(out), "user/name", "--parquet", "--dry-run"])
    said = capsys.readouterr()
    assert end.value.code == 0 and "at most" in said.err and tree(out) == before
    assert said.out.split() == plan_upload(out, "user/name").files + plan_parquet(out, "user/name").files


@pytest.mark.parametrize("name", ["my data", "user/" + "n" * 90])
def test_a_name_that_the_hub_does_not_allow_is_wrong_usage(out, name):
    with pytest.raises(BadOption, match="must be user/name"):
        push_parquet(out, name, api=LocalHub())
