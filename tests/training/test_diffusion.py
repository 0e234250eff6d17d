"""A diffusion training from end to end at toy size: a base of Stable Diffusion's shape, all weights and LoRA."""

import csv
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from gendeg.model.base import load_base
from gendeg.model.latents import decode, encode
from gendeg.model.weights import load_pipeline, load_structure, model_sha256
from gendeg.pairs.pair import open_pairs
from gendeg.primitives.errors import BadOption
from gendeg.training.config import DiffusionConfig, StructureConfig
from gendeg.training.diffusion import train_diffusion
from gendeg.training.structure import train_structure
from tests.few_pairs import write_pairs
from tests.tiny import clean_image, generators, tiny_pipeline, tiny_stable_diffusion, write_base

SETTINGS = {
    "steps": 3, "batch_size": 2, "size": 16, "precision": "no", "log_every": 1, "sheet_every": 2, "sheet_photos": 1,
    "checkpoint_every": 3, "warmup": 0, "workers": 1, "tracker": "none", "cpu": True,
}  # fmt: skip


@pytest.fixture
def given(tmp_path):
    torch.set_num_threads(1)
    return SETTINGS | {"pairs": (write_pairs(tmp_path / "pairs", count=4),), "out": tmp_path / "run"}


def generate(folder: Path) -> torch.Tensor:
    return load_pipeline(str(folder))(
        clean_image(16, 24), ["a photo, in hazy conditions"], [0.1], [0.1], generators(0), steps=2
    )


def test_a_base_is_trained_and_generates(given, tmp_path, monkeypatch):
    monkeypatch.setattr("gendeg.model.base.PAPER", {"steps": 2, "guidance_text": 7.5, "guidance_image": 1.5})
    base = write_base(tmp_path / "sd")
    config = DiffusionConfig(**given, base=str(base))
    train_diffusion(config)
    trained = load_pipeline(str(config.out / "model"))
    before = load_base(str(base))
    assert not torch.equal(trained.unet.conv_in.weight[:, 4:], before.unet.conv_in.weight[:, 4:]), "no longer silent"
    frozen = before.text_encoder.state_dict()
    assert all(torch.equal(weight, frozen[name]) for name, weight in trained.text_encoder.state_dict().items())
    assert generate(config.out / "model").isfinite().all()
    with open(config.out / "calibration.csv") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["step"] for row in rows] == ["2", "3"] and set(rows[0]) == {"step", "mu_error", "haze", "low_light"}
    best = min(rows, key=lambda row: float(row["mu_error"]))
    assert (model_sha256(load_pipeline(str(config.out / "best"))) == model_sha256(trained)) == (best["step"] == "3")
    card = (config.out / "model" / "README.md").read_text()
    assert "| haze | plain | 2 |" in card and "library_name: diffusers" in card


def test_a_lora_run_leaves_little_and_a_whole_model(given, tmp_path):
    base = tmp_path / "base"
    tiny_pipeline().save_pretrained(base)
    config = DiffusionConfig(**given, init=str(base), lora_rank=1)
    train_diffusion(config)
    fused, kept = load_pipeline(str(config.out / "model")), load_pipeline(str(config.out / "lora"))
    assert model_sha256(fused) == model_sha256(kept) != model_sha256(load_pipeline(str(base)))
    assert (config.out / "best" / "lora.json").is_file()
    assert torch.equal(generate(config.out / "model"), generate(config.out / "lora"))
    names = set(load_file(config.out / "model" / "unet" / "diffusion_pytorch_model.safetensors"))
    assert names == set(tiny_pipeline().unet.state_dict()), "a plain UNet, for whoever has no peft"


def test_cached_latents_train_too(given, tmp_path):
    tiny_pipeline().save_pretrained(tmp_path / "base")
    config = DiffusionConfig(**given, init=str(tmp_path / "base"), cache_latents=True)
    train_diffusion(config)
    assert len(list(config.out.glob("latents-*/*.safetensors"))) == 1 and (config.out / "model").is_dir()


@pytest.mark.parametrize("prediction", ["sample", "v_prediction", "epsilon"])
def test_structure_learns_from_the_current_model(given, tmp_path, prediction):
    pipeline = tiny_stable_diffusion() if prediction == "v_prediction" else tiny_pipeline()
    pipeline.scheduler.register_to_config(prediction_type=prediction)
    pipeline.save_pretrained(tmp_path / "model")
    del given["sheet_photos"]
    config = StructureConfig(**given, sizes="smoke", model=str(tmp_path / "model"))
    train_structure(config)
    assert load_structure(config.out / "structure").config.width == 4
    with open(config.out / "psnr.csv") as stream:
        assert [row["step"] for row in csv.DictReader(stream)] == ["2", "3"]


def test_what_the_model_decodes_is_what_structure_gets(given, tmp_path):
    """At no noise the decoded image is the autoencoder's own; with more, the model's errors are in it."""
    from gendeg.training.structure import make_decoder, make_triples

    del given["sheet_photos"]
    tiny_pipeline().save_pretrained(tmp_path / "model")
    pairs = open_pairs(given["pairs"], "train")
    made = {}
    for share in (0.0, 0.9):
        config = StructureConfig(**given, model=str(tmp_path / "model"), noise_share=share)
        made[share] = make_triples([0, 1, 2], pairs, make_decoder(config), config)
    config = StructureConfig(**given, vae=str(tmp_path / "model"), latent_jitter=0.0)
    plain = make_triples([0, 1, 2], pairs, make_decoder(config), config)
    assert torch.equal(made[0.9][0], plain[0]) and torch.equal(made[0.9][2], plain[2])
    assert not torch.equal(made[0.0][1], made[0.9][1])


def test_structure_starts_from_the_photo_plus_the_decoded_change(given, tmp_path):
    """As asked, or as the model does it."""
    from gendeg.training.structure import make_decoder, make_triples

    del given["sheet_photos"]
    model = tiny_pipeline()
    model.register_to_config(residual_decoding=True)
    model.save_pretrained(tmp_path / "model")
    pairs = open_pairs(given["pairs"], "train")
    asked = StructureConfig(**given, vae=str(tmp_path / "model"), latent_jitter=0.0, residual=True)
    plain = StructureConfig(**given, vae=str(tmp_path / "model"), latent_jitter=0.0)
    as_it_does = StructureConfig(**given, model=str(tmp_path / "model"), noise_share=0.0)
    clean, start, degraded = make_triples([0, 1], pairs, make_decoder(asked), asked)
    vae = make_decoder(asked).vae
    with torch.no_grad():
        change = decode(vae, encode(vae, degraded)) - decode(vae, encode(vae, clean))
    assert torch.allclose(start, (clean + change).clamp(-1, 1), atol=1e-5)
    assert not torch.allclose(start, make_triples([0, 1], pairs, make_decoder(plain), plain)[1], atol=1e-2)
    assert make_decoder(as_it_does).residual and make_decoder(asked).residual and not make_decoder(plain).residual


def test_what_a_model_cannot_do_is_said_before_a_folder_is_made(given, tmp_path):
    tiny_pipeline().save_pretrained(tmp_path / "base")
    for changed, says in (
        ({"short_side": 8}, "--short-side: must be at least --size 16"),
        ({"size": 17}, "multiple of 2"),
        ({"size": 64}, "--short-side 64 would enlarge them"),
        ({"weights": "fog=2"}, "no pair has the degradation or source 'fog'"),
    ):
        with pytest.raises(BadOption, match=says):
            train_diffusion(DiffusionConfig(**given | changed, init=str(tmp_path / "base")))
    assert not given["out"].exists()
