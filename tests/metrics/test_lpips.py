"""LPIPS with weights of our own making: whose names are read, what is refused, and distances known by hand."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from gendeg.metrics.lpips import ALEX, TAPS, VGG, Lpips, load_lpips
from gendeg.primitives.errors import BadModel
from tests.tiny import photo

SLICES = {"alex": {0: 1, 3: 2, 6: 3, 8: 4, 10: 5}}


def _weights(kind: str, names: str) -> dict[str, torch.Tensor]:
    """Random ones under the names of the lpips package (`lpips`), or of torchvision and the package's own (`parts`)."""
    generator, found = torch.Generator().manual_seed(0), {}
    layers = ALEX if kind == "alex" else VGG
    for number, (before, after, kernel, _, _) in layers.items():
        place = f"net.slice{SLICES['alex'].get(number, 1)}.{number}" if names == "lpips" else f"features.{number}"
        weight = torch.randn(after, before, kernel, kernel, generator=generator)
        found[f"{place}.weight"] = weight * (2 / weight[0].numel()) ** 0.5
        found[f"{place}.bias"] = torch.zeros(after)
    for index, tap in enumerate(TAPS[kind]):
        found[f"lin{index}.model.1.weight"] = torch.ones(1, layers[tap][1], 1, 1)
        if names == "lpips":
            found[f"lins.{index}.model.1.weight"] = torch.ones(1, layers[tap][1], 1, 1)
    if names == "lpips":
        found["scaling_layer.shift"] = torch.zeros(1, 3, 1, 1)
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_file(_weights("alex", "lpips"), tmp_path / "lpips.safetensors")
    return tmp_path


def test_equal_images_are_at_no_distance_and_others_are_further_the_more_they_differ(folder: Path) -> None:
    distance = load_lpips(folder)
    image = photo(64, 80)
    noise = np.random.default_rng(1).normal(0, 1, image.shape)
    noisy = [np.clip(image + strength * noise, 0, 255).astype(np.uint8) for strength in (5, 40)]
    assert distance(image, image) == 0
    assert 0 < distance(image, noisy[0]) < distance(image, noisy[1])
    assert distance(image, noisy[1]) == pytest.approx(distance(noisy[1], image))


def test_features_of_opposite_directions_are_two_apart_in_each_layer() -> None:
    network = Lpips("alex")
    features = [torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])]
    maps = [[one.reshape(1, 2, 1, 1)] * 5 for one in features]
    network.weights = torch.nn.ParameterList(torch.ones(2) for _ in range(5))
    network._features = lambda x: iter(maps[int(x.sum() > 0)])  # type: ignore[method-assign]
    one, other = torch.zeros(1, 3, 64, 64), torch.ones(1, 3, 64, 64)
    assert network(one, other).item() == pytest.approx(10.0)  # (1 − 0)² + (0 − 1)² in five layers


def test_names_of_torchvision_and_of_the_package_are_the_same_network(folder: Path, tmp_path: Path) -> None:
    parts, other = _weights("alex", "parts"), tmp_path / "parts"
    other.mkdir()
    save_file({k: v for k, v in parts.items() if k.startswith("features")}, other / "alexnet.safetensors")
    save_file({k: v for k, v in parts.items() if k.startswith("lin")}, other / "lin.safetensors")
    images = photo(64, 64), photo(64, 64, seed=3)
    assert load_lpips(other)(*images) == load_lpips(folder)(*images)


def test_vgg_is_known_by_its_layers(tmp_path: Path) -> None:
    with torch.device("meta"):
        assert sum(one.numel() for one in Lpips("vgg").convs.parameters()) == 14_714_688  # VGG-16's convolutions
        assert sum(one.numel() for one in Lpips("alex").convs.parameters()) == 2_469_696  # AlexNet's


def test_a_small_image_has_no_number(folder: Path) -> None:
    assert np.isnan(load_lpips(folder)(photo(63, 99), photo(63, 99)))


def test_weights_that_will_not_do(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(BadModel, match="wants a folder with safetensors"):
        load_lpips(tmp_path / "nothing")
    lacking = {k: v for k, v in _weights("alex", "lpips").items() if not k.startswith("lin")}
    save_file(lacking, folder / "lpips.safetensors")
    with pytest.raises(BadModel, match="not LPIPS's"):
        load_lpips(folder)
    (folder / "lpips.safetensors").write_bytes(b"no")
    with pytest.raises(BadModel, match="not a usable model"):
        load_lpips(folder)
