"""gendeg convert: a checkpoint of the authors' format becomes a folder that samples; half a folder is never left."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from gendeg.convert.agreement import WANTED, Agreement, _error, agreement, doubt, read_reference
from gendeg.convert.config import ConvertConfig
from gendeg.convert.convert import convert, load_tokenizer
from gendeg.intensity.bins import MU_BINS
from gendeg.model.conditioner import Conditioner
from gendeg.model.nafnet import NAFNet
from gendeg.model.samplers import ContinuousEulerAncestralScheduler
from gendeg.model.weights import load_pipeline
from gendeg.primitives.errors import BadManifest, BadModel, BadOption, ForeignFolder, MissingPath, OutputExists
from tests.ldm import SMALL, checkpoint
from tests.tiny import REFERENCE, needs_reference, tiny_tokenizer


@pytest.fixture
def config(tmp_path: Path) -> ConvertConfig:
    save_file(checkpoint(SMALL), tmp_path / "gendeg.safetensors")
    save_file(NAFNet(4, (1, 1), 1, (1, 1)).state_dict(), tmp_path / "nafnet.safetensors")
    (tmp_path / "config.json").write_text(json.dumps(SMALL))
    return ConvertConfig(
        tmp_path / "gendeg.safetensors", tmp_path / "model", tmp_path / "nafnet.safetensors",
        config=tmp_path / "config.json",
    )  # fmt: skip


def test_the_folder_loads_and_samples_as_published(config):
    assert convert(config) == []
    pipeline = load_pipeline(str(config.out))
    own = pipeline.config
    assert (own.steps, own.guidance_text, own.guidance_image, own.change_scale) == (100, 7.5, 1.5, {})
    assert type(pipeline.scheduler).__name__ == "ContinuousEulerAncestralScheduler"
    image = pipeline(
        torch.zeros(1, 3, 20, 28),
        ["a photo, in hazy conditions"],
        [0.1],
        [0.1],
        [torch.Generator().manual_seed(0)],
        steps=2,
    )
    assert image.shape == (1, 3, 20, 28) and image.isfinite().all()


def test_an_existing_folder_is_kept_unless_told(config):
    config.out.mkdir()
    (config.out / "mine.txt").write_text("kept")
    with pytest.raises(OutputExists):
        convert(config)
    assert (config.out / "mine.txt").read_text() == "kept"
    with pytest.raises(ForeignFolder):
        convert(replace(config, overwrite=True))
    assert [path.name for path in config.out.iterdir()] == ["mine.txt"]


@pytest.mark.slow
def test_a_model_is_replaced_and_what_lies_beside_it_stays(config):
    convert(config)
    (config.out / "mine.txt").write_text("kept")
    convert(replace(config, overwrite=True))
    assert (config.out / "model_index.json").exists() and (config.out / "mine.txt").read_text() == "kept"


def test_a_bad_checkpoint_leaves_nothing(config):
    (config.structure or Path()).write_bytes(b"no weights")
    with pytest.raises(BadModel):
        convert(config)
    assert not config.out.exists() and not list(config.out.parent.glob(".*"))


def test_the_published_size_needs_its_tokenizer(tmp_path):
    with pytest.raises(BadOption, match="--base"):
        load_tokenizer("", 49408)
    tiny_tokenizer().save_pretrained(tmp_path / "base" / "tokenizer")
    count = len(tiny_tokenizer())
    assert len(load_tokenizer(str(tmp_path / "base"), count)) == count
    with pytest.raises(BadModel, match=f"knows {count} tokens, the text encoder {count + 1}"):
        load_tokenizer(str(tmp_path / "base"), count + 1)
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadModel, match="no tokenizer in it"):
        load_tokenizer(str(tmp_path / "empty"), count)


def test_reference_files_that_are_none(tmp_path):
    with pytest.raises(MissingPath):
        read_reference(tmp_path / "gone.npz")
    (tmp_path / "io.npz").write_text("numbers")
    with pytest.raises(BadManifest, match="npz"):
        read_reference(tmp_path / "io.npz")


def test_nan_is_no_agreement():
    assert not Agreement("eps", float("nan")).close and Agreement("eps", 1e-4).close


@needs_reference
def test_every_number_of_the_published_implementation(tmp_path):
    rows = convert(ConvertConfig(
        REFERENCE / "gendeg_ldm.safetensors", tmp_path / "model", REFERENCE / "nafnet.safetensors",
        config=REFERENCE / "config.json", check=REFERENCE / "io.npz",
    ))  # fmt: skip
    print("\n".join(f"{row.quantity:<13} {row.error:.2e}" for row in rows))
    inputs = {"mu", "sigma", "clean", "input_ids", "null_ids", "x_t", "t", "noise"}
    assert {row.quantity for row in rows} == set(WANTED) - inputs | {"loop"}
    assert [row for row in rows if not row.close] == []


@pytest.mark.slow
@needs_reference
@torch.no_grad()
def test_what_is_compared_is_what_users_run(tmp_path, monkeypatch):
    """Faults that a comparison with numbers of our own, or with the largest number of an array, does not see."""
    convert(ConvertConfig(REFERENCE / "gendeg_ldm.safetensors", tmp_path / "m", config=REFERENCE / "config.json"))
    pipeline, known = load_pipeline(str(tmp_path / "m")), read_reference(REFERENCE / "io.npz")
    exact, levels = Conditioner.bins_of, ContinuousEulerAncestralScheduler.set_timesteps
    clean = ContinuousEulerAncestralScheduler._clean

    def differing() -> set[str]:
        return {row.quantity for row in agreement(pipeline, known) if not row.close}

    with monkeypatch.context() as patch:  # a step of ours is wrong; the published order has steps of its own
        patch.setattr(ContinuousEulerAncestralScheduler, "_clean", lambda s, eps, *told: clean(s, 1.1 * eps, *told))
        assert differing() == {"loop"}

    def slip(self, count, device=None):
        levels(self, count, device)
        self.sigmas[-2] *= 1.003  # 0.03 beside 14.6

    monkeypatch.setattr(Conditioner, "bins_of", lambda *told: (exact(*told) + 1).clamp(max=MU_BINS.null))
    monkeypatch.setattr(ContinuousEulerAncestralScheduler, "set_timesteps", slip)
    assert {"bins", "sigmas", "context"} <= differing()


def test_an_error_is_measured_beside_what_has_its_scale():
    theirs = torch.tensor([14.6, 0.03, 0.0])
    assert _error(theirs + torch.tensor([0.0, 1e-4, 0.0]), theirs) == pytest.approx(1e-4 / 0.03, rel=1e-3)
    assert _error(theirs + torch.tensor([0.0, 0.0, 1e-4]), theirs) > 1e6
    channels = torch.tensor([10.0, 0.1])[None, :, None, None].expand(1, 2, 3, 3)
    assert _error(channels + 1e-3, channels) == pytest.approx(1e-2, rel=1e-3)
    assert math.isnan(_error(channels, theirs))


def test_only_the_end_of_the_sampling_is_doubted():
    z0, eps = Agreement("z0", 5e-4), Agreement("eps", 1e-6)
    assert "last bit" in doubt([eps, z0]) and "last bit" in doubt([Agreement("loop", 1e-3), z0])
    assert doubt([eps]) == "" and doubt([eps._replace(error=1e-3), z0]) == ""
    assert doubt([Agreement("loop", 1e-2), z0]) == "" and doubt([eps, z0._replace(error=1e-5)]) == ""
    assert z0.close and not z0._replace(error=3e-3).close and not eps._replace(error=5e-4).close
