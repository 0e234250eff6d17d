"""Restoring photos: names, rows, what is refused, what cannot be read."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gendeg.primitives.errors import BadModel, BadOption, MissingPath, NoImages, OutputExists
from gendeg.primitives.files import read_jsonl
from gendeg.primitives.images import read_rgb, write_image
from gendeg.primitives.records import Failure
from gendeg.restore.apply import Restored, restore_photos
from gendeg.restore.config import RestoreApplyConfig
from gendeg.restore.loading import save_restorer
from gendeg.restore.networks.nafnet import NAFRestorer
from tests.tiny import photo


@pytest.fixture
def config(tmp_path: Path) -> RestoreApplyConfig:
    """An identity restorer, and photos in folders: two of one name, grey, alpha, one that is no image."""
    save_restorer(NAFRestorer(4, (1,), 1, (1,)), tmp_path / "model")
    for place in ("a.png", "inner/a.png", "inner/deep/b.jpg"):
        (tmp_path / "photos" / place).parent.mkdir(parents=True, exist_ok=True)
        write_image(photo(20, 31, seed=len(place)), tmp_path / "photos" / place, place[-3:])  # type: ignore[arg-type]
    Image.new("L", (7, 5), 90).save(tmp_path / "photos" / "grey.png")
    Image.new("RGBA", (6, 6), (200, 10, 10, 0)).save(tmp_path / "photos" / "alpha.png")
    (tmp_path / "photos" / "bad.png").write_bytes(b"not an image")
    return RestoreApplyConfig(tmp_path / "model", (tmp_path / "photos",), tmp_path / "out", tile=16, overlap=4)


def test_every_photo_below_the_folder_is_restored_or_named(config: RestoreApplyConfig, tmp_path: Path) -> None:
    rows = list(restore_photos(config))
    made = {row.restored: row for row in rows if isinstance(row, Restored)}
    assert len(made) == 5 and {"grey.restored.png", "alpha.restored.png", "b.restored.png"} < made.keys()
    (failure,) = [row for row in rows if isinstance(row, Failure)]
    assert failure.failed == "not_an_image" and "bad.png" in failure.message
    for name, row in made.items():
        restored = read_rgb(config.out / name)
        assert np.array_equal(restored, read_rgb(row.photo)), "the identity, through windows"
        assert restored.shape == (row.height, row.width, 3)
    assert (read_rgb(config.out / "alpha.restored.png") == 255).all(), "alpha lies on white"
    assert len(read_jsonl(config.out / "restored.jsonl")) == 6 and (config.out / "sheet.png").exists()


def test_results_are_replaced_only_when_told_and_never_restored_again(
    config: RestoreApplyConfig, tmp_path: Path
) -> None:
    inside = replace(config, out=tmp_path / "photos")
    assert len(list(restore_photos(inside))) == 6
    with pytest.raises(OutputExists, match="--overwrite"):
        list(restore_photos(inside))
    assert len(list(restore_photos(replace(inside, overwrite=True)))) == 6


def test_what_is_refused(config: RestoreApplyConfig, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for changed, error in (
        ({"paths": (tmp_path / "none",)}, MissingPath), ({"paths": (tmp_path / "empty",)}, NoImages),
        ({"model": tmp_path / "none"}, BadModel), ({"overlap": 16}, BadOption), ({"device": "abacus"}, BadOption),
    ):  # fmt: skip
        with pytest.raises(error):
            list(restore_photos(replace(config, **changed)))
    assert not config.out.exists()
