"""Whose a folder is: nothing is ours by its name, and what is somebody's is refused untouched."""

import os
from pathlib import Path

import pytest

from gendeg.primitives.errors import ForeignFolder, OutputNotWritable
from gendeg.primitives.files import atomic_write, find_images, is_temporary, temporary_beside
from gendeg.primitives.folders import MARK, claim, is_claimed, is_ours


def test_new_and_empty_folders_become_ours_and_stay_so(tmp_path):
    for folder in (tmp_path / "new/deep", tmp_path / "empty"):
        folder.parent.mkdir(exist_ok=True)
        claim(folder, "build")
        (folder / "more.txt").write_text("ours by now")
        claim(folder, "build")
        assert is_ours(folder)
    (tmp_path / "left").mkdir()
    (tmp_path / "left/.DS_Store").touch()  # the system's own
    (tmp_path / "left/.gendeg-0123456789abcdef.tmp").touch()  # of a killed process of ours
    claim(tmp_path / "left", "build")


@pytest.mark.parametrize(
    "path",
    ["README.md", ".hidden", ".gendeg/notes", ".gendeg/made_by.json", ".gendeg/config.json", "haze/a.tar", "x.tmp"],
)
def test_what_is_there_is_somebodys_whatever_its_name(tmp_path, path):
    theirs = tmp_path / path
    theirs.parent.mkdir(exist_ok=True)
    theirs.write_text("{}")
    with pytest.raises(ForeignFolder) as caught:
        claim(tmp_path, "build")
    assert caught.value.name == Path(path).parts[0] and caught.value.folder == tmp_path
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [theirs] and theirs.read_text() == "{}"


def test_what_tells_that_it_is_ours_is_believed(tmp_path):
    (tmp_path / "plan.json").write_text("an earlier version's")
    claim(tmp_path, "build", ours=True)
    assert is_ours(tmp_path) and (tmp_path / MARK).is_file()


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputNotWritable):
        claim(tmp_path / "file", "build")


def test_temporary_names_are_like_nobody_elses(tmp_path):
    assert is_temporary(temporary_beside(tmp_path / "a.tar")) and temporary_beside(tmp_path / "a").parent == tmp_path
    for name in (".draft.tmp", ".gendeg-draft.tmp", "gendeg-0123456789abcdef.tmp", ".gendeg-0123456789abcdef.tmp~"):
        assert not is_temporary(tmp_path / name)
    atomic_write(tmp_path / "a", "b")
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_our_folders_below_a_folder_of_photos_are_not_searched(tmp_path):
    for name in ("a.png", "sub/b.png", "sub/run/c.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    claim(tmp_path / "sub/run", "build", ours=True)
    names = [found.path.name for found in find_images([tmp_path], ours=is_ours)]
    assert names == ["a.png", "b.png"]
    assert [one.path.name for one in find_images([tmp_path / "sub/run"], ours=is_ours)] == ["c.png"]  # asked for


def test_what_synth_wrote_is_no_photo_unless_it_is_asked_for(tmp_path):
    made = tmp_path / "photos/made"
    made.mkdir(parents=True)
    (tmp_path / "photos/a.png").touch()
    for name in ("a.haze.i050.s0.png", "a.rain+haze.i050-025.s1.jpg", "sheet.png"):
        (made / name).touch()
    assert not is_ours(made)
    (made / "records.jsonl").write_text('{"key": "a", "clean_path": "a.png", "seed": 0}\n')
    assert is_ours(made)
    assert [one.path.name for one in find_images([tmp_path / "photos"], ours=is_ours)] == ["a.png"]
    assert len(find_images([made], ours=is_ours)) == 3
    (made / "mine.png").touch()  # somebody's, beside
    assert not is_ours(made)
    assert not is_claimed(made), "and nobody may write into it"
    os.mkfifo(tmp_path / "photos/records.jsonl")
    assert not is_ours(tmp_path / "photos"), "a pipe would be waited for"
