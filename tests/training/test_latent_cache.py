"""Latents on disk: what was encoded is read back, an interruption costs a part at most, others get their own."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from gendeg.model.latents import encode
from gendeg.pairs.pair import listed, open_pairs, write_manifest
from gendeg.primitives.images import write_image
from gendeg.primitives.rng import for_sample
from gendeg.training import latent_cache
from gendeg.training.examples import to_tensor
from gendeg.training.latent_cache import make_cache, part_path
from tests.tiny import photo, tiny_pipeline


@pytest.fixture
def pairs(tmp_path):
    rows = []
    for number in range(5):
        clean = photo(24, 32, seed=number)
        write_image(clean, tmp_path / f"c{number}.png", "png")
        write_image(clean // 2, tmp_path / f"d{number}.png", "png")
        rows.append(listed(tmp_path, f"c{number}.png", f"d{number}.png", "haze", "x", "train", "", 0.1, 0.1, 32, 24))
    write_manifest(tmp_path / "m.jsonl", rows)
    return open_pairs([tmp_path / "m.jsonl"], "train")


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr(latent_cache, "PART", 2)


def test_what_was_encoded_is_read_back(tmp_path, pairs):
    vae = tiny_pipeline().vae
    cache = make_cache(vae, pairs, tmp_path / "run", wanted=False)
    assert len(list(cache.folder.iterdir())) == 3
    for index in (0, 3, 4):
        clean, degraded = pairs[index].read()
        with torch.no_grad():
            expected = encode(vae, to_tensor([clean, degraded]))
        torch.testing.assert_close(cache.read(index).clean, expected[0], atol=0.05, rtol=0.05)  # bf16 and fp16
        torch.testing.assert_close(cache.read(index).degraded, expected[1], atol=0.05, rtol=0.05)
        difference = np.abs(clean.astype(float) - degraded).mean() / 255
        assert cache.read(index).intensity.mu == pytest.approx(difference, rel=1e-2)


def test_an_interrupted_run_goes_on(tmp_path, pairs):
    vae = tiny_pipeline().vae
    whole = make_cache(vae, pairs, tmp_path / "run", wanted=False)
    kept = part_path(whole.folder, 0).stat().st_mtime_ns
    part_path(whole.folder, 1).unlink()
    again = make_cache(vae, pairs, tmp_path / "run", wanted=False)
    assert again.folder == whole.folder and part_path(whole.folder, 0).stat().st_mtime_ns == kept
    assert torch.equal(again.read(2).clean, whole.read(2).clean)


def test_other_pairs_and_another_autoencoder_get_their_own(tmp_path, pairs):
    vae = tiny_pipeline().vae
    folders = {
        make_cache(model, some, tmp_path / "run", wanted=False).folder
        for model, some in ((vae, pairs), (vae, pairs[:4]), (tiny_pipeline(seed=1).vae, pairs),
                            (vae, [replace(pairs[0], mu=0.2), *pairs[1:]]))
    }  # fmt: skip
    assert len(folders) == 4


def test_windows_are_cut_alike(tmp_path, pairs):
    pair = make_cache(tiny_pipeline().vae, pairs, tmp_path / "run", wanted=False).read(0)
    window = pair.window(4, for_sample(0, 0, "crop"))
    assert window.clean.shape[-2:] == window.degraded.shape[-2:] == window.difference.shape[-2:] == (4, 4)
    places = [(y, x) for y in range(pair.clean.shape[1] - 3) for x in range(pair.clean.shape[2] - 3)
              if torch.equal(pair.clean[:, y : y + 4, x : x + 4], window.clean)]  # fmt: skip
    assert len(places) == 1
    ((y, x),) = places
    assert torch.equal(pair.degraded[:, y : y + 4, x : x + 4], window.degraded)
