"""Restorers on the disk: what comes back, and what is refused with one line."""

import json
from pathlib import Path

import pytest
import torch

from gendeg.primitives.errors import BadModel
from gendeg.restore.loading import load_restorer, save_restorer
from gendeg.restore.networks.network import Restorer
from gendeg.restore.networks.presets import PRESETS
from tests.restorers import small_prior, small_restorer


@pytest.mark.parametrize("network", [*map(small_restorer, PRESETS), small_prior("swin"), small_prior("nafnet", False)])
@torch.no_grad()
def test_a_saved_restorer_comes_back_whole_with_one_call(tmp_path: Path, network: Restorer) -> None:
    x = torch.rand(1, 3, 9, 21) * 2 - 1
    save_restorer(network, tmp_path / "run" / "model")
    for folder in (tmp_path / "run" / "model", tmp_path / "run"):
        loaded = load_restorer(folder)
        assert type(loaded) is type(network) and not loaded.training
        assert torch.equal(loaded(x), network(x))
    assert {path.suffix for path in (tmp_path / "run" / "model").iterdir()} == {".json", ".safetensors"}


def test_a_loaded_content_prior_still_keeps_its_autoencoder(tmp_path: Path) -> None:
    save_restorer(small_prior(), tmp_path / "m")
    learning = [name for name, weight in load_restorer(tmp_path / "m").named_parameters() if weight.requires_grad]
    assert learning and not any(name.startswith("autoencoder.") for name in learning)


def test_what_is_there_is_replaced_whole(tmp_path: Path) -> None:
    save_restorer(small_restorer("nafnet"), tmp_path / "m")
    save_restorer(small_restorer("swin"), tmp_path / "m")
    assert type(load_restorer(tmp_path / "m")).__name__ == "SwinRestorer"


def _spoil(folder: Path, how: str) -> None:
    config, weights = folder / "config.json", next(folder.glob("*.safetensors"))
    told = json.loads(config.read_text())
    if how == "pickle":
        weights.rename(folder / "diffusion_pytorch_model.bin")
    elif how == "class":
        config.write_text(json.dumps(told | {"_class_name": "UNet2DModel"}))
    elif how == "no config":
        config.unlink()
    elif how == "not json":
        config.write_text("{")
    elif how == "sizes":
        config.write_text(json.dumps(told | {"width": 8}))
    elif how == "cut":
        weights.write_bytes(weights.read_bytes()[:200])
    else:
        for path in folder.iterdir():
            path.unlink()


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("pickle", "pickles are refused"),
        ("class", "holds UNet2DModel, not NAFRestorer or SwinRestorer or PromptRestorer or PriorRestorer"),
        ("no config", "no such file"),
        ("not json", "not JSON"),
        ("sizes", "not a usable model"),
        ("cut", "not a usable model"),
        ("empty", "an empty folder"),
    ],
)
def test_folders_that_are_no_restorer(tmp_path: Path, how: str, says: str) -> None:
    save_restorer(small_restorer(), tmp_path / "m")
    _spoil(tmp_path / "m", how)
    with pytest.raises(BadModel, match=says) as caught:
        load_restorer(tmp_path / "m")
    assert len(str(caught.value).splitlines()) == 1 and caught.value.folder == tmp_path / "m"
    with pytest.raises(BadModel, match="no such folder"):
        load_restorer(tmp_path / "nothing")


def test_a_dataset_in_the_place_of_a_restorer_is_called_so(tmp_path: Path) -> None:
    (tmp_path / "gends/.gendeg").mkdir(parents=True)
    (tmp_path / "gends/.gendeg/config.json").write_text("{}")
    with pytest.raises(BadModel, match="/gends: not a usable model: a dataset; a restorer is") as caught:
        load_restorer(tmp_path / "gends")
    assert caught.value.folder == tmp_path / "gends"
