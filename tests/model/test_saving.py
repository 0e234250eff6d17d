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
