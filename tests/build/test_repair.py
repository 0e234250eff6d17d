"""verify names every damage by shard and sample; repair puts it right, to the same bytes."""

import os
import tarfile
from pathlib import Path

import pytest

from gendeg.build.build import build
from gendeg.build.finish import finish
from gendeg.build.repair import repair, retry
from gendeg.build.status import status
from gendeg.build.verify import verify
from gendeg.primitives.errors import IncompleteDataset, NotADataset, OtherVersion
from gendeg.shards.description import BUILD_SCHEMA, read_description
from gendeg.shards.layout import Layout
from gendeg.shards.verify import Depth
from tests.builds import copy_build, small_build, tree


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The root of a copy that may be damaged."""
    return copy_build(tmp_path)


def test_every_flipped_byte_is_named_and_repaired(copy):
    before = tree(copy / "out")
    path = copy / "out/haze/train-00000.tar"
    whole = path.read_bytes()
    with tarfile.open(path) as tar:
        members = tar.getmembers()
    assert len(members) == 9
    for member in members:
        for place in (member.offset, member.offset_data + member.size // 2):
            damaged = bytearray(whole)
            damaged[place] ^= 1
            path.write_bytes(damaged)
            problems = list(verify(copy / "out", Depth()))
            assert [(p.shard, p.key) for p in problems] == [("haze/train-00000", member.name.split(".")[0])]
    repaired = repair(copy / "out", Depth(), device="cpu", workers=2, progress=False)
    assert repaired.shards == ["haze/train-00000"] and repaired.changed == []
    assert tree(copy / "out") == before


def test_truncation_at_every_block_is_named(copy):
    path = copy / "out/rain/train-00001.tar"
    whole = path.read_bytes()
    for size in range(0, len(whole), 512):
        os.truncate(path, size)
        problems = list(verify(copy / "out", Depth(bytes=False)))
        assert problems and problems[0].shard == "rain/train-00001" and problems[0].key
        path.write_bytes(whole)
    os.truncate(path, 512 * 7)
    before = tree(copy / "out")
    repair(copy / "out", Depth(), device="cpu", workers=2, progress=False)
    assert path.read_bytes() == whole and tree(copy / "out") != before


@pytest.mark.parametrize(
    "name", ["shards/haze-train-00000.json", "shards/rain-train-00002.parquet", "plan.parquet", "manifest.parquet"]
)
@pytest.mark.parametrize("damage", ["missing", "cut", "flipped"])
def test_damaged_side_files_are_found_and_repaired(copy, name, damage):
    before, path = tree(copy / "out"), copy / "out/.gendeg" / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    {"missing": path.unlink, "cut": lambda: os.truncate(path, 40), "flipped": lambda: path.write_bytes(data)}[damage]()
    found = list(verify(copy / "out", Depth()))
    assert found, "the damage went unnoticed"
    repair(copy / "out", Depth(), device="cpu", workers=2, progress=False)
    assert tree(copy / "out") == before


def test_strays_and_missing_shards_are_problems(copy):
    (copy / "out/haze/extra.parquet").write_bytes(b"x")
    (copy / "out/rain/train-00000.tar").unlink()
    found = [str(problem) for problem in verify(copy / "out", Depth(bytes=False))]
    assert found == ["rain/train-00000: the tar is missing", "haze/extra.parquet: not part of the dataset"]


def test_an_unfinished_dataset_is_not_finished(copy):
    (copy / "out/rain/train-00000.tar").unlink()
    layout = Layout(copy / "out")
    with pytest.raises(IncompleteDataset):
        finish(layout, read_description(layout))


def test_a_dataset_of_another_version_is_neither_damaged_nor_touched(copy):
    path = copy / "out/.gendeg/config.json"
    path.write_text(path.read_text().replace(BUILD_SCHEMA, "gendeg-build-1"))
    before = tree(copy / "out")
    ways = (status, lambda out: list(verify(out, Depth())), lambda out: repair(out, Depth()), retry)
    for way in (*ways, lambda out: build(small_build(copy))):
        with pytest.raises(OtherVersion, match="'gendeg-build-1', and this gendeg reads gendeg-build-2"):
            way(copy / "out")
    assert tree(copy / "out") == before


def test_folders_that_are_no_dataset(tmp_path):
    for look in (lambda: list(verify(tmp_path, Depth())), lambda: status(tmp_path), lambda: retry(tmp_path)):
        with pytest.raises(NotADataset):
            look()


def test_what_simulators_made_is_repaired_and_retried(tmp_path):
    changes = {"model": "physics", "steps": None, "types": "rain", "per_image": 1, "attempts": 1, "tolerance": 0.0}
    config = small_build(tmp_path, **changes)
    build(config)
    assert status(config.out).totals.failed
    before = tree(config.out)
    os.truncate(config.out / "rain/train-00000.tar", 512)
    assert repair(config.out, Depth(), workers=1, progress=False).changed == []
    assert tree(config.out) == before
    retry(config.out, workers=1, progress=False)
    assert list(verify(config.out, Depth())) == []
