"""What the three trainings refuse before they open a run's folder."""

from pathlib import Path
from typing import Any

import pytest

from gendeg.pairs.pair import listed, write_manifest
from gendeg.primitives.errors import BadModel, BadOption
from gendeg.training.autoencoder import train_autoencoder
from gendeg.training.config import AutoencoderConfig, DiffusionConfig, StructureConfig
from gendeg.training.diffusion import train_diffusion
from gendeg.training.structure import train_structure
from tests.tiny import tiny_pipeline


@pytest.fixture
def model(tmp_path: Path) -> Path:
    tiny_pipeline().save_pretrained(tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def given(tmp_path: Path) -> dict[str, Any]:
    pair = listed(tmp_path, "a.png", "b.png", "haze", "fog", "train", "a photo", 0.1, 0.1, 32, 24)
    write_manifest(tmp_path / "m.jsonl", [pair])
    return {"pairs": (tmp_path / "m.jsonl",), "out": tmp_path / "run", "size": 32, "cpu": True, "precision": "no"}


def test_folders_that_hold_no_such_network(model: Path, given: dict[str, Any]) -> None:
    for start, says in ((model / "nothing", "no such folder"), (model / "structure", "holds NAFNet, not Autoencoder")):
        with pytest.raises(BadModel, match=says):
            train_autoencoder(AutoencoderConfig(**given, init=str(start)))
        with pytest.raises(BadModel, match=says):
            train_structure(StructureConfig(**given, vae=str(start)))
    with pytest.raises(BadModel, match="not NAFNet"):
        train_structure(StructureConfig(**given, vae=str(model), init=str(model / "vae")))
    assert not given["out"].exists(), "the folder is free for the corrected command"


def test_pickles_are_refused(model: Path, given: dict[str, Any]) -> None:
    (weights,) = (model / "vae").glob("*.safetensors")
    weights.rename(weights.with_suffix(".bin"))
    with pytest.raises(BadModel, match="pickles are refused"):
        train_autoencoder(AutoencoderConfig(**given, init=str(model)))


def test_crops_that_do_not_fit(model: Path, given: dict[str, Any]) -> None:
    odd = given | {"size": 33}
    with pytest.raises(BadOption, match="multiple of 2 for this autoencoder, got 33"):
        train_autoencoder(AutoencoderConfig(**odd, init=str(model)))
    with pytest.raises(BadOption, match="multiple of 2"):
        train_structure(StructureConfig(**odd, vae=str(model)))
    with pytest.raises(BadOption, match="1 pairs are smaller than 32 pixels, for example b.png of 32 x 24"):
        train_diffusion(DiffusionConfig(**given, vae=str(model)))
    assert not given["out"].exists()
