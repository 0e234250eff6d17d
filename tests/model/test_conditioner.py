"""The conditioner: the published formula and numbers, the null bin, soft bins, Fourier features."""

import math

import numpy as np
import pytest
import torch
from safetensors import safe_open

from gendeg.intensity.bins import MU_BINS, SIGMA_BINS
from gendeg.model.conditioner import Conditioner
from tests.tiny import REFERENCE, needs_reference, tiny_stable_diffusion

NAN = float("nan")


def published(text_dim: int = 6, tokens: int = 5) -> Conditioner:
    torch.manual_seed(0)
    return Conditioner(text_dim=text_dim, tokens=tokens)


def text_of(batch: int, dim: int = 6, tokens: int = 5) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(batch, tokens, dim), torch.randn(batch, dim)


def statistics(*values: float) -> torch.Tensor:
    return torch.tensor(values)


def columns(conditioner: Conditioner, mu: int, sigma: int) -> torch.Tensor:
    """The two extra channels by the definition: W[:, bin] + b of each statistic."""
    weight, bias = conditioner.stats_proj.weight, conditioner.stats_proj.bias
    return torch.stack([weight[:, mu] + bias, weight[:, sigma] + bias], dim=-1)


@torch.no_grad()
def test_the_explicit_formula():
    conditioner, (text, pooled) = published(), text_of(2)
    torch.nn.init.normal_(conditioner.cc_projection.weight)
    torch.nn.init.normal_(conditioner.cc_projection.bias)
    context, vector = conditioner(text, pooled, statistics(0.113, 0.268), statistics(0.071, 0.152))
    for i, (mu, sigma) in enumerate([(20, 22), (49, 48)]):
        wide = torch.cat([text[i], columns(conditioner, mu, sigma)], dim=-1)
        expected = wide @ conditioner.cc_projection.weight.T + conditioner.cc_projection.bias
        torch.testing.assert_close(context[i], expected)
    assert vector is None and conditioner.vector_dim == 0


@torch.no_grad()
def test_starts_as_the_identity():
    conditioner, (text, pooled) = published(), text_of(3)
    context = conditioner(text, pooled, statistics(0.1, 0.7, NAN), statistics(0.0, 0.4, NAN)).context
    torch.testing.assert_close(context, text, rtol=0, atol=0)


@torch.no_grad()
def test_nan_is_the_null_bin_of_each_statistic_alone():
    conditioner = published()
    rows = conditioner._one_hot(statistics(NAN, 0.113, 0.0, 0.7), MU_BINS)
    assert rows.argmax(dim=1).tolist() == [128, 20, 0, 127]
    assert (rows.sum(dim=1) == 1).all() and (rows.max(dim=1).values == 1).all()


@torch.no_grad()
def test_hard_bins_are_the_bins_of_the_intensity_room():
    conditioner = published()
    for bins in (MU_BINS, SIGMA_BINS):
        values = np.random.default_rng(0).uniform(0, bins.high, 500)
        rows = conditioner._one_hot(torch.tensor(values, dtype=torch.float32), bins)
        np.testing.assert_array_equal(rows.argmax(dim=1).numpy(), bins.index(values))


@torch.no_grad()
@pytest.mark.parametrize("bins", [MU_BINS, SIGMA_BINS])
def test_every_edge_is_told_as_its_own_bin(bins):
    """What the weights are multiplied with, for values on edges and the decimals beside them."""
    values = [*(number * bins.width for number in range(129)), 0.075, 0.15, 0.175, 0.3, 0.35]
    rows = published()._one_hot(torch.tensor(values, dtype=torch.float64), bins)
    expected = [*range(128), 127, *(int(np.digitize(v, np.linspace(0, bins.high, 129))) - 1 for v in values[129:])]
    assert rows.argmax(dim=1).tolist() == expected


@torch.no_grad()
def test_the_pipeline_tells_the_bins_of_the_intensity_room():
    """From the numbers a user gives to the columns of the weights, without a rounding in between."""
    pipeline, sigma = tiny_stable_diffusion(), [0.075, 0.15, 0.175, 0.3, 0.35]
    read = pipeline.encode_prompt(["a"] * 5, [0.1] * 5, sigma).context
    centres = (SIGMA_BINS.index(np.array(sigma)) + 0.5) * SIGMA_BINS.width
    assert torch.equal(read, pipeline.encode_prompt(["a"] * 5, [0.1] * 5, centres.tolist()).context)


@torch.no_grad()
def test_soft_bins_share_between_centres():
    conditioner = Conditioner(text_dim=6, tokens=5, soft_bins=True)
    width = MU_BINS.width
    rows = conditioner._one_hot(statistics(3.5 * width, 3.75 * width, 4.0 * width, 0.0, 0.7, NAN), MU_BINS)
    torch.testing.assert_close(rows.sum(dim=1), torch.ones(6))
    assert rows[0, 3] == pytest.approx(1, abs=1e-5)
    assert rows[1, 3:5].tolist() == pytest.approx([0.75, 0.25], abs=1e-5)
    assert rows[2, 3:5].tolist() == pytest.approx([0.5, 0.5], abs=1e-5)
    assert (rows[3, 0], rows[4, 127], rows[5, 128]) == (1, 1, 1)


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize(("mu", "sigma"), [(0.71, 0.1), (-0.01, 0.1), (0.1, 0.41), (float("inf"), 0.1)])
def test_outside_the_bins_is_refused(soft, mu, sigma):
    conditioner, (text, pooled) = Conditioner(text_dim=6, tokens=5, soft_bins=soft), text_of(1)
    with pytest.raises(ValueError, match="outside its bins"):
        conditioner(text, pooled, statistics(mu), statistics(sigma))


@torch.no_grad()
def test_fourier_features_by_hand():
    conditioner, (text, pooled) = Conditioner(text_dim=6, tokens=5, frequencies=2), text_of(2)
    vector = conditioner(text, pooled, statistics(0.175, NAN), statistics(0.4, 0.2)).vector
    assert vector.shape == (2, conditioner.vector_dim) and conditioner.vector_dim == 6 + 2 * 5
    torch.testing.assert_close(vector[:, :6], pooled)
    root = math.sqrt(0.5)
    assert vector[0, 6:].tolist() == pytest.approx([root, 1, root, 0, 0] + [0, 0, -1, 1, 0], abs=1e-5)
    assert vector[1, 6:].tolist() == pytest.approx([0, 0, 0, 0, 1] + [1, 0, 0, -1, 0], abs=1e-5)


@torch.no_grad()
def test_half_precision_weights_take_float_statistics():
    conditioner, (text, pooled) = Conditioner(text_dim=6, tokens=5, soft_bins=True, frequencies=2), text_of(1)
    context, vector = conditioner.to(torch.bfloat16)(
        text.bfloat16(), pooled.bfloat16(), statistics(0.3), statistics(NAN)
    )
    assert context.dtype == vector.dtype == torch.bfloat16


@torch.no_grad()
def test_round_trip(tmp_path):
    saved = Conditioner(text_dim=6, tokens=5, soft_bins=True, frequencies=3)
    saved.save_pretrained(tmp_path)
    loaded = Conditioner.from_pretrained(tmp_path)
    assert {k: v for k, v in loaded.config.items() if k[0] != "_"} == {
        "text_dim": 6, "tokens": 5, "bins": 128, "soft_bins": True, "frequencies": 3, "direction": False,
    }  # fmt: skip
    for name, tensor in saved.state_dict().items():
        assert torch.equal(tensor, loaded.state_dict()[name])


@needs_reference
@torch.no_grad()
def test_the_published_implementation():
    known = {name: torch.tensor(array) for name, array in np.load(REFERENCE / "io.npz").items()}
    conditioner = Conditioner(text_dim=64, tokens=77)
    with safe_open(REFERENCE / "gendeg_ldm.safetensors", "pt") as stream:
        names = [name for name in stream.keys() if name.startswith(("stats_proj.", "cc_projection."))]  # noqa: SIM118
        conditioner.load_state_dict({name: stream.get_tensor(name) for name in names}, strict=True)
    mu, sigma = known["mu"].float(), known["sigma"].float()
    context = conditioner(known["text"], known["text"][:, 0], mu, sigma).context
    null_text = known["null_text"].expand(2, -1, -1)
    null = conditioner(null_text, null_text[:, 0], statistics(NAN, NAN), statistics(NAN, NAN)).context
    for got, expected in ((context, known["context"]), (null, known["null_context"])):
        assert (got - expected).abs().max() / expected.abs().max() < 1e-4
