"""What every restorer promises: any size, nothing changed by a fresh one, encode and decode are one, all learns."""

import pytest
import torch

from gendeg.model.bundled import SMOKE, make_autoencoder
from gendeg.model.latents import decode, encode
from gendeg.primitives.errors import BadOption
from gendeg.restore.networks.content_prior import PriorRestorer, prior_of
from gendeg.restore.networks.nafnet import Colour, NAFRestorer
from gendeg.restore.networks.network import Restorer
from gendeg.restore.networks.presets import PRESETS, make_restorer
from gendeg.restore.networks.promptir import Prompt, PromptRestorer, TransposedAttention
from gendeg.restore.networks.swin import SwinRestorer
from tests.restorers import small_prior, small_restorer

SIZES = [(1, 1), (1, 9), (5, 17), (16, 16), (31, 8)]


@pytest.mark.parametrize("model", PRESETS)
@pytest.mark.parametrize("size", SIZES)
def test_a_fresh_restorer_changes_nothing_at_any_size(model: str, size: tuple[int, int]) -> None:
    x = torch.rand(2, 3, *size) * 2 - 1
    assert torch.equal(make_restorer(model, "tiny")(x), x)


@pytest.mark.parametrize("model", PRESETS)
def test_any_size_is_that_of_the_mirrored_image(model: str) -> None:
    network = small_restorer(model)
    x = torch.rand(1, 3, network.factor + 1, network.factor) * 2 - 1
    high, wide = 2 * network.factor, network.factor
    mirrored = torch.cat([x, x[..., 1:-1, :].flip(2)], dim=2)
    assert mirrored.shape[-2:] == (high, wide)
    assert torch.equal(network(x), network(mirrored)[..., : network.factor + 1, :])
    assert not torch.allclose(network(x), x), "its weights are stirred"


@pytest.mark.parametrize("model", PRESETS)
def test_encode_gives_the_maps_that_decode_reads(model: str) -> None:
    network = small_restorer(model)
    x = torch.rand(2, 3, 2 * network.factor, network.factor) * 2 - 1
    features = network.encode(x)
    assert [one.shape[1] for one in features] == network.widths
    sides = [one.shape[-1] for one in features]
    assert sides == sorted(sides, reverse=True) and features[-1].shape[-2] * network.factor == x.shape[-2]
    assert torch.equal(network.decode(features, x), network(x))
    assert torch.allclose(network.embed(x), features[-1].mean(dim=(2, 3)))


@pytest.mark.parametrize("model", PRESETS)
def test_every_weight_learns(model: str) -> None:
    network = small_restorer(model).train()
    network(torch.rand(1, 3, 32, 32)).square().mean().backward()
    idle = [name for name, weight in network.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert idle == []


@pytest.mark.parametrize(
    ("network", "millions"),
    [(NAFRestorer, 115.98), (PromptRestorer, 35.4), (SwinRestorer, 96.0)],  # 115.98: as published
)
def test_sizes_of_the_published_networks(network: type[Restorer], millions: float) -> None:
    with torch.device("meta"):
        count = sum(weight.numel() for weight in network().parameters())
    assert count / 1e6 == pytest.approx(millions, abs=0.1)


def test_names_that_are_not_there() -> None:
    with pytest.raises(BadOption, match="--model: 'unet' is none of nafnet, swin, promptir"):
        make_restorer("unet", "tiny")
    with pytest.raises(BadOption, match="--preset: 'huge' is none of tiny, paper"):
        make_restorer("swin", "huge")


def test_attention_between_channels_of_uniform_scores_is_their_mean() -> None:
    attention = TransposedAttention(4, 2)
    with torch.no_grad():
        attention.temperature.zero_()
        attention.depthwise.weight.zero_()
        attention.depthwise.weight[:, :, 1, 1] = 1
        attention.qkv.weight.copy_(torch.eye(4)[:, :, None, None].repeat(3, 1, 1, 1))
        attention.project.weight.copy_(torch.eye(4)[:, :, None, None])
    x = torch.rand(1, 4, 3, 5)
    expected = x.unflatten(1, (2, 2)).mean(dim=2, keepdim=True).expand(-1, -1, 2, -1, -1).flatten(1, 2)
    assert torch.allclose(attention(x), expected, atol=1e-6)


def test_a_prompt_is_the_map_that_its_weights_choose() -> None:
    prompt = Prompt(2, 3, length=2, side=4, heads=1, out=3)
    with torch.no_grad():
        prompt.weigh.weight.zero_()
        prompt.weigh.bias.copy_(torch.tensor([100.0, -100.0]))
        prompt.smooth.weight.zero_()
        prompt.smooth.weight[range(3), range(3), 1, 1] = 1
        for part in (prompt.interact.attention.project, prompt.interact.feed_forward.project):
            part.weight.zero_()
        prompt.reduce.weight.copy_(torch.eye(5)[2:, :, None, None])
    assert torch.allclose(prompt(torch.rand(1, 2, 4, 4))[0], prompt.maps[0])


def test_a_fresh_content_prior_is_the_autoencoders_round_trip() -> None:
    autoencoder = make_autoencoder(SMOKE).eval()
    x = torch.rand(1, 3, 16, 24) * 2 - 1
    with torch.no_grad():
        expected = decode(autoencoder, encode(autoencoder, x))
        for detail_path in (True, False):
            fresh = prior_of(make_restorer("nafnet", "tiny"), autoencoder, detail_path).eval()
            assert torch.allclose(fresh(x), expected, atol=1e-6)


@pytest.mark.parametrize("model", PRESETS)
@pytest.mark.parametrize("detail_path", [True, False])
def test_the_autoencoder_stays_and_the_rest_learns(model: str, detail_path: bool) -> None:
    network = small_prior(model, detail_path).train()
    network(torch.rand(1, 3, 17, 16)).square().mean().backward()
    for name, weight in network.named_parameters():
        frozen = name.startswith("autoencoder.")
        assert weight.requires_grad != frozen
        assert (weight.grad is None) == frozen, name
    assert not network.autoencoder.training and network.trunk.training


def test_without_the_detail_path_the_decoder_alone_makes_the_image() -> None:
    network = small_prior("nafnet", detail_path=False)
    x = torch.rand(1, 3, 16, 16) * 2 - 1
    latent = encode(network.autoencoder, x) + network.change(network.encode(x), (8, 8)) / network.scale
    assert torch.allclose(network(x), decode(network.autoencoder, latent), atol=1e-6)
    assert network.detail is None and isinstance(network, PriorRestorer)


def test_a_gain_and_an_offset_of_each_colour() -> None:
    network = Colour([3])
    with torch.no_grad():
        network.say[2].bias.copy_(torch.tensor([0.5, 0.0, -1.0, 0.1, 0.2, 0.0]))
    x = torch.full((1, 3, 2, 2), 0.4)
    expected = torch.tensor([0.3, 0.2, -0.4])[None, :, None, None].expand(1, 3, 2, 2)
    assert torch.allclose(network(x, [x]), expected)
