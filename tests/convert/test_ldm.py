"""The authors' checkpoint format: every key finds its place or is named; averaged weights; no code from pickles."""

import json
from pathlib import Path

import pytest
import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from safetensors.torch import save_file

from gendeg.convert.ldm import PUBLISHED, convert_checkpoint, convert_structure, read_sizes, read_state
from gendeg.model.nafnet import NAFNet
from gendeg.model.samplers import LDM_SCHEDULE, ContinuousEulerAncestralScheduler
from gendeg.primitives.errors import BadManifest, BadModel, MissingPath
from tests.ldm import SMALL, checkpoint

EMA_CONV_IN, RAW_CONV_IN = (
    "model_ema.diffusion_modelinput_blocks00weight",
    "model.diffusion_model.input_blocks.0.0.weight",
)


def sizes(tmp_path: Path) -> dict:
    (tmp_path / "config.json").write_text(json.dumps(SMALL))
    return read_sizes(tmp_path / "config.json")


def written(tmp_path: Path, state: dict[str, torch.Tensor]) -> Path:
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, tmp_path / "c.safetensors")
    return tmp_path / "c.safetensors"


def test_the_averaged_weights_are_taken_and_none_is_lost(tmp_path):
    state = checkpoint(SMALL)
    parts = convert_checkpoint(written(tmp_path, state), sizes(tmp_path))
    assert torch.equal(parts.unet.conv_in.weight, state[EMA_CONV_IN])
    assert not torch.equal(parts.unet.conv_in.weight, state[RAW_CONV_IN])
    assert torch.equal(parts.vae.decoder.conv_out.weight, state["first_stage_model.decoder.conv_out.weight"])
    assert torch.equal(parts.conditioner.cc_projection.weight, state["cc_projection.weight"])
    modules = (parts.unet, parts.vae, parts.text_encoder, parts.conditioner)
    ours = sum(parameter.numel() for module in modules for parameter in module.parameters())
    ema = sum(tensor.numel() for name, tensor in state.items() if name.startswith("model_ema.diffusion"))
    tables = sum(
        state[name].numel() for name in ("betas", "alphas_cumprod", "model_ema.decay", "model_ema.num_updates")
    )
    assert ours + ema + tables == sum(tensor.numel() for tensor in state.values()), "raw and averaged are as many"


def test_a_converted_unet_runs(tmp_path):
    unet = convert_checkpoint(written(tmp_path, checkpoint(SMALL)), sizes(tmp_path)).unet
    with torch.no_grad():
        said = unet(torch.randn(1, 8, 16, 16), torch.tensor(3.5), encoder_hidden_states=torch.randn(1, 16, 24)).sample
    assert said.shape == (1, 4, 16, 16) and said.isfinite().all()


def test_the_published_sizes_fit(monkeypatch):
    """Names and shapes at full size, without the memory: everything stays on the meta device."""
    state = checkpoint(PUBLISHED, device="meta")
    schedule = {"betas", "alphas_cumprod"}
    monkeypatch.setattr(
        "gendeg.convert.ldm.read_state", lambda path: {k: v for k, v in state.items() if k not in schedule}
    )
    monkeypatch.setattr("gendeg.convert.ldm._has_buffers", lambda module: False)
    parts = convert_checkpoint(Path("x"), read_sizes(None))
    assert isinstance(parts.unet, UNet2DConditionModel)
    assert sum(p.numel() for p in parts.unet.parameters()) == 859_532_484  # SD 1.5's 859,520,964 and four more channels
    assert sum(p.numel() for p in parts.vae.parameters()) == 83_653_863
    assert sum(p.numel() for p in parts.text_encoder.parameters()) == 123_060_480


@pytest.mark.parametrize(
    ("dropped", "says"),
    [
        (EMA_CONV_IN, rf"lacks 1 of \d+ averaged \(EMA\) weights: {EMA_CONV_IN}"),
        ("first_stage_model.quant_conv.bias", "lacks 1 weights of AutoencoderKL .quant_conv.bias"),
        ("cond_stage_model.transformer.text_model.final_layer_norm.bias", "lacks 1 weights of CLIPTextModel"),
        ("stats_proj.bias", "lacks 1 weights of Conditioner .stats_proj.bias"),
    ],
)
def test_a_missing_key_is_named(tmp_path, dropped, says):
    state = checkpoint(SMALL)
    del state[dropped]
    with pytest.raises(BadModel, match=says):
        convert_checkpoint(written(tmp_path, state), sizes(tmp_path))


@pytest.mark.parametrize(
    "added",
    [
        "control_model.zero_convs.0.weight",
        "first_stage_model.loss.logvar",
        "first_stage_model.encoder.down.0.attn.0.q.weight",
        "cond_stage_model.transformer.text_model.encoder.layers.7.mlp.fc1.bias",
        "cc_projection.extra",
    ],
)
def test_a_key_too_many_is_named(tmp_path, added):
    state = checkpoint(SMALL) | {added: torch.ones(3)}
    with pytest.raises(BadModel, match=added.rsplit(".", 2)[-2] if "text_model" not in added else "fc1.bias"):
        convert_checkpoint(written(tmp_path, state), sizes(tmp_path))


def test_an_extra_unet_key_is_named(tmp_path):
    extra = {"model.diffusion_model.input_blocks.1.0.strange.weight": torch.ones(2),
             "model_ema.diffusion_modelinput_blocks10strangeweight": torch.ones(2)}  # fmt: skip
    with pytest.raises(BadModel, match=r"input_blocks\.1\.0\.strange\.weight|strange"):
        convert_checkpoint(written(tmp_path, checkpoint(SMALL) | extra), sizes(tmp_path))


def test_other_sizes_are_named(tmp_path):
    with pytest.raises(BadModel, match="other sizes of|lacks"):
        convert_checkpoint(written(tmp_path, checkpoint(SMALL)), read_sizes(None))


def test_another_schedule_is_refused(tmp_path):
    state = checkpoint(SMALL)
    state["alphas_cumprod"] = state["alphas_cumprod"] * 0.9
    with pytest.raises(BadModel, match="noise schedule"):
        convert_checkpoint(written(tmp_path, state), sizes(tmp_path))


class Code:
    """What a pickle may run."""

    def __reduce__(self):
        return (Path.touch, (Path("was_run"),))


def test_pickles_give_tensors_or_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": {"a": torch.ones(2)}}, tmp_path / "good.ckpt")
    torch.save({"a": torch.ones(2)}, tmp_path / "old.ckpt", _use_new_zipfile_serialization=False)
    torch.save({"state_dict": {"a": torch.ones(2)}, "callbacks": Code()}, tmp_path / "bad.ckpt")
    for name in ("good.ckpt", "old.ckpt"):
        assert torch.equal(read_state(tmp_path / name)["a"], torch.ones(2))
    with pytest.raises(BadModel, match="runs no code from pickles"):
        read_state(tmp_path / "bad.ckpt")
    assert not (tmp_path / "was_run").exists()


class ModelCheckpoint:
    """Lightning keeps the state of its callbacks under their classes."""


@pytest.mark.parametrize("zipped", [True, False])
def test_what_is_not_weights_is_named(tmp_path, zipped):
    state = {"state_dict": {"a": torch.ones(2)}, "callbacks": {ModelCheckpoint: {"best_model_score": 0.1}}}
    torch.save(state, tmp_path / "full.ckpt", _use_new_zipfile_serialization=zipped)
    with pytest.raises(
        BadModel, match=rf"\({ModelCheckpoint.__module__}.ModelCheckpoint\), and .* save its state_dict"
    ) as caught:
        read_state(tmp_path / "full.ckpt")
    assert "weights_only" not in str(caught.value) and "\x1b" not in str(caught.value)


def test_everything_that_is_not_weights_is_named(tmp_path):
    torch.save({"state_dict": {}, "callbacks": {ModelCheckpoint: Path("a")}, "run": Code()}, tmp_path / "full.ckpt")
    with pytest.raises(BadModel) as caught:
        read_state(tmp_path / "full.ckpt")
    assert all(name in str(caught.value) for name in ("ModelCheckpoint", "pathlib.PosixPath", "builtins.getattr"))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_checkpoint_in_half_precision_is_taken(tmp_path, dtype):
    """All of it, its schedule too; weights come out as float32 of the same values."""
    state = {name: t.to(dtype) if t.is_floating_point() else t for name, t in checkpoint(SMALL).items()}
    unet = convert_checkpoint(written(tmp_path, state), sizes(tmp_path)).unet
    assert unet.dtype == torch.float32
    assert torch.equal(unet.conv_in.weight, state[EMA_CONV_IN].float())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_half_precision_hides_no_other_schedule(tmp_path, dtype):
    other = ContinuousEulerAncestralScheduler(**LDM_SCHEDULE | {"beta_start": 0.0009}).alphas_cumprod
    with pytest.raises(BadModel, match="another noise schedule"):
        convert_checkpoint(written(tmp_path, checkpoint(SMALL) | {"alphas_cumprod": other.to(dtype)}), sizes(tmp_path))


def test_files_that_are_no_checkpoint(tmp_path):
    (tmp_path / "text.ckpt").write_text("weights, honestly")
    (tmp_path / "text.safetensors").write_text("weights, honestly")
    torch.save([1, 2], tmp_path / "list.ckpt")
    for name in ("text.ckpt", "text.safetensors", "list.ckpt"):
        with pytest.raises(BadModel) as caught:
            read_state(tmp_path / name)
        assert "\n" not in str(caught.value)
    with pytest.raises(MissingPath):
        read_state(tmp_path / "gone.ckpt")


def test_sizes_that_are_no_object(tmp_path):
    (tmp_path / "config.json").write_text('{"unet": 3}')
    with pytest.raises(BadManifest, match="unet"):
        read_sizes(tmp_path / "config.json")


def test_structure_correction_has_our_names(tmp_path):
    own = sizes(tmp_path)
    network = NAFNet(4, (1, 1), 1, (1, 1))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_()
    path = written(tmp_path, network.state_dict())
    assert all(torch.equal(a, b) for a, b in zip(
        convert_structure(path, own).state_dict().values(), network.state_dict().values(), strict=True))  # fmt: skip
    state = network.state_dict()
    state.pop("ending.bias")
    with pytest.raises(BadModel, match="ending.bias"):
        convert_structure(written(tmp_path, state), own)
