"""One photo stands in one split, over generated samples and existing pairs, in whatever bytes it comes."""

from collections import defaultdict
from pathlib import Path

import pytest
from PIL import Image

from gendeg.build import prepare
from gendeg.build.build import build, plan
from gendeg.build.prepare import read_inputs
from gendeg.build.splits import Apart
from gendeg.build.status import failures
from gendeg.build.verify import verify
from gendeg.pairs.config import IngestConfig
from gendeg.pairs.ingest import ingest
from gendeg.pairs.photo import Photo
from gendeg.pairs.split import split_of
from gendeg.primitives.files import read_jsonl, sha256_of, write_jsonl
from gendeg.primitives.images import read_rgb, write_image
from gendeg.shards.description import read_description
from gendeg.shards.layout import Layout
from gendeg.shards.plan import PlanReader
from gendeg.shards.verify import Depth
from tests.builds import small_build, write_photos
from tests.odd_images import encoded


def pairs_of(root: Path, split: str, count: int = 2) -> Path:
    """A manifest of the first photos with a degraded half of each, made by `gendeg pairs ingest`."""
    for number in range(count):
        clean = read_rgb(root / f"photos/p{number}.png")
        write_image((clean // 2).astype("uint8"), folder(root / "dark") / f"p{number}.png", "png")
        write_image(clean, folder(root / "clean") / f"p{number}.png", "png")
    halves = {"type": "low_light", "degraded": "dark", "clean": "clean"}
    made = ingest(IngestConfig(str(root), root / "pairs", split=f"{split}=1", progress=False, **halves))
    assert len(made.pairs) == count
    return made.manifest


def folder(path: Path) -> Path:
    path.mkdir(exist_ok=True)
    return path


def planned(root: Path, **changes: object) -> dict[bytes, set[str]]:
    """Plans a build of the photos; pixels of the clean half → splits, as the plan has them."""
    plan(small_build(root, per_image=1, types="haze", **changes))
    found, layout = defaultdict(set), Layout(root / "out")
    inputs = read_inputs(layout)
    for rows in PlanReader(layout.plan):
        for row in rows:
            clean = Photo(inputs[row.input], row.clean_path.decode()).image()
            found[clean.tobytes()].add(row.split)
    return found


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_photos(tmp_path / "photos")
    return tmp_path


def test_photos_of_included_test_pairs_are_not_trained_on(root, capsys):
    splits = planned(root, include=(pairs_of(root, "test").parent,))  # a folder stands for its manifest
    assert sorted(map(sorted, splits.values())) == [["test"], ["test"], ["train"], ["train"], ["train"]]
    assert "2 photos moved train → test" in capsys.readouterr().err
    assert read_description(Layout(root / "out")).moved == {"train → test": 2}


def test_the_same_pixels_in_other_bytes_are_the_same_photo(root):
    manifest = pairs_of(root, "test")
    for number in range(2):
        path = root / f"photos/p{number}.png"
        path.write_bytes(encoded(Image.fromarray(read_rgb(path)), "PNG", compress_level=9))
    splits = planned(root, include=(manifest,))
    assert len(splits) == 5 and all(len(names) == 1 for names in splits.values())


def test_copies_in_other_bytes_are_drawn_together(root):
    shares = {"train": 0.5, "test": 0.5}
    for number in range(5):
        image = Image.fromarray(read_rgb(root / f"photos/p{number}.png"))
        for level in (1, 9):
            (root / f"photos/p{number}-{level}.png").write_bytes(encoded(image, "PNG", compress_level=level))
    drawn = [{split_of(sha256_of(path), shares) for path in root.glob(f"photos/p{n}*.png")} for n in range(5)]
    assert any(len(names) == 2 for names in drawn), "the copies' hashes would have parted them"
    splits = planned(root, split="train=0.5,test=0.5")
    assert len(splits) == 5 and all(len(names) == 1 for names in splits.values())


def test_pairs_that_disagree_stay_where_they_are_held_out(root):
    manifest = pairs_of(root, "test")
    other = root / "other.jsonl"
    rows = [row | {"clean": f"pairs/{row['clean']}", "degraded": f"pairs/{row['degraded']}", "split": "train"}
            for row in read_jsonl(manifest)]  # fmt: skip
    write_jsonl(other, rows)
    assert all(len(names) == 1 for names in planned(root, include=(other, manifest)).values())
    assert read_description(Layout(root / "out")).left_out == {"leak": 2}
    assert {one.message for one in failures(root / "out")} == {
        f"pairs/../dark/p{n}.png: its clean photo is in split test too" for n in range(2)
    }


def test_what_the_pairs_train_on_is_not_tested_with(root):
    """A share that --split draws gives way: somebody has trained on those pairs."""
    manifest = pairs_of(root, "train", count=5)
    assert set.union(*planned(root, include=(manifest,), split="test=1").values()) == {"train"}


def test_without_a_second_split_nothing_is_decoded(root, monkeypatch):
    from gendeg.build import splits as plan_splits

    monkeypatch.delattr(plan_splits, "Photo")
    planned(root, include=(pairs_of(root, "train"),))


@pytest.mark.parametrize(
    ("same_bytes", "size", "depth"),
    [(True, 0, Depth()), (False, 24, Depth()), (False, 0, Depth(images=True))],
    ids=["one file", "other bytes, stored again", "other bytes, kept"],
)
def test_verify_finds_a_photo_on_both_sides(root, monkeypatch, same_bytes, size, depth):
    """A dataset of a version that did not look."""
    manifest = pairs_of(root, "test", count=1)
    if not same_bytes:
        path = root / "photos/p0.png"
        path.write_bytes(encoded(Image.fromarray(read_rgb(path)), "PNG", compress_level=9))
    monkeypatch.setattr(prepare, "keep_apart", lambda config, inputs, photos, pairs: Apart(photos, pairs))
    build(small_build(root, include=(manifest,), size=size, per_image=1, types="haze"))
    found = list(verify(root / "out", depth))
    assert found and all("its clean photo is in split train too" in problem.what for problem in found)
    assert {problem.shard for problem in found} == {"low_light/test-00000"}
