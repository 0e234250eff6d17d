"""One opener of clean photos: which rows are taken, captions beside photos, rows of images; all else is counted."""

import io
import json
import os
import tarfile
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gendeg.pairs.listers import Asked
from gendeg.pairs.pair import listed, write_manifest
from gendeg.pairs.photos import Opened, by_turns, find_photos
from gendeg.primitives.errors import BadImage, BadOption, GendegError, NoPhotos
from tests.builds import write_photos


def counts(opened: Opened) -> dict[str, int]:
    return dict(Counter(one.failed for one in opened.left_out))


def bytes_of(opened: Opened) -> list[bytes]:
    return [photo.bytes() for photo in opened.photos]


def files_of(opened: Opened) -> list[str]:
    return [Path(photo.path).name for photo in opened.photos]


def pack(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


# --- tables ---


TABLE = """path,kind,degradation,split
p0.png,clean,,train
p1.png,real,haze,train
p2.png,pair,rain,train
p3.png,clean,,test
p4.png,,,
p0.png,clean,,train
"""


def test_a_table_gives_its_clean_photos_of_the_splits_that_are_made(tmp_path):
    (write_photos(tmp_path) / "t.csv").write_text(TABLE)
    opened = find_photos([tmp_path / "t.csv"], Asked(hidden=True, splits=["train"]))
    assert [(photo.path, photo.split) for photo in opened.photos] == [("p0.png", "train"), ("p4.png", "")]
    assert counts(opened) == {"other_kind": 2, "other_split": 1, "duplicate": 1}
    assert files_of(find_photos([tmp_path / "t.csv"], Asked(hidden=True, splits=["train", "test"]))) == [
        "p0.png",
        "p3.png",
        "p4.png",
    ]
    assert files_of(find_photos([tmp_path / "t.csv"], Asked(hidden=True, kind="real"))) == ["p1.png", "p4.png"]
    (tmp_path / "only.csv").write_text("path,split\np0.png,test\n")
    with pytest.raises(NoPhotos, match=r"row of another split 1\); --split names"):
        find_photos([tmp_path / "only.csv"], Asked(hidden=True, splits=["train"]))


def test_a_manifest_of_pairs_gives_its_clean_photos(tmp_path):
    write_photos(tmp_path)
    pair = listed(tmp_path, "p0.png", "p1.png", "haze", "mine", "train", "a dog", 0.1, 0.1, 8, 8)
    write_manifest(tmp_path / "pairs.jsonl", [pair])
    opened = find_photos([tmp_path / "pairs.jsonl"], Asked(hidden=True))
    assert files_of(opened) == ["p0.png"] and opened.photos[0].caption == "a dog"


# --- img2dataset, webdataset ---


def img2dataset(root: Path, layout: str) -> Path:
    """What img2dataset writes: two shards, of which one download failed."""
    folder, photos = root / layout, write_photos(root / "photos", 3, "jpg")
    data = [(photos / f"p{i}.jpg").read_bytes() for i in range(3)]
    folder.mkdir()
    for shard, numbers in enumerate(([0, 1], [2])):
        name = f"{shard:05d}"
        rows = [
            {"url": "http://x", "caption": f"thing {n}", "key": f"{shard:05d}{n:04d}", "status": "success"}
            for n in numbers
        ]
        files = {}
        for row, n in zip(rows, numbers, strict=True):
            key = row["key"]
            files |= {
                f"{key}.jpg": data[n],
                f"{key}.txt": row["caption"].encode(),
                f"{key}.json": json.dumps(row).encode(),
            }
        if layout == "files":
            (folder / name).mkdir()
            for file, content in files.items():
                (folder / name / file).write_bytes(content)
        elif layout == "webdataset":
            pack(folder / f"{name}.tar", files)
        table = {key: [row[key] for row in rows] + ["failed"] for key in rows[0]}
        if layout == "parquet":
            table["jpg"] = [*(data[n] for n in numbers), None]
        pq.write_table(pa.table(table), folder / f"{name}.parquet")
        (folder / f"{name}_stats.json").write_text("{}")
    return folder


@pytest.mark.parametrize("layout", ["files", "webdataset", "parquet"])
def test_the_folders_of_img2dataset_are_taken_with_their_captions(tmp_path, layout, monkeypatch):
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    folder = img2dataset(tmp_path, layout)
    opened = find_photos([folder], Asked(hidden=True))
    whole = [photo for photo in opened.photos if photo.caption != "failed"]
    assert [photo.caption for photo in whole] == ["thing 0", "thing 1", "thing 2"]
    read = [photo.bytes() for photo in whole]
    assert read == [(tmp_path / "photos" / f"p{i}.jpg").read_bytes() for i in range(3)]
    assert counts(opened) == {"other_file": 2 if layout == "parquet" else 4}  # statistics, tables without pictures
    for photo in set(opened.photos) - set(whole):  # rows that failed to download: found when they are read
        with pytest.raises(BadImage, match="0 bytes"):
            photo.bytes()
    if layout == "parquet":
        one = find_photos([folder / "00000.parquet"], Asked(hidden=True))
        assert [photo.caption for photo in one.photos] == ["thing 0", "thing 1", "failed"]


def test_a_caption_beside_a_photo_has_words(tmp_path):
    write_photos(tmp_path, 4)
    (tmp_path / "p0.txt").write_text("0 0.5 0.5 0.2 0.2\n")  # a box, not a caption
    (tmp_path / "p1.txt").write_text("\ufeffein  Hund\n")
    (tmp_path / "p2.json").write_text('{"caption": "a cat"}')
    (tmp_path / "p3.json").write_text('{"caption": 3')
    opened = find_photos([tmp_path], Asked(hidden=True))
    assert [photo.caption for photo in opened.photos] == ["", "ein Hund", "a cat", ""] and not opened.left_out


def test_members_of_a_tar_are_taken_or_counted(tmp_path):
    png = (write_photos(tmp_path / "photos", 1) / "p0.png").read_bytes()
    place = pack(
        tmp_path / "t.tar", {"a.png": png, "a.npy": b"1", "b": png, "notes.md": b"x", ".c.png": b"", "a.json": b"{"}
    )
    opened = find_photos([place], Asked(hidden=True))
    assert [photo.path for photo in opened.photos] == ["a.png", "b"] and bytes_of(opened) == [png, png]
    assert counts(opened) == {"sidecar": 1, "other_file": 1, "hidden": 1}


def test_several_pictures_of_a_sample_are_refused_by_name(tmp_path):
    png, other = ((write_photos(tmp_path / "photos", 2) / f"p{i}.png").read_bytes() for i in range(2))
    place = pack(tmp_path / "t.tar", {"1.lq.png": png, "1.gt.png": other, "2.gt.png": other + b"\0", "2.lq.png": png})
    with pytest.raises(BadOption, match=r"several pictures a sample: lq\.png, gt\.png"):
        find_photos([place], Asked(hidden=True))
    with pytest.raises(BadOption, match="no pictures 'hq'"):
        find_photos([place], Asked(hidden=True, column="hq"))
    for name in ("gt", "gt.png"):
        opened = find_photos([place], Asked(hidden=True, column=name))
        assert bytes_of(opened) == [other, other + b"\0"] and counts(opened) == {"other_kind": 2}


def test_a_dataset_that_gendeg_built_is_no_folder_of_photos(tmp_path):
    photos = write_photos(tmp_path / "photos", 2)
    png = [(photos / f"p{i}.png").read_bytes() for i in range(2)]
    built = photos / "gends"
    (built / "haze").mkdir(parents=True)
    (built / ".gendeg").mkdir()
    (built / ".gendeg/config.json").write_text('{"fingerprint": "0"}')
    (built / "preview.png").write_bytes(png[0])
    record = json.dumps({"caption": "a dog"}).encode()
    for split, data in zip(("train", "test"), png, strict=True):
        members = {"k.clean.png": data, "k.degraded.png": png[0], "k.json": record}
        pack(built / f"haze/{split}-00000.tar", members)
    opened = find_photos([photos], Asked(hidden=True))
    assert files_of(opened) == ["p0.png", "p1.png"] and counts(opened) == {"dataset": 1}
    opened = find_photos([built], Asked(hidden=True, splits=["train"]))
    assert bytes_of(opened) == [png[0]] and opened.photos[0].caption == "a dog"
    assert counts(opened) == {"hidden": 1, "sidecar": 1, "other_kind": 2, "other_split": 1}


# --- Hugging Face datasets ---


@pytest.fixture(scope="module")
def two_columns(tmp_path_factory) -> Path:
    import datasets

    root = tmp_path_factory.mktemp("rows")
    photos = write_photos(root / "photos", 4)
    features = datasets.Features(
        {
            "lq": datasets.Image(),
            "gt": datasets.Image(),
            "text": datasets.Value("string"),
            "hash": datasets.Value("binary"),
        }
    )
    paths = [str(photos / f"p{i}.png") for i in range(4)]
    rows = {"lq": paths[:2], "gt": paths[2:], "text": ["one", "two"], "hash": [b"\1\2", b"\3"]}
    split = datasets.Dataset.from_dict(rows, features=features)
    datasets.DatasetDict({"train": split, "test": split}).save_to_disk(root / "saved")
    split.to_parquet(root / "t.parquet")
    return root


@pytest.mark.parametrize("name", ["saved", "t.parquet"])
def test_the_first_of_several_image_columns_is_not_taken_silently(two_columns, name, monkeypatch):
    monkeypatch.setenv("HF_DATASETS_CACHE", str(two_columns / "cache"))
    with pytest.raises(BadOption, match="several columns of images: lq, gt") as refused:
        find_photos([two_columns / name], Asked(hidden=True))
    assert refused.value.option == "--column"
    with pytest.raises(BadOption, match="no column of images 'hash'; there are lq, gt"):
        find_photos([two_columns / name], Asked(hidden=True, column="hash"))
    opened = find_photos([two_columns / name], Asked(hidden=True, column="gt", splits=["train"]))
    assert bytes_of(opened) == [(two_columns / f"photos/p{i}.png").read_bytes() for i in (2, 3)]
    assert [photo.caption for photo in opened.photos] == ["one", "two"]
    assert counts(opened) == ({"other_split": 2} if name == "saved" else {})


# --- what cannot be read ---


def test_a_pipe_is_refused_instead_of_waited_for(tmp_path):
    os.mkfifo(write_photos(tmp_path, 1) / "z.png")
    opened = find_photos([tmp_path], Asked(hidden=True))
    with pytest.raises(BadImage, match="not a regular file"):
        bytes_of(opened)


def test_no_broken_table_or_tar_ends_in_an_unexpected_error(tmp_path):
    """A few of the many that were tried: half a tar, half a table, bytes of all kinds."""
    photos = write_photos(tmp_path / "photos", 2)
    tar = pack(tmp_path / "t.tar", {f"{i}.png": (photos / f"p{i}.png").read_bytes() for i in range(2)}).read_bytes()
    pq.write_table(pa.table({"jpg": [(photos / "p0.png").read_bytes()]}), tmp_path / "t.parquet")
    parquet = (tmp_path / "t.parquet").read_bytes()
    broken = {
        "a.tar": tar[:700], "b.tar": tar[:156] + b"\xff" * 20 + tar[176:], "c.tar": b"", "a.parquet": parquet[:-9],
        "b.parquet": parquet[4:], "a.csv": b"\xff\xfea", "b.csv": b"\0", "a.jsonl": b"[" * 100_000,
        "b.jsonl": b'{"path": ""}',
    }  # fmt: skip
    for name, data in broken.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(GendegError):
            find_photos([tmp_path / name], Asked(hidden=True))


def test_groups_take_turns_by_name_and_in_their_own_order():
    words = ["b1", "b2", "c1", "b3", "a1", "c2", "b4"]
    assert by_turns(words, lambda word: word[0], 5) == ["a1", "b1", "c1", "b2", "c2"]
    assert by_turns(iter(words), lambda word: word[0], 99) == ["a1", "b1", "c1", "b2", "c2", "b3", "b4"]
    assert by_turns(words, lambda word: word[0], 0) == by_turns([], str, 3) == []
