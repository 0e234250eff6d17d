"""Captioners of five kinds, real classes at toy size, saved and loaded; and what is refused."""

import json
import shutil

import huggingface_hub.constants
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from gendeg.pairs.captioner import Captioner, Wording, locate_captioner
from gendeg.primitives.errors import BadModel, HubUnreachable
from tests import captioners
from tests.tiny import photo

WORDING = Wording("a photo of", "say what this shows")
BLACK, WHITE = np.zeros((20, 24, 3), np.uint8), np.full((24, 3, 3), 255, np.uint8)


def load(folder, wording=WORDING, **options) -> Captioner:
    return Captioner(locate_captioner(str(folder)), wording, **{"beams": 1, "tokens": 3} | options)


@pytest.fixture(scope="module")
def blip(tmp_path_factory):
    return captioners.save_blip(tmp_path_factory.mktemp("blip"), favourite="")


@pytest.mark.parametrize(
    ("save", "says"),
    [
        (captioners.save_blip, "a photo of street street street"),
        (captioners.save_blip2, "dog dog dog"),
        (captioners.save_vit_gpt2, "hill hill hill"),
        (captioners.save_git, "red red red"),
        (captioners.save_llava, "photo photo photo"),
    ],
)
def test_every_kind_says_its_word_and_not_what_it_was_asked(tmp_path, save, says):
    captioner = load(save(tmp_path / "model"), beams=2)
    assert captioner.caption([photo(20, 30), photo(41, 24, seed=1)]) == [says, says]


def test_what_is_said_depends_on_the_image_and_not_on_its_neighbours(blip):
    captioner = load(blip)
    alone = [captioner.caption([image])[0] for image in (BLACK, WHITE)]
    assert alone[0] != alone[1]
    assert captioner.caption([WHITE, BLACK, WHITE]) == [alone[1], alone[0], alone[1]]


def test_words_and_lengths_are_obeyed(blip):
    said = load(blip, Wording("a red dog", ""), tokens=4).caption([WHITE])[0].split()
    assert said[:3] == ["a", "red", "dog"] and len(said) == 7
    assert len(load(blip, Wording("", ""), tokens=2).caption([WHITE])[0].split()) == 2


def test_the_identity_is_that_of_the_content(blip, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(blip, copy)
    (copy / "README.md").write_text("says nothing")
    assert locate_captioner(str(copy)).identity == locate_captioner(str(blip)).identity
    weights = load_file(copy / "model.safetensors")
    weights["vision_model.post_layernorm.bias"] += 1
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    assert locate_captioner(str(copy)).identity != locate_captioner(str(blip)).identity


def test_a_hub_id_is_found_in_the_hub_s_cache_without_a_network(blip, tmp_path, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    commit = "0123456789abcdef0123456789abcdef01234567"
    home = tmp_path / "models--somebody--blip"
    shutil.copytree(blip, home / "snapshots" / commit)
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text(commit)
    located = locate_captioner("somebody/blip")
    assert located.identity == f"somebody/blip@{commit}"
    assert Captioner(located, WORDING, 1, 3).caption([BLACK]) == load(blip).caption([BLACK])
    with pytest.raises(HubUnreachable, match="nobody/blip"):
        locate_captioner("nobody/blip")


def test_pickles_are_refused(blip, tmp_path):
    shutil.copytree(blip, tmp_path / "model")
    weights = load_file(tmp_path / "model" / "model.safetensors")
    (tmp_path / "model" / "model.safetensors").unlink()
    with pytest.raises(BadModel, match="holds no safetensors file"):
        load(tmp_path / "model")
    torch.save(weights, tmp_path / "model" / "pytorch_model.bin")
    with pytest.raises(BadModel, match="only pytorch_model.bin: pickles are refused"):
        load(tmp_path / "model")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda folder: (folder / "config.json").unlink(), "no config.json"),
        (lambda folder: (folder / "config.json").write_text("{"), "config.json"),
        (lambda folder: _set_type(folder, "bert"), "'bert' is no image-to-text model"),
        (lambda folder: _set_type(folder, "speaks"), "speaks"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"not weights"), "model"),
        (lambda folder: _drop(folder, "vision_model.post_layernorm.weight"), "lacks weights, for example vision_model"),
        (
            lambda folder: [(folder / name).unlink() for name in ("tokenizer.json", "tokenizer_config.json")],
            "no tokenizer",
        ),
        (lambda folder: (folder / "processor_config.json").unlink(), "rocessor"),
    ],
)
def test_a_folder_that_cannot_be_used_says_why(blip, tmp_path, change, says):
    folder = tmp_path / "model"
    shutil.copytree(blip, folder)
    change(folder)
    with pytest.raises(BadModel, match=says):
        load(folder)


def test_no_such_folder():
    for name in ("./nowhere", "/no/such/folder", "nowhere"):
        with pytest.raises(BadModel, match="no such model folder"):
            locate_captioner(name)


def _set_type(folder, kind):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"model_type": kind}))


def _drop(folder, name):
    weights = load_file(folder / "model.safetensors")
    del weights[name]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
