"""Model folders are written whole or not at all, and tell nothing of the machine they were made on."""

import pytest

from gendeg.model.saving import write_folder
from gendeg.model.weights import load_pipeline, model_sha256
from tests.tiny import tiny_pipeline


def test_a_saved_model_does_not_say_where_its_parts_lay(tmp_path):
    tiny_pipeline().save_pretrained(tmp_path / "first")
    pipeline = load_pipeline(str(tmp_path / "first"))
    pipeline.save_pretrained(tmp_path / "plain")
    write_folder(tmp_path / "second", pipeline.save_pretrained)
    named = [
        sorted(path.name for path in (tmp_path / folder).rglob("*.json") if str(tmp_path) in path.read_text())
        for folder in ("plain", "second")
    ]
    assert named[0] and not named[1], "diffusers writes it"
    assert model_sha256(load_pipeline(str(tmp_path / "second"))) == model_sha256(pipeline)


def test_what_was_there_stays_until_all_is_written(tmp_path):
    folder = tmp_path / "model"
    write_folder(folder, lambda place: (place.mkdir(), (place / "a").write_text("old")))

    def broken(place):
        place.mkdir()
        (place / "a").write_text("new")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_folder(folder, broken)
    assert (folder / "a").read_text() == "old"
    write_folder(folder, lambda place: (place.mkdir(), (place / "b").write_text("new")))
    assert [path.name for path in folder.iterdir()] == ["b"] and len(list(tmp_path.iterdir())) == 1


def test_what_people_put_beside_a_model_is_kept(tmp_path):
    folder, pipeline = tmp_path / "model", tiny_pipeline()
    write_folder(folder, pipeline.save_pretrained)
    (folder / "README.md").write_text("mine")
    (folder / "notes").mkdir()
    (folder / "notes/results.txt").write_text("mine")
    write_folder(folder, tiny_pipeline(structure=False, seed=1).save_pretrained)
    assert (folder / "README.md").read_text() == (folder / "notes/results.txt").read_text() == "mine"
    assert not (folder / "structure").exists(), "the old model's part"
    assert load_pipeline(str(folder)).structure is None and len(list(tmp_path.iterdir())) == 1


def test_a_replacement_that_a_kill_has_cut_is_ended(tmp_path, monkeypatch):
    """Between two renames: the old model is back, with what lay beside it; after both: what lay beside it goes over."""
    import os

    folder = tmp_path / "model"

    def write(place):
        place.mkdir()
        (place / "config.json").write_text("{}")

    real, calls = os.replace, []

    def killed(source, target, at):
        calls.append(source)
        if len(calls) == at:
            raise KeyboardInterrupt
        real(source, target)

    for at in (2, 3):
        write_folder(folder, write)
        (folder / "notes.txt").write_text("mine")
        calls.clear()
        monkeypatch.setattr(os, "replace", lambda source, target, at=at: killed(source, target, at))
        with pytest.raises(KeyboardInterrupt):
            write_folder(folder, write)
        monkeypatch.setattr(os, "replace", real)
        write_folder(folder, write)
        assert (folder / "notes.txt").read_text() == "mine" and len(list(tmp_path.iterdir())) == 1
