"""The start of fine-tuning: an SD-shaped folder, its input layer widened, what it did before kept."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from gendeg.model.base import load_base, widen_input
from gendeg.model.weights import load_pipeline
from gendeg.primitives.errors import BadModel, HubUnreachable
from tests.tiny import SIZES, narrow_unet, tiny_stable_diffusion, write_base


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return write_base(tmp_path / "sd")


@torch.no_grad()
def test_new_channels_are_silent_and_the_bias_stays():
    unet, x, clean = narrow_unet(), torch.randn(2, 4, 8, 8), torch.randn(2, 4, 8, 8)
    context, bias = torch.randn(2, SIZES.tokens, SIZES.text_dim), unet.conv_in.bias.clone()
    before = unet(x, 500, encoder_hidden_states=context).sample
    widen_input(unet)
    assert unet.config.in_channels == 8 and torch.equal(unet.conv_in.bias, bias)
    assert torch.equal(unet(torch.cat([x, clean], dim=1), 500, encoder_hidden_states=context).sample, before)
    assert unet.conv_in.weight.requires_grad and float(unet.conv_in.weight[:, 4:].abs().sum()) == 0


def test_a_unet_that_reads_both_is_left_alone():
    unet = tiny_stable_diffusion().unet
    weight = unet.conv_in.weight.clone()
    widen_input(unet)
    assert torch.equal(unet.conv_in.weight, weight)


def test_other_numbers_of_channels_are_refused():
    with pytest.raises(BadModel, match="reads 9 channels; 4 or 8 can be trained"):
        widen_input(narrow_unet(9))


def test_a_base_becomes_a_pipeline_that_saves_and_samples(base, tmp_path):
    pipeline = load_base(str(base))
    own = pipeline.config
    assert (own.steps, own.guidance_text, own.guidance_image, own.change_scale) == (100, 7.5, 1.5, {})
    assert pipeline.scheduler.config.prediction_type == "epsilon" and pipeline.conditioner.vector_dim == 0
    pipeline.save_pretrained(tmp_path / "model")
    again = load_pipeline(str(tmp_path / "model"))
    image = again(
        torch.zeros(1, 3, 16, 16), ["a photo, in rainy conditions"], [0.1], [0.1], [torch.Generator().manual_seed(0)],
        steps=2,
    )  # fmt: skip
    assert image.isfinite().all()


def test_the_prediction_is_what_the_base_says(base):
    (base / "scheduler").mkdir()
    (base / "scheduler" / "scheduler_config.json").write_text(json.dumps({"prediction_type": "v_prediction"}))
    assert load_base(str(base)).scheduler.config.prediction_type == "v_prediction"


def test_bases_that_are_none(base, monkeypatch):
    with pytest.raises(BadModel, match="no such model folder"):
        load_base(str(base / "gone"))
    (weights,) = (base / "unet").glob("*.safetensors")
    weights.rename(weights.with_suffix(".bin"))
    with pytest.raises(BadModel):
        load_base(str(base))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(HubUnreachable):
        load_base("somebody/something")


def test_a_base_that_lacks_weights_is_refused(base):
    (weights,) = (base / "text_encoder").glob("*.safetensors")
    state = load_file(weights)
    del state[max(state)]
    save_file(state, weights, {"format": "pt"})
    with pytest.raises(BadModel, match="text_encoder lacks weights"):
        load_base(str(base))
