"""`published = true`: the authors' step redone by hand, its loss and gradients against their numbers, and no other."""

import copy
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gendeg.convert.config import ConvertConfig
from gendeg.convert.convert import convert
from gendeg.model.latents import sample_posterior
from gendeg.model.schedulers import noised
from gendeg.model.weights import load_pipeline
from gendeg.pairs.pair import open_pairs
from gendeg.primitives.errors import BadOption
from gendeg.training.batches import encoded, make_batch
from gendeg.training.config import DiffusionConfig
from gendeg.training.diffusion import make_denoiser, parameter_groups, start_pipeline, train_diffusion
from gendeg.training.examples import Deal
from gendeg.training.presets import preset
from gendeg.training.published import as_published, published_average, squashed_views
from tests.few_pairs import write_pairs
from tests.tiny import REFERENCE, needs_reference, tiny_stable_diffusion, write_base


@pytest.fixture
def model(tmp_path: Path) -> Path:
    torch.set_num_threads(1)
    return write_base(tmp_path / "sd")


@pytest.fixture
def config(tmp_path: Path, model: Path) -> DiffusionConfig:
    return DiffusionConfig(
        pairs=(write_pairs(tmp_path / "pairs", count=4, height=20, width=28),), out=tmp_path / "run", base=str(model),
        published=True, size=8, steps=2, cpu=True, tracker="none", workers=1, sheet_photos=1, sample_steps=1,
    )  # fmt: skip


def test_their_step_by_hand(config: DiffusionConfig) -> None:
    """Two steps of 4 x 32 as their code makes them, in plain torch, against what the training leaves."""
    train_diffusion(config)
    trained = load_pipeline(str(config.out / "model"))
    told = as_published(config, 1)
    torch.manual_seed(told.seed)
    pipeline = start_pipeline(told)
    assert json.loads((config.out / "config.json").read_text())["accumulate"] == told.accumulate == 4
    denoiser = make_denoiser(pipeline, told)
    groups = parameter_groups(denoiser, told)
    assert [group.get("lr", told.learning_rate) for group in groups] == pytest.approx([1e-4, 1e-3])
    optimizer = torch.optim.AdamW(groups, 1e-4, betas=(0.9, 0.999), weight_decay=0.01)
    pairs = open_pairs(told.pairs, "train")
    views = squashed_views(Deal(pairs, told.seed), pairs, told)
    average, least = copy.deepcopy(denoiser.unet.state_dict()), dict[str, torch.Tensor]()
    for micro in range(8):
        b = make_batch(list(range(32 * micro, 32 * micro + 32)), views, pipeline, told)
        b = encoded(b, pipeline, cached=False, half=False)
        kept = pipeline.scheduler.alphas_cumprod[b.timestep]
        said = denoiser(noised(b.degraded, b.noise, kept), b.clean, b.timestep, b.tokens, b.mu, b.sigma, b.direction)
        (torch.nn.functional.mse_loss(said, b.noise) / 4).backward()
        if micro % 4 == 3:
            for name, weight in denoiser.named_parameters():
                if weight.grad is not None:
                    least[name] = torch.minimum(weight.grad.abs(), least.get(name, weight.grad.abs()))
            optimizer.step()
            optimizer.zero_grad()
        kept_share = min(0.9999, (2 + micro) / (11 + micro))
        for name, weight in denoiser.unet.state_dict().items():
            average[name] -= (1 - kept_share) * (average[name] - weight)
    # AdamW moves a weight by the sign of its gradient: where that is nothing but rounding, two right runs may differ.
    sure = {name: gradient > 1e-6 for name, gradient in least.items()}
    assert sum(int(one.sum()) for one in sure.values()) > 0.8 * sum(one.numel() for one in sure.values())
    expected = {f"unet.{name}": weight for name, weight in average.items()} | {
        f"conditioner.{name}": weight for name, weight in denoiser.conditioner.state_dict().items()
    }
    found = {f"{part}.{name}": weight for part in ("unet", "conditioner")
             for name, weight in getattr(trained, part).state_dict().items()}  # fmt: skip
    for name, right in sure.items():
        assert torch.allclose(found[name][right], expected[name][right], atol=3e-6), name
        assert torch.allclose(found[name], expected[name], atol=5e-3), name


def test_what_an_example_is(config: DiffusionConfig) -> None:
    """Whole and squashed, measured on that; half of them mirrored; targets around the posterior's mean."""
    pairs, pipeline = open_pairs(config.pairs, "train"), start_pipeline(config)
    views = squashed_views(lambda number: 1, pairs, config)
    halves = [np.array(Image.fromarray(image).resize((8, 8), Image.Resampling.LANCZOS)) for image in pairs[1].read()]
    difference = np.abs(halves[0] / 255 - halves[1] / 255)
    seen = views(list(range(40)))
    assert {(round(v.intensity.mu, 9), round(v.intensity.sigma, 9)) for v in seen} == {
        (round(difference.mean(), 9), round(difference.std(), 9))
    }
    straight = torch.from_numpy(halves[0] / 127.5 - 1).permute(2, 0, 1).float()
    turned = [torch.allclose(v.clean, straight.flip(-1), atol=1e-6) for v in seen]
    assert 8 < sum(turned) < 32
    assert all(torch.allclose(v.clean, straight, atol=1e-6) or t for v, t in zip(seen, turned, strict=True))
    every = squashed_views(Deal(pairs, 0), pairs, config)
    batch = make_batch(list(range(64)), every, pipeline, config)
    target = encoded(batch, pipeline, cached=False, half=False)
    with torch.no_grad():
        posterior = pipeline.vae.encode(batch.degraded).latent_dist
        clean = pipeline.vae.encode(batch.clean).latent_dist.mode() * batch.keep_image[:, None, None, None]
    drawn = (target.degraded / pipeline.vae.config.scaling_factor - posterior.mean) / posterior.std
    assert drawn.mean().abs() < 0.05 and (drawn.std() - 1).abs() < 0.05 and torch.allclose(target.clean, clean)
    assert len({float(x) for x in batch.timestep}) > 50


@needs_reference
def test_loss_and_gradients_are_those_of_the_published_networks(tmp_path: Path) -> None:
    """Their noise prediction is known for one noisy latent: so is the loss, and its gradient where the UNet ends."""
    io = {name: torch.from_numpy(value) for name, value in np.load(REFERENCE / "io.npz").items()}
    convert(
        ConvertConfig(REFERENCE / "gendeg_ldm.safetensors", tmp_path / "m", config=REFERENCE / "config.json")
    )  # fmt: skip
    pipeline = load_pipeline(str(tmp_path / "m"))
    denoiser = make_denoiser(pipeline, DiffusionConfig((), tmp_path, published=True))
    noise = torch.randn(io["eps"].shape, generator=torch.Generator().manual_seed(0))
    nowhere = torch.full((len(io["t"]), 2), torch.nan)
    said = denoiser(io["x_t"], io["latent"], io["t"], io["input_ids"], io["mu"].float(), io["sigma"].float(), nowhere)
    said.retain_grad()
    loss = (said - noise).square().mean(dim=(1, 2, 3)).mean()
    loss.backward()
    theirs = 2 * (io["eps"] - noise) / noise.numel()
    assert loss.item() == pytest.approx((io["eps"] - noise).square().mean().item(), rel=1e-5)
    assert torch.allclose(said.grad, theirs, atol=1e-4 * float(theirs.abs().max()))
    assert torch.allclose(denoiser.unet.conv_out.bias.grad, theirs.sum(dim=(0, 2, 3)), rtol=1e-3, atol=1e-6)
    unread = [name for name, weight in denoiser.named_parameters() if weight.requires_grad and weight.grad is None]
    frozen = [name for name, weight in denoiser.named_parameters() if not weight.requires_grad]
    assert unread == [] and frozen and all(name.startswith("text_encoder.") for name in frozen)
    zero = torch.zeros_like(io["latent"])
    with torch.no_grad():
        assert torch.allclose(sample_posterior(pipeline.vae, io["clean"], zero), io["latent"], atol=1e-5)


def test_the_average_over_the_unet_only() -> None:
    unet, other = torch.nn.Linear(1, 1, bias=False), torch.nn.Linear(1, 1, bias=False)
    weights = [unet.weight, other.weight]
    for weight in weights:
        weight.data.fill_(1.0)
    average, expected, n = published_average(unet)(weights, 0.9999), 1.0, 0
    for value in (2.0, 5.0, 3.0):
        before = unet.weight.item()
        average.begin(weights)
        for weight in weights:
            weight.data.fill_(value)
        average.step(weights)
        for moved in (before, before, before, value):
            n += 1
            expected += (1 - min(0.9999, (1 + n) / (10 + n))) * (moved - expected)
    assert average.optimization_step == n == 12
    assert average.shadow_params[0].item() == pytest.approx(expected, rel=1e-6)
    assert average.shadow_params[1].item() == 3.0 and average.get_decay(10**6) == 0.9999


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"precision": "fp16"}, "--precision: is 'no' where published = true, not 'fp16'"),
        ({"ema_decay": 0.5}, "--ema-decay: is '0.9999'"),
        ({"cache_latents": True}, "--cache-latents"),
        ({"batch_size": 48}, "48 crops x 2 micro batches x 1 processes are not the 128"),
        ({"accumulate": 3}, "32 crops x 3 micro batches"),
    ],
)
def test_what_is_not_theirs_is_refused(config: DiffusionConfig, changed: dict, says: str) -> None:
    with pytest.raises(BadOption, match=says):
        train_diffusion(replace(config, **changed))
    assert not config.out.exists()


def test_a_model_without_their_meaning_is_refused(config: DiffusionConfig, tmp_path: Path) -> None:
    tiny_stable_diffusion().save_pretrained(tmp_path / "v")
    with pytest.raises(BadOption, match="says the noise"):
        train_diffusion(replace(config, base="", init=str(tmp_path / "v")))


def test_batches_are_dealt_to_processes() -> None:
    told = DiffusionConfig((), Path("x"), published=True, batch_size=16)
    assert [as_published(told, processes).accumulate for processes in (1, 2, 4, 8)] == [8, 4, 2, 1]
    assert as_published(told, 1).size == 256 and as_published(replace(told, size=64), 1).size == 64
    with pytest.raises(BadOption, match="16 processes"):
        as_published(told, 16)


def test_the_preset_is_theirs_and_what_goes_against_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from gendeg.cli import main

    table = preset("paper").tables["diffusion"]
    told = as_published(DiffusionConfig(pairs=(), out=Path("x"), **table), 2)
    assert (told.size, told.batch_size * told.accumulate * 2, told.precision, told.clip_norm) == (256, 128, "no", 0)
    monkeypatch.chdir(tmp_path)
    for given, says in (
        (["--precision", "bf16"], "--precision: is 'no'"),
        (["--warmup", "5"], "--warmup: is '0'"),
        (["--size", "128"], "--size: is 256"),
    ):
        with pytest.raises(SystemExit) as stop:
            main(["train", "diffusion", "--preset", "paper", "--pairs", ".", "--out", "o", *given])
        assert stop.value.code == 2 and says in capsys.readouterr().err
