"""Examples of manifests and of built datasets are the same thing to whoever reads them."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest

from gendeg.pairs.pair import Pair, held_out_pairs, listed, open_pairs, read_manifest, write_manifest
from gendeg.pairs.photos import by_turns
from gendeg.primitives.errors import BadManifest, MissingPath, NoPairs, NotADataset
from gendeg.primitives.images import read_rgb
from gendeg.training.examples import Memory
from tests.builds import finished_build
from tests.few_pairs import write_pairs


def _pair(folder: Path, name: str, degradation: str, source: str = "plain", split: str = "train") -> Pair:
    return listed(folder, name, f"d-{name}", degradation, source, split, "a photo", 0.1, 0.1, 8, 8)


def test_pairs_of_a_manifest_are_what_its_files_hold(tmp_path: Path) -> None:
    manifest = write_pairs(tmp_path, count=4)
    examples = open_pairs([manifest], "train")
    assert sorted(one.clean.place for one in examples) == [f"c{n}.png" for n in range(4)]
    for one in examples:
        clean, degraded = one.read()
        assert np.array_equal(clean, read_rgb(tmp_path / one.clean.path))
        assert np.array_equal(degraded, read_rgb(tmp_path / one.degraded.path))
        assert one.origin == "existing"
        assert [half.shape for half in one.read(short_side=16)] == [(16, 20, 3)] * 2
    assert open_pairs([tmp_path], "validation") == open_pairs([manifest], "validation"), "its folder will do"


def test_samples_of_a_dataset_are_what_its_tars_hold() -> None:
    root = finished_build() / "out"
    examples = open_pairs([root], "train")
    assert len(examples) == 20 and {one.origin for one in examples} == {"generated"}
    assert {one.degradation for one in examples} == {"haze", "rain"}
    members: dict[int, np.ndarray] = {}
    for path in root.glob("haze/*.tar"):
        with tarfile.open(path) as tar:
            for member in tar:
                if not member.name.endswith(".json"):
                    stream = tar.extractfile(member)
                    assert stream is not None
                    key = hash((str(path.relative_to(root)), member.offset_data))
                    members[key] = read_rgb(io.BytesIO(stream.read()).getvalue())
    for one in (example for example in examples if example.degradation == "haze"):
        for half, image in zip((one.clean.place, one.degraded.place), one.read(), strict=True):
            shard, _, place = half.partition("@")
            assert np.array_equal(image, members[hash((shard, int(place)))])
    assert len({one.photo for one in examples}) == 5, "several samples of one photo are told apart from several photos"


def test_places_are_read_together_and_the_order_is_the_seeds(tmp_path: Path) -> None:
    places = [write_pairs(tmp_path / "p"), finished_build() / "out"]
    examples = open_pairs(places, "train", seed=1)
    assert len(examples) == 8 + 20
    again, other = open_pairs(places, "train", seed=1), open_pairs(places, "train", seed=2)
    names = [[one.degraded.place for one in some] for some in (examples, again, other)]
    assert names[0] == names[1] != names[2] and sorted(names[0]) == sorted(names[2])


def test_views_of_a_simulated_photo_are_one_photo(tmp_path: Path) -> None:
    pairs = [_pair(tmp_path, f"clean/a-v{n:02d}.png", "haze", "simulated") for n in range(3)]
    write_manifest(tmp_path / "m.jsonl", [*pairs, _pair(tmp_path, "b-v01.png", "haze", "own")])
    examples = open_pairs([tmp_path / "m.jsonl"], "train")
    assert {one.photo for one in examples} == {str(tmp_path / "clean/a"), str(tmp_path / "b-v01.png")}
    assert sorted(one.origin for one in examples) == ["existing", "simulated", "simulated", "simulated"]


def test_degradations_are_taken_in_turn(tmp_path: Path) -> None:
    kinds = ["haze"] * 5 + ["rain"] + ["snow"] * 2
    write_manifest(tmp_path / "m.jsonl", [_pair(tmp_path, f"{n}.png", kind) for n, kind in enumerate(kinds)])
    examples = open_pairs([tmp_path / "m.jsonl"], "train")
    chosen = by_turns(examples, lambda one: one.degradation, 6)
    assert [one.degradation for one in chosen] == ["haze", "rain", "snow", "haze", "snow", "haze"]
    assert len(by_turns(examples, lambda one: one.degradation, 100)) == 8


def test_what_fits_into_memory_is_read_once(tmp_path: Path) -> None:
    examples = open_pairs([write_pairs(tmp_path, count=4)], "train")
    size = 2 * 32 * 40 * 3
    memory = Memory(examples, 2 * size)
    first, again = ([memory.read(number) for number in range(4)] for _ in range(2))
    assert [a is b for a, b in zip(first, again, strict=True)] == [True, True, False, False]
    for both, one in zip(again, examples, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(both, one.read(), strict=True))


def test_what_is_not_there(tmp_path: Path) -> None:
    manifest = write_pairs(tmp_path / "p", held_out=0)
    assert len(held_out_pairs([manifest])) == 8, "where nothing is held out, training pairs are shown"
    with pytest.raises(NoPairs, match="no pairs of split test"):
        open_pairs([manifest], "test")
    with pytest.raises(MissingPath):
        open_pairs([tmp_path / "none.jsonl"], "train")
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotADataset):
        open_pairs([tmp_path / "empty"], "train")
    (tmp_path / "bad.jsonl").write_text('{"clean": "a.png"}\n')
    with pytest.raises(BadManifest, match="line 1"):
        open_pairs([tmp_path / "bad.jsonl"], "train")
    assert read_manifest(manifest)
