"""NAFNet: what it does untrained, at odd sizes, and the published numbers."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from gendeg.model.nafnet import LayerNorm2d, NAFBlock, NAFNet, simple_gate
from tests.tiny import REFERENCE, needs_reference


def small() -> NAFNet:
    torch.manual_seed(0)
    return NAFNet(width=4, encoder_blocks=(1, 1), middle_blocks=1, decoder_blocks=(1, 1)).eval()


@torch.no_grad()
def test_a_fresh_block_is_the_identity():
    x = torch.randn(2, 4, 5, 6)
    assert torch.equal(NAFBlock(4)(x), x)


@torch.no_grad()
def test_a_block_with_weights_is_not():
    block = NAFBlock(4)
    x = torch.randn(2, 4, 5, 6)
    for name in ("beta", "gamma"):
        getattr(block, name).fill_(0.5)
        assert not torch.allclose(block(x), x)
        getattr(block, name).zero_()


def test_simple_gate_by_hand():
    x = torch.tensor([2.0, 3.0, 5.0, 7.0]).reshape(1, 4, 1, 1)
    assert simple_gate(x).flatten().tolist() == [10, 21]


@torch.no_grad()
def test_layer_norm_is_torchs_over_channels():
    norm, x = LayerNorm2d(8), torch.randn(2, 8, 3, 4)
    torch.nn.init.normal_(norm.weight)
    torch.nn.init.normal_(norm.bias)
    expected = torch.nn.functional.layer_norm(x.movedim(1, -1), (8,), norm.weight, norm.bias, 1e-6).movedim(-1, 1)
    torch.testing.assert_close(norm(x), expected, rtol=1e-4, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("size", [(1, 1), (7, 5), (8, 8), (33, 50)])
def test_any_size_keeps_its_size(size):
    clean, generated = torch.randn(2, 2, 3, *size)
    assert small()(clean, generated).shape == (2, 3, *size)


@torch.no_grad()
def test_a_silent_network_returns_the_generated_image():
    net = small()
    net.ending.weight.zero_()
    net.ending.bias.zero_()
    clean, generated = torch.randn(2, 1, 3, 7, 9)
    assert torch.equal(net(clean, generated), generated)


@torch.no_grad()
def test_round_trip(tmp_path):
    net = small()
    net.save_pretrained(tmp_path)
    again, (clean, generated) = NAFNet.from_pretrained(tmp_path).eval(), torch.randn(2, 1, 3, 8, 8)
    assert torch.equal(again(clean, generated), net(clean, generated))


@needs_reference
@torch.no_grad()
def test_the_published_implementation():
    known = {name: torch.tensor(array) for name, array in np.load(REFERENCE / "io.npz").items()}
    net = NAFNet(width=8).eval()
    net.load_state_dict(load_file(REFERENCE / "nafnet.safetensors"), strict=True)
    got, expected = net(known["clean"], known["generated"]), known["corrected"]
    assert (got - expected).abs().max() / expected.abs().max() < 1e-4
