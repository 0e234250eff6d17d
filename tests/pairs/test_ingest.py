"""gendeg pairs ingest: every form pairs come in, every reason to keep one out, and a manifest that trains."""

import io
import tarfile
from collections import Counter
from pathlib import Path

import datasets
import numpy as np
import pytest
from PIL import Image

from gendeg.intensity.measure import measure_intensity
from gendeg.pairs.config import IngestConfig
from gendeg.pairs.ingest import ingest
from gendeg.pairs.pair import open_pairs, read_manifest
from gendeg.primitives.errors import (
    BadManifest,
    BadOption,
    FolderInUse,
    MissingPath,
    NoImages,
    NoPairs,
    OutputExists,
    UnknownSource,
)
from gendeg.primitives.files import read_jsonl
from gendeg.primitives.images import encode_image, write_image
from gendeg.primitives.lock import held
from tests.tiny import photo


def scene(number: int) -> np.ndarray:
    return photo(48, 64, seed=number)


def hazy(image: np.ndarray, share: float = 0.4) -> np.ndarray:
    return (image * (1 - share) + 200 * share).astype(np.uint8)


def two_folders(root: Path, count: int = 3) -> Path:
    for folder in ("rainy", "gt"):
        (root / folder).mkdir(parents=True)
    for number in range(count):
        write_image(scene(number), root / f"gt/s{number}_clean.png", "png")
        write_image(hazy(scene(number)), root / f"rainy/s{number}_rain.png", "png")
    return root


def options(data: Path, **changes) -> IngestConfig:
    given = {"type": "rain", "degraded": "rainy/{id}_rain.png", "clean": "gt/{id}_clean.png", "progress": False}
    return IngestConfig(**({"out": data.parent / "out", "root": str(data)} | given | changes))


def test_two_folders_stay_where_they_are_and_train(tmp_path):
    made = ingest(options(two_folders(tmp_path / "mine"), source="my rain"))
    assert made.failures == [] and [pair.split for pair in made.pairs] == ["train"] * 3
    assert made.pairs == read_manifest(made.manifest)
    for placed, number in zip(open_pairs([made.manifest], "train"), range(3), strict=True):
        clean, degraded = placed.read()
        assert np.array_equal(clean, scene(number)) and placed.source == "my rain"
        mu, sigma = measure_intensity(clean, degraded)
        assert (placed.mu, placed.sigma) == pytest.approx((mu, sigma), abs=1e-6)
    assert not list((tmp_path / "out").glob("clean*")), "nothing was copied"


def test_plain_folder_names_mean_equal_names(tmp_path):
    for folder, image in (("a", hazy(scene(0))), ("b", scene(0))):
        (tmp_path / "data" / folder).mkdir(parents=True)
        write_image(image, tmp_path / "data" / folder / "x.png", "png")
    assert len(ingest(options(tmp_path / "data", degraded="a/", clean="b")).pairs) == 1


def test_a_known_source_by_name(tmp_path):
    for folder, image in (("train/data/0_rain", hazy(scene(0))), ("train/gt/0_clean", scene(0))):
        path = tmp_path / "data" / f"{folder}.png"
        path.parent.mkdir(parents=True)
        write_image(image, path, "png")
    (pair,) = ingest(options(tmp_path / "data", source="raindrop", type="", degraded="", clean="")).pairs
    assert (pair.source, pair.degradation, pair.split) == ("Raindrop", "raindrop", "train")


@pytest.mark.parametrize("side", ["clean-left", "clean-right"])
def test_side_by_side(tmp_path, side):
    (tmp_path / "test").mkdir()
    halves = [scene(0), hazy(scene(0))][:: 1 if side == "clean-left" else -1]
    write_image(np.hstack(halves), tmp_path / "test" / "both.png", "png")
    (pair,) = ingest(options(tmp_path / "test", degraded="", clean="", side_by_side=side)).pairs
    assert pair.split == "test" and (pair.width, pair.height) == (64, 48)
    assert np.array_equal(pair.clean.image(), scene(0))
    assert np.array_equal(pair.degraded.image(), hazy(scene(0)))


def test_a_tar(tmp_path):
    with tarfile.open(tmp_path / "pairs.tar", "w") as tar:
        for number in range(2):
            for ending, image in (("gt.png", scene(number)), ("rain.jpg", hazy(scene(number))), ("txt", None)):
                data = b"a street" if image is None else encode_image(image, ending[-3:])
                info = tarfile.TarInfo(f"part/{number:04d}.{ending}")
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    made = ingest(options(tmp_path / "pairs.tar", degraded="rain.jpg", clean="gt.png"))
    assert [pair.degraded.file.suffix for pair in made.pairs] == [".jpg", ".jpg"], "good bytes are stored untouched"
    assert np.array_equal(made.pairs[1].clean.image(), scene(1))
    with pytest.raises(BadManifest, match=r"no sample has both gt.png and snow.png; there are gt.png, rain.jpg, txt"):
        ingest(options(tmp_path / "pairs.tar", degraded="snow.png", clean="gt.png", overwrite=True))


def test_members_whose_names_say_the_same_to_a_file_system_are_files_of_their_own(tmp_path):
    keys = ["日本", "中国", "a b", "a_b", "A_b", f"1{'x' * 90}", f"2{'x' * 90}"]
    with tarfile.open(tmp_path / "pairs.tar", "w") as tar:
        for number, key in enumerate(keys):
            for ending, image in (("gt.png", scene(number)), ("lq.png", hazy(scene(number)))):
                data = encode_image(image, "png")
                info = tarfile.TarInfo(f"{key}.{ending}")
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    made = ingest(options(tmp_path / "pairs.tar", degraded="lq.png", clean="gt.png"))
    assert len({str(pair.clean.file).lower() for pair in made.pairs}) == len(keys)
    for number, pair in enumerate(made.pairs):
        clean, degraded = pair.read()
        assert np.array_equal(clean, scene(number)) and np.array_equal(degraded, hazy(scene(number)))


def test_two_at_once_do_not_mix_their_files(tmp_path):
    two_folders(tmp_path / "mine")
    with held(tmp_path / "out"), pytest.raises(FolderInUse):
        ingest(options(tmp_path / "mine"))
    assert len(ingest(options(tmp_path / "mine")).pairs) == 3
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["failures.jsonl", "manifest.jsonl"]


def test_a_hugging_face_dataset(tmp_path):
    scenes = [scene(number) for number in range(3)]
    rows = {"foggy": [Image.fromarray(hazy(one)) for one in scenes], "gt": [Image.fromarray(one) for one in scenes],
            "caption": ["a hill", "", "a lake"]}  # fmt: skip
    features = datasets.Features(
        {"foggy": datasets.Image(), "gt": datasets.Image(), "caption": datasets.Value("string")}
    )
    dataset = datasets.Dataset.from_dict(rows, features=features)
    datasets.DatasetDict({"train": dataset, "val": dataset.select([0])}).save_to_disk(tmp_path / "hub")
    config = options(tmp_path / "hub", root=f"hf:{tmp_path / 'hub'}", type="haze", degraded="foggy", clean="gt")
    made = ingest(config)
    assert [(pair.split, pair.caption) for pair in made.pairs] == [
        ("train", "a photo"), ("train", "a lake"), ("validation", "a hill")
    ]  # fmt: skip
    assert made.reasons == {"leak": 1}, "the first training photo is a validation photo too"
    with pytest.raises(BadManifest, match="no image column 'caption' among foggy, gt, caption"):
        ingest(IngestConfig(**{**vars(config), "clean": "caption", "overwrite": True}))


def test_every_reason_to_keep_a_pair_out(tmp_path):
    root = two_folders(tmp_path / "mine")
    for number, degraded in {
        "small": hazy(scene(9))[:-4], "same": scene(9), "moved": hazy(np.roll(scene(9), (9, 11), axis=(0, 1))),
    }.items():  # fmt: skip
        write_image(scene(9), root / f"gt/{number}_clean.png", "png")
        write_image(degraded, root / f"rainy/{number}_rain.png", "png")
    write_image(scene(9), root / "gt/broken_clean.png", "png")
    (root / "rainy/broken_rain.png").write_bytes(b"no picture")
    write_image(scene(9), root / "rainy/lonely_rain.png", "png")
    for number in range(2):
        write_image(scene(9), root / f"gt/alone{number}_clean.png", "png")
    made = ingest(options(root))
    assert made.reasons == {"identical": 1, "misaligned": 1, "no_clean": 1, "no_degraded": 2, "not_an_image": 1,
                            "size_mismatch": 1}  # fmt: skip
    assert len(made.pairs) == 3
    rows = read_jsonl(tmp_path / "out" / "failures.jsonl")
    assert Counter(row["failed"] for row in rows) == made.reasons
    assert any("64 x 48 and 64 x 44" in row["message"] for row in rows)


def test_a_clean_photo_stays_in_one_split(tmp_path):
    root = tmp_path / "Rain13K"
    for split, name, number in (("train/input", "1", 0), ("train/input", "2", 1), ("test/Rain100L/input", "9", 0)):
        path = root / split / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_image(hazy(scene(number)), path, "png")
        path = Path(str(path).replace("input", "target"))
        path.parent.mkdir(parents=True, exist_ok=True)
        write_image(scene(number), path, "png")
    made = ingest(options(root, source="rain13k", type="", degraded="", clean=""))
    assert [(pair.split, Path(pair.clean.path).stem) for pair in made.pairs] == [("test", "9"), ("train", "2")]
    assert made.reasons == {"leak": 1}


def test_shares_are_by_clean_photo(tmp_path):
    root = two_folders(tmp_path / "mine", count=12)
    for number in range(12):
        write_image(hazy(scene(number), 0.6), root / f"rainy/s{number}_2_rain.png", "png")
    made = ingest(options(root, degraded="rainy/{id}_rain", clean="gt/{id}_clean", split="train=0.5,test=0.5"))
    assert {pair.split for pair in made.pairs} == {"train", "test"}


def test_what_does_not_go_together(tmp_path):
    root = two_folders(tmp_path / "mine")
    for changes, error, says in (
        ({"root": str(tmp_path / "gone")}, MissingPath, "gone"),
        ({"type": ""}, BadOption, "--type: is needed"),
        ({"degraded": "", "clean": ""}, BadOption, "--source: is needed"),
        ({"degraded": "", "clean": "", "source": "imagenet"}, UnknownSource, "known layouts"),
        ({"side_by_side": "left"}, BadOption, "clean-left or clean-right"),
        ({"degraded": "snowy/{id}"}, MissingPath, "mine/snowy: no such"),
        ({"clean": "cleam/"}, MissingPath, "mine/cleam: no such"),
        ({"degraded": "{id}_snowy"}, NoImages, "_snowy"),
        ({"split": "train=2"}, BadOption, "--split"),
    ):
        with pytest.raises(error, match=says):
            ingest(options(root, **changes))
    assert not (tmp_path / "out" / "manifest.jsonl").exists()


def test_no_good_pair_and_a_manifest_that_exists(tmp_path):
    root = two_folders(tmp_path / "mine", count=1)
    ingest(options(root))
    with pytest.raises(OutputExists):
        ingest(options(root))
    write_image(scene(0), root / "rainy/s0_rain.png", "png")
    with pytest.raises(NoPairs, match="failures.jsonl has the reasons"):
        ingest(options(root, overwrite=True))


def test_members_of_a_tar_without_their_other_half_are_counted(tmp_path):
    with tarfile.open(tmp_path / "pairs.tar", "w") as tar:
        for name in ("1.gt.png", "1.rain.png", "2.rain.png", "3.gt.png"):
            data = encode_image(photo(40, 40, seed=int("gt" in name)), "png")
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    made = ingest(options(tmp_path / "pairs.tar", degraded="rain.png", clean="gt.png"))
    assert len(made.pairs) == 1 and made.reasons == {"no_clean": 1, "no_degraded": 1}
