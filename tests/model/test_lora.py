"""LoRA: nothing changes at the start, little is trained, what was saved is the fused model again, misfits are said."""

import json

import pytest
import torch

from gendeg.model.lora import add_lora, fuse_lora, put_lora, save_lora
from gendeg.model.weights import load_pipeline, model_sha256
from gendeg.primitives.errors import BadModel
from tests.tiny import tiny_pipeline, tiny_stable_diffusion


def stirred(pipeline):
    """As after training: every weight that may move has moved."""
    torch.manual_seed(5)
    with torch.no_grad():
        for part in (pipeline.unet, pipeline.conditioner):
            for weight in part.parameters():
                if weight.requires_grad:
                    weight.add_(0.1 * torch.randn_like(weight))
    return pipeline


@torch.no_grad()
def test_it_starts_as_the_model_that_it_changes():
    unet, inputs = tiny_stable_diffusion().unet, torch.randn(1, 8, 8, 8)
    context = torch.randn(1, 16, 16)
    before = unet(inputs, 300, encoder_hidden_states=context).sample
    add_lora(unet, 2)
    assert torch.equal(unet(inputs, 300, encoder_hidden_states=context).sample, before)
    trained = {name for name, weight in unet.named_parameters() if weight.requires_grad}
    assert {"conv_in.weight", "conv_in.bias"} == {name for name in trained if ".lora_" not in name}
    projections = [name for name, _ in unet.named_modules() if name.endswith(("to_q", "to_k", "to_v", "to_out.0"))]
    assert len(trained) == 2 + 2 * len(projections)


def test_what_was_saved_is_the_fused_model_again(tmp_path):
    tiny_pipeline().save_pretrained(tmp_path / "base")
    pipeline = load_pipeline(str(tmp_path / "base"))
    add_lora(pipeline.unet, 2)
    save_lora(stirred(pipeline), tmp_path / "lora", str(tmp_path / "base"), "init")
    assert sum(path.stat().st_size for path in (tmp_path / "lora").iterdir()) < 100_000
    names = list(tiny_pipeline().unet.state_dict())
    fuse_lora(pipeline.unet)
    assert list(pipeline.unet.state_dict()) == names
    again = load_pipeline(str(tmp_path / "lora"))
    assert model_sha256(again) == model_sha256(pipeline) != model_sha256(load_pipeline(str(tmp_path / "base")))


def test_a_base_of_another_size_is_refused(tmp_path):
    pipeline = tiny_pipeline()
    add_lora(pipeline.unet, 2)
    save_lora(stirred(pipeline), tmp_path, "x/y", "init")
    with pytest.raises(BadModel, match="does not fit the model that its lora.json names: .* weights, for example"):
        put_lora(tiny_stable_diffusion(), tmp_path)


def test_weights_of_another_shape_are_refused(tmp_path):
    pipeline = tiny_pipeline()
    add_lora(pipeline.unet, 2)
    save_lora(stirred(pipeline), tmp_path, "x/y", "init")
    named = json.loads((tmp_path / "lora.json").read_text())
    (tmp_path / "lora.json").write_text(json.dumps(named | {"rank": 3}))
    with pytest.raises(BadModel, match="does not fit"):
        put_lora(tiny_pipeline(), tmp_path)


@pytest.mark.parametrize("taught", [{"levels": []}, {"levels": [], "guidance_text": 1.0, "guidance_image": 1.0}])
def test_a_lesson_that_cannot_be_read(tmp_path, taught):
    tiny_pipeline().save_pretrained(tmp_path / "base")
    pipeline = load_pipeline(str(tmp_path / "base"))
    add_lora(pipeline.unet, 1)
    save_lora(pipeline, tmp_path / "lora", str(tmp_path / "base"), "init", taught)
    with pytest.raises(BadModel, match="says of distilling"):
        load_pipeline(str(tmp_path / "lora"))


@pytest.mark.parametrize("named", [{}, {"kind": "other", "base": "a"}, {"kind": "init", "base": "/nowhere"}])
def test_a_folder_that_names_no_base(tmp_path, named):
    (tmp_path / "lora.json").write_text(json.dumps(named))
    with pytest.raises(BadModel):
        load_pipeline(str(tmp_path))
