"""Networks as users have them: a ViT, a CLIP and a convolutional one, small, saved to a folder."""

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import CLIPConfig, CLIPModel, Dinov2Config, Dinov2Model, ResNetConfig, ResNetModel

from gendeg.metrics.features import load_features
from gendeg.primitives.errors import BadModel
from tests.tiny import photo

SMALL = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 28, "patch_size": 14}


def save(kind: str, folder: Path) -> int:
    """Writes a network and returns the length of its vectors."""
    torch.manual_seed(0)
    if kind == "dino":
        Dinov2Model(Dinov2Config(**SMALL)).save_pretrained(folder)
        return 16
    if kind == "clip":
        text = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
        CLIPModel(CLIPConfig(text_config=text, vision_config=SMALL, projection_dim=12)).save_pretrained(folder)
        return 12
    ResNetModel(ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1])).save_pretrained(folder)
    return 16


@pytest.mark.parametrize("kind", ["dino", "clip", "resnet"])
def test_a_folder_becomes_a_function_of_images(tmp_path, kind):
    length = save(kind, tmp_path)
    features = load_features(tmp_path)
    first, again, other = features(photo(20, 30)), features(photo(20, 30)), features(255 - photo(20, 30))
    assert first.shape == (length,) and np.isfinite(first).all()
    assert np.array_equal(first, again) and not np.allclose(first, other)


def test_the_preprocessor_s_numbers_are_used(tmp_path):
    save("dino", tmp_path)
    before = load_features(tmp_path)(photo(20, 30))
    (tmp_path / "preprocessor_config.json").write_text('{"image_mean": [0, 0, 0], "image_std": [1, 1, 1]}')
    assert not np.allclose(load_features(tmp_path)(photo(20, 30)), before)


def test_what_is_no_network_is_said(tmp_path):
    with pytest.raises(BadModel, match="config.json"):
        load_features(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "dinov2"}')
    with pytest.raises(BadModel):
        load_features(tmp_path)
