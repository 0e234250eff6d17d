"""A user's own files beside a dataset, in its card, in its picture; a dataset that lies elsewhere than it was built."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from gendeg.build.build import build, plan
from gendeg.build.push import PRIVATE, plan_upload, push
from gendeg.build.repair import repair, retry
from gendeg.build.verify import notes, verify
from gendeg.cli.app import main
from gendeg.primitives.errors import ForeignFolder, NeedsInputs, NotADataset
from gendeg.primitives.images import read_rgb, write_image
from gendeg.shards.layout import Layout
from gendeg.shards.verify import Depth
from tests.builds import copy_build, small_build, tree, write_photos
from tests.hub import LocalHub
from tests.tiny import photo

QUIET = {"device": "cpu", "workers": 2, "progress": False}
MINE = "\n## How I use it\n\nMine.\n"


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Every file with its bytes and the time at which it was written."""
    return {
        path.relative_to(folder).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Holds `out`, a finished dataset, and `photos`."""
    return copy_build(tmp_path)


# --- the folder ---


@pytest.mark.parametrize("make", [build, plan])
def test_a_folder_in_use_is_refused_and_stays_as_it_was(tmp_path, make):
    out = tmp_path / "out"
    for name in ("README.md", "preview.png", "notes/.draft.tmp", ".gendeg/own.txt"):
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text("mine")
    before = contents(out)
    with pytest.raises(ForeignFolder, match="is in use, for something else"):
        make(small_build(tmp_path))
    assert contents(out) == before


def test_the_photos_own_folder_is_refused(tmp_path):
    photos = write_photos(tmp_path / "photos")
    before = contents(photos)
    with pytest.raises(ForeignFolder):
        build(small_build(tmp_path, out=photos))
    assert contents(photos) == before


def test_files_beside_the_shards_are_left_alone(root):
    mine = ("notes/.draft.tmp", ".draft.tmp", "notes/.train-00000.tar.tmp", "haze.txt", ".gendeg/mine.tmp")
    for name in mine:
        (root / "out" / name).parent.mkdir(exist_ok=True)
        (root / "out" / name).write_text("mine")
    build(small_build(root))
    repair(root / "out", Depth(), **QUIET)
    retry(root / "out", **QUIET)
    assert {(root / "out" / name).read_text() for name in mine} == {"mine"}
    assert list(verify(root / "out", Depth())) == []


@pytest.mark.parametrize("again", [lambda out: repair(out, Depth(), **QUIET), lambda out: retry(out, **QUIET)])
def test_nothing_is_written_into_what_is_no_dataset(tmp_path, again):
    with pytest.raises(NotADataset):
        again(tmp_path)
    assert list(tmp_path.iterdir()) == []


# --- the card and the picture ---


AGAIN: dict[str, Callable[[Path], object]] = {
    "build": lambda root: build(small_build(root)),
    "repair": lambda root: repair(root / "out", Depth(), **QUIET),
    "retry": lambda root: retry(root / "out", **QUIET),
    "push": lambda root: push(root / "out", "user/name", api=LocalHub()),
}


@pytest.mark.parametrize("name", AGAIN)
def test_an_edited_card_and_picture_outlive_every_command(root, name):
    out = root / "out"
    card = (out / "README.md").read_text().replace("license: other", "license: cc-by-4.0") + MINE
    (out / "README.md").write_text(card)
    write_image(photo(20, 20), out / "preview.png", "png")
    picture = (out / "preview.png").read_bytes()
    AGAIN[name](root)
    assert (out / "README.md").read_text() == card and (out / "preview.png").read_bytes() == picture


def test_a_dry_run_of_push_writes_nothing(root):
    (root / "out/README.md").write_text("my own card")
    (root / "out/preview.png").unlink()
    before = contents(root / "out")
    assert {"user/name/README.md", "user/name/preview.png"} <= set(plan_upload(root / "out", "user/name").files)
    assert contents(root / "out") == before


def test_verify_tells_edited_from_damaged(root, capsys):
    out, card = root / "out", root / "out/README.md"
    whole = card.read_text()
    assert list(verify(out, Depth())) == [] and notes(out) == []
    card.write_text(whole + MINE)
    write_image(photo(20, 20), out / "preview.png", "png")
    with pytest.raises(SystemExit) as end:
        main(["verify", str(out)])
    assert end.value.code == 0
    said = capsys.readouterr().err
    assert "README.md: edited" in said and "preview.png: another picture" in said and "nothing wrong" in said
    damages = {
        "ours": whole.replace("mu, median", "mu, mediam") + MINE, "cut": whole[:200], "empty": "",
        "mark": whole.replace("<!-- gendeg:end -->", "") + MINE,
    }  # fmt: skip
    for text in damages.values():
        card.write_text(text)
        assert [str(problem) for problem in verify(out, Depth())] == ["README.md: missing, or not what the shards say"]
        repair(out, Depth(), **QUIET)
        assert list(verify(out, Depth())) == []
        assert ("Mine." in card.read_text()) == ("Mine." in text)
    (out / "preview.png").write_bytes(b"\x89PNG cut")
    assert [str(problem) for problem in verify(out, Depth())] == ["preview.png: missing, or not what the shards say"]
    repair(out, Depth(), **QUIET)
    assert read_rgb(out / "preview.png").size and list(verify(out, Depth())) == []


# --- where it lies ---


def test_the_place_is_no_part_of_a_dataset(root):
    before = tree(root / "out")
    (root / "out").rename(root / "renamed")
    shutil.copytree(root / "renamed", root / "elsewhere/copied")
    for out in (root / "renamed", root / "elsewhere/copied"):
        assert list(verify(out, Depth(images=True))) == [] and notes(out) == []
        (out / "README.md").unlink()
        (out / "haze/train-00000.tar").unlink()
        repair(out, Depth(), **QUIET)
        assert tree(out) == before


def test_a_downloaded_copy_is_verified_and_says_what_it_lacks(root):
    from huggingface_hub.utils import filter_repo_objects

    out, copy = root / "out", root / "download"
    names = [path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()]
    for name in filter_repo_objects(names, ignore_patterns=list(PRIVATE)):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(out / name, copy / name)
    (copy / ".gitattributes").write_text("*.tar filter=lfs")
    (copy / ".cache/huggingface").mkdir(parents=True)
    shutil.rmtree(root / "photos")
    assert list(verify(copy, Depth(images=True))) == []
    (note,) = notes(copy)
    assert "original photos are not here (nor is their list" in note
    (copy / "haze/train-00000.tar").write_bytes(b"")
    assert [problem.shard for problem in verify(copy, Depth())] == ["haze/train-00000"]
    with pytest.raises(NeedsInputs, match="repair it there, or download"):
        repair(copy, Depth(), **QUIET)
    (note,) = notes(out)
    assert str(root / "photos") in note


def test_relative_places_are_found_from_anywhere(tmp_path, monkeypatch):
    write_photos(tmp_path / "photos")
    monkeypatch.chdir(tmp_path)
    config = small_build(tmp_path)
    for name, place in (("model", config.model), ("priors", config.priors)):
        Path(name).symlink_to(place)
    plan(small_build(Path("."), model="model", priors="priors"))
    monkeypatch.chdir("/")
    assert repair(tmp_path / "out", Depth(), **QUIET).totals.written == 20


# --- among the photos ---


def test_a_dataset_inside_the_photo_folder_is_resumed(root):
    photos = root / "photos"
    write_photos(photos / "more", 1)
    first = small_build(root, out=photos / "gends", per_image=1)
    second = small_build(root, out=photos / "more/b", per_image=1, types="haze")
    for config in (first, second):
        built = build(config)
        assert built is not None and built.made == 5
        assert {name: count for name, count in built.left_out.items() if name != "dataset"} == {"duplicate": 1}
    for config in (first, second):
        Layout(config.out).shard(*[shard.name for shard in _shards(config.out)][:1]).unlink()
        built = build(config)
        assert built is not None and 0 < built.made < 5


def _shards(out: Path):
    from gendeg.shards.description import read_description

    return read_description(Layout(out)).planned_shards
