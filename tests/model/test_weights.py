"""Loading: what is whole loads, pickles and broken folders are refused with a reason, equal models hash equally."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from diffusers import EulerDiscreteScheduler
from diffusers.configuration_utils import FrozenDict
from safetensors.torch import load_file, save_file

from gendeg.model.pipeline import GenDegPipeline
from gendeg.model.weights import load_autoencoder, load_pipeline, model_sha256
from gendeg.primitives.errors import BadModel
from tests.tiny import tiny_pipeline


@pytest.fixture
def saved(tmp_path):
    tiny_pipeline().save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def test_a_folder_loads_and_keeps_its_hash(saved):
    assert model_sha256(load_pipeline(str(saved))) == model_sha256(tiny_pipeline())


def test_a_folder_of_a_variant_loads(tmp_path):
    """Its weights are in `*.fp16.safetensors`; the structure correction alone came without."""
    half = tiny_pipeline().to(dtype=torch.float16, silence_dtype_warnings=True)
    half.save_pretrained(tmp_path / "fp16", variant="fp16")
    half.save_pretrained(tmp_path / "plain")
    shutil.rmtree(tmp_path / "fp16" / "structure")
    shutil.copytree(tmp_path / "plain" / "structure", tmp_path / "fp16" / "structure")
    assert not list((tmp_path / "fp16" / "unet").glob("diffusion_pytorch_model.safetensors"))
    assert model_sha256(load_pipeline(str(tmp_path / "fp16"))) == model_sha256(load_pipeline(str(tmp_path / "plain")))
    again = GenDegPipeline.from_pretrained(tmp_path / "fp16", variant="fp16", local_files_only=True)
    assert model_sha256(again) == model_sha256(load_pipeline(str(tmp_path / "plain")))
    assert load_autoencoder(tmp_path / "fp16").config.latent_channels == 4


def test_the_hash_sees_weights_numbers_and_schedule():
    base = model_sha256(tiny_pipeline())
    weight, number, schedule, kind = (tiny_pipeline() for _ in range(4))
    with torch.no_grad():
        weight.conditioner.stats_proj.bias[0] += 1e-3
    number.register_to_config(steps=4)
    schedule.scheduler.register_to_config(timestep_spacing="leading")
    kind.scheduler = EulerDiscreteScheduler.from_config(kind.scheduler.config)
    assert len({base, *map(model_sha256, (weight, number, schedule, kind, tiny_pipeline(structure=False)))}) == 6


def test_a_number_of_a_later_version_leaves_the_hash_of_models_without_it():
    """A dataset begun with an earlier version can be gone on with."""

    def named(*numbers: str) -> str:
        pipeline = tiny_pipeline()
        pipeline._internal_dict = FrozenDict({k: v for k, v in pipeline.config.items() if k not in numbers})
        return model_sha256(pipeline)

    assert named() == named(
        "calibration", "residual_decoding", "guidance_interval", "sketch_levels", "evenness", "veils"
    )
    changed = tiny_pipeline()
    changed.register_to_config(residual_decoding=True)
    assert model_sha256(changed) != named()


@pytest.mark.parametrize("name", ["vae", "text_encoder", "tokenizer", "unet", "scheduler", "conditioner", "structure"])
def test_a_missing_component_is_named(saved, name):
    for path in (saved / name).iterdir():
        path.unlink()
    with pytest.raises(BadModel, match=name):
        load_pipeline(str(saved))


@pytest.mark.parametrize("name", ["vae", "unet", "conditioner"])
def test_a_component_listed_as_nothing_is_named(saved, name):
    index = json.loads((saved / "model_index.json").read_text())
    (saved / "model_index.json").write_text(json.dumps(index | {name: [None, None]}))
    with pytest.raises(BadModel, match=name):
        load_pipeline(str(saved))


@pytest.mark.parametrize("suffix", [".bin", ".ckpt", ".pt"])
def test_pickles_are_refused(saved, suffix):
    (weights,) = (saved / "unet").glob("*.safetensors")
    weights.rename(weights.with_suffix(suffix))
    with pytest.raises(BadModel, match="unet holds only .*pickles are refused"):
        load_pipeline(str(saved))


def test_cut_weights_are_refused(saved):
    (weights,) = (saved / "unet").glob("*.safetensors")
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(BadModel):
        load_pipeline(str(saved))


@pytest.mark.parametrize("part", ["vae", "unet", "conditioner", "text_encoder", "structure"])
def test_a_missing_weight_is_never_made_up(saved, part):
    (path,) = (saved / part).glob("*.safetensors")
    weights = load_file(path)
    lost = sorted(weights)[1]
    save_file({name: tensor for name, tensor in weights.items() if name != lost}, path, metadata={"format": "pt"})
    with pytest.raises(BadModel, match=f"{part} lacks weights"):
        load_pipeline(str(saved))


def test_a_tokenizer_without_its_vocabulary_is_refused(saved):
    (saved / "tokenizer" / "tokenizer.json").unlink()
    with pytest.raises(BadModel, match="tokenizer has neither"):
        load_pipeline(str(saved))


@pytest.mark.parametrize("name", ["/no/such/folder", "./nothing", "nothing", "a/b/c"])
def test_no_such_folder(name):
    with pytest.raises(BadModel, match="no such model folder"):
        load_pipeline(name)


def test_a_folder_that_is_no_model(tmp_path):
    with pytest.raises(BadModel, match="model_index"):
        load_pipeline(str(tmp_path))


def test_the_autoencoder_alone(saved):
    for folder in (saved, saved / "vae"):
        loaded, known = load_autoencoder(folder).state_dict(), tiny_pipeline().vae.state_dict()
        assert all(torch.equal(known[key], tensor) for key, tensor in loaded.items())
    config = json.loads((saved / "vae" / "config.json").read_text())
    (saved / "vae" / "config.json").write_text(json.dumps(config | {"_class_name": "Pickle"}))
    with pytest.raises(BadModel, match="Pickle"):
        load_autoencoder(saved)


def test_the_bundled_models_autoencoder_loads_by_its_name():
    weights = load_pipeline().vae.state_dict()
    loaded = load_autoencoder(Path("bundled")).state_dict()
    assert all(torch.equal(tensor.float(), weights[key]) for key, tensor in loaded.items())
