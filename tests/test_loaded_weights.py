"""However weights are loaded, they lie where torch allocates, not at whatever byte a file has them."""

import inspect
import json
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from gendeg.convert.ldm import convert_checkpoint, convert_structure, read_sizes
from gendeg.estimator.network import load_estimator
from gendeg.metrics import features, lpips
from gendeg.model.base import load_base
from gendeg.model.conditioner import Conditioner
from gendeg.model.loading import bundled_folder
from gendeg.model.lora import add_lora, save_lora
from gendeg.model.nafnet import NAFNet
from gendeg.model.pipeline import GenDegPipeline
from gendeg.model.weights import load_autoencoder, load_pipeline, load_structure
from gendeg.pairs.captioner import Captioner, Wording, locate_captioner
from gendeg.pairs.pair import open_pairs
from gendeg.primitives.memory import own_memory
from gendeg.restore.loading import load_restorer, save_restorer
from gendeg.restore.networks.presets import PRESETS
from gendeg.restore.transfer.distill import Classifier
from gendeg.restore.transfer.teachers import _save_classifier, load_classifier
from gendeg.training.config import TrainConfig
from gendeg.training.latent_cache import make_cache
from gendeg.training.run import Run
from tests import captioners
from tests.few_pairs import write_pairs
from tests.ldm import SMALL, checkpoint
from tests.metrics.test_features import save as save_features
from tests.metrics.test_lpips import _weights as lpips_weights
from tests.restorers import small_prior, small_restorer
from tests.tiny import tiny_pipeline, tiny_stable_diffusion, write_base

PACKAGE = bundled_folder().parents[1]
ALIGNED = 64  # bytes: torch's allocator on a CPU, the width of AVX-512


def tensors(*modules: object) -> list[Tensor]:
    """All weights and buffers of modules, or of the modules of pipelines."""
    parts = [part for module in modules for part in getattr(module, "components", {"": module}).values()]
    return [tensor for part in parts if isinstance(part, nn.Module) for tensor in (*part.parameters(), *part.buffers())]


# --- every way in which weights come into this program ---


def _bundled(folder: Path) -> Iterable[Tensor]:
    return tensors(load_pipeline(), load_autoencoder(Path("bundled")))


def _estimator(folder: Path) -> Iterable[Tensor]:
    return tensors(load_estimator()[0])


def _pipelines(folder: Path) -> Iterable[Tensor]:
    for make in (tiny_pipeline, tiny_stable_diffusion):
        make().save_pretrained(folder / make.__name__)
        yield from tensors(load_pipeline(str(folder / make.__name__)))
        yield from tensors(GenDegPipeline.from_pretrained(folder / make.__name__, local_files_only=True))


def _parts(folder: Path) -> Iterable[Tensor]:
    tiny_pipeline().save_pretrained(folder)
    yield from tensors(load_autoencoder(folder), load_structure(folder))
    structure, _ = NAFNet.from_pretrained(folder / "structure", output_loading_info=True)
    yield from tensors(structure, Conditioner.from_pretrained(folder / "conditioner"))


def _base(folder: Path) -> Iterable[Tensor]:
    return tensors(load_base(str(write_base(folder))))


def _lora(folder: Path) -> Iterable[Tensor]:
    tiny_pipeline().save_pretrained(folder / "base")
    pipeline = load_pipeline(str(folder / "base"))
    add_lora(pipeline.unet, 2)
    save_lora(pipeline, folder / "lora", str(folder / "base"), "init")
    return tensors(load_pipeline(str(folder / "lora")))


def _restorers(folder: Path) -> Iterable[Tensor]:
    for number, network in enumerate([*map(small_restorer, PRESETS), small_prior("swin"), small_prior("nafnet")]):
        save_restorer(network, folder / str(number))
        yield from tensors(load_restorer(folder / str(number)))


def _classifier(folder: Path) -> Iterable[Tensor]:
    folder.mkdir()
    _save_classifier(Classifier(small_restorer()), folder)
    return tensors(load_classifier(folder))


def _converted(folder: Path) -> Iterable[Tensor]:
    folder.mkdir()
    state = checkpoint(SMALL)
    save_file(state, folder / "a.safetensors")
    torch.save({"state_dict": state}, folder / "a.ckpt")
    save_file(NAFNet(4, (1, 1), 1, (1, 1)).state_dict(), folder / "nafnet.safetensors")
    (folder / "sizes.json").write_text(json.dumps(SMALL))
    sizes = read_sizes(folder / "sizes.json")
    for name in ("a.safetensors", "a.ckpt"):
        parts = convert_checkpoint(folder / name, sizes)
        yield from tensors(parts.vae, parts.text_encoder, parts.unet, parts.conditioner)
    yield from tensors(convert_structure(folder / "nafnet.safetensors", sizes))


def _captioner(folder: Path) -> Iterable[Tensor]:
    return tensors(Captioner(locate_captioner(str(captioners.save_blip(folder))), Wording("", "")).model)


def _features(folder: Path) -> Iterable[Tensor]:
    save_features("dino", folder)
    return tensors(_inside(features.load_features(folder), "network"))


def _lpips(folder: Path) -> Iterable[Tensor]:
    folder.mkdir()
    save_file(lpips_weights("alex", "lpips"), folder / "lpips.safetensors")
    return tensors(_inside(lpips.load_lpips(folder), "network"))


def _inside(function: Callable[..., object], name: str) -> object:
    """What a function keeps under a name of the function that made it."""
    function = inspect.unwrap(function)
    cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
    return cells[name].cell_contents


def _latents(folder: Path) -> Iterable[Tensor]:
    pairs = open_pairs([write_pairs(folder / "pairs", count=3)], "train")
    cache = make_cache(tiny_pipeline().vae, pairs, folder / "run", wanted=False)
    for number in range(len(pairs)):
        pair = cache.read(number)
        yield from (pair.clean, pair.degraded, pair.difference)


def _resumed(folder: Path) -> Iterable[Tensor]:
    settings = {"pairs": (), "out": folder, "steps": 2, "precision": "no", "tracker": "none", "cpu": True, "warmup": 0}
    first = Run(TrainConfig(**settings), small_restorer())
    first.descend(first.model(torch.zeros(1, 3, 16, 16)).square().mean())
    first.ema.step(first.trained)
    first.checkpoints.save(1)
    again = Run(TrainConfig(**settings, resume=True), small_restorer())
    assert again.done == 1
    moments = [v for state in again.optimizer.state_dict()["state"].values() for v in state.values() if v.ndim]
    return [*tensors(again.model), *again.ema.shadow_params, *moments]


LOADERS = (_bundled, _pipelines, _parts, _base, _lora, _restorers, _classifier, _converted, _captioner, _features,
           _lpips, _latents, _resumed, _estimator)  # fmt: skip


@pytest.mark.parametrize("load", LOADERS)
def test_weights_lie_where_torch_allocates(tmp_path: Path, load: Callable[[Path], Iterable[Tensor]]) -> None:
    found = list(load(tmp_path / "there"))
    assert len(found) > 5
    assert {tensor.data_ptr() % ALIGNED for tensor in found if tensor.numel()} == {0}


READS_WEIGHTS = {
    "evaluate/recognition.py",  # copied into a network of torch's making (`load_state_dict`)
    "training/latent_cache.py", "restore/transfer/teachers.py",
    "metrics/features.py", "metrics/lpips.py", "model/base.py",
    "pairs/captioner.py", "convert/ldm.py", "model/loading.py", "model/lora.py", "model/weights.py",
    "restore/foreign.py",  # by spandrel, into networks that it makes
    "restore/loading.py", "primitives/memory.py", "estimator/network.py",
    "convert/convert.py",  # a tokenizer
}  # fmt: skip


def test_every_file_that_reads_weights_is_among_those_tested() -> None:
    words = ("from_pretrained(", "load_file(", "safe_open(", "torch.load(", "load_model(")
    sources = {path.relative_to(PACKAGE).as_posix(): path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")}
    ours = {"def load_model(", "load_model(config)"}  # of a build: it ends in load_pipeline
    for name, text in sources.items():
        for word in ours:
            sources[name] = text = text.replace(word, "")
    reading = {name for name, text in sources.items() if any(word in text for word in words)}
    assert reading == READS_WEIGHTS, "a new loader: call own_memory, and give it a row in LOADERS"


@torch.no_grad()
def test_what_is_mapped_is_moved_and_nothing_else_changes(tmp_path: Path) -> None:
    save_file({"a": torch.ones(1, dtype=torch.uint8), "b": torch.arange(6.0).reshape(2, 3)}, tmp_path / "w.safetensors")
    module = nn.Linear(3, 2)
    module.weight.data = load_file(tmp_path / "w.safetensors")["b"]
    module.bias.requires_grad_(False)
    tied, buffer = nn.Linear(3, 2), torch.from_numpy(np.arange(9.0)[1:])
    tied.weight = module.weight
    whole = nn.Sequential(module, tied, nn.Linear(2, 2, device="meta"))
    whole.register_buffer("mean", buffer, persistent=False)
    before = module.weight.clone()
    assert own_memory(whole) is whole
    assert torch.equal(module.weight, before) and tied.weight is module.weight and whole[2].weight.is_meta
    assert not module.bias.requires_grad and module.weight.requires_grad
    (tmp_path / "w.safetensors").write_bytes(bytes(200))  # the file may go its own way
    assert torch.equal(module.weight, before)
    assert {t.data_ptr() % ALIGNED for t in (module.weight, module.bias, whole.mean)} == {0}
    assert torch.equal(whole.mean, torch.arange(1.0, 9.0, dtype=torch.float64))
