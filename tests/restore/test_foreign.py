"""Anybody's networks through spandrel: what runs, at which sizes, and what is refused with one line that helps."""

import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from gendeg.primitives.errors import BadModel, CannotRestore, MissingPath
from gendeg.primitives.images import read_rgb, write_image
from gendeg.primitives.records import Failure
from gendeg.restore.apply import Restored, restore_photos
from gendeg.restore.config import RestoreApplyConfig
from gendeg.restore.foreign import LARGE_WINDOW, WINDOW, Foreign, _spandrel
from gendeg.restore.loading import load_restorer, network_name, open_restorer, save_restorer
from gendeg.restore.whole import restore_photo
from tests.restorers import small_restorer
from tests.tiny import photo

if find_spec("spandrel") is None:
    pytest.skip("the extra gendeg[spandrel] is not installed", allow_module_level=True)
_spandrel()  # first: where torchvision is missing, a plain import fails


def _nafnet() -> nn.Module:
    from spandrel.architectures.NAFNet import NAFNet

    return NAFNet(width=8, middle_blk_num=1, enc_blk_nums=[1, 1], dec_blk_nums=[1, 1])


def _swinir() -> nn.Module:
    from spandrel.architectures.SwinIR import SwinIR

    return SwinIR(img_size=32, embed_dim=24, depths=[2], num_heads=[2], window_size=8, mlp_ratio=2)


def _fftformer() -> nn.Module:
    from spandrel.architectures.FFTformer import FFTformer

    return FFTformer(dim=8, num_blocks=[1, 1, 1], num_refinement_blocks=1)


def _kbnet() -> nn.Module:
    from spandrel.architectures.KBNet import KBNet_s

    return KBNet_s(width=8, middle_blk_num=1, enc_blk_nums=[1, 1], dec_blk_nums=[1, 1])


def _retinexformer() -> nn.Module:
    from spandrel.architectures.RetinexFormer import RetinexFormer

    return RetinexFormer(n_feat=8, stage=1)


def _enlarging() -> nn.Module:
    from spandrel.architectures.Compact import Compact

    return Compact(num_feat=8, num_conv=2, upscale=2)


def _grey() -> nn.Module:
    from spandrel.architectures.Compact import Compact

    return Compact(num_in_ch=1, num_out_ch=1, num_feat=8, num_conv=2, upscale=1)


def _masked() -> nn.Module:
    from spandrel.architectures.LaMa import LaMa

    return LaMa()


def written(path: Path, make: Callable[[], nn.Module]) -> Path:
    """Made-up weights: no published ones can be had offline."""
    torch.manual_seed(0)
    save_file({name: value.clone().contiguous() for name, value in make().state_dict().items()}, path)
    return path


@pytest.mark.parametrize(
    "make, name, factor, window",
    [
        (_nafnet, "NAFNet", 1, WINDOW), (_swinir, "SwinIR", 1, LARGE_WINDOW), (_fftformer, "FFTformer", 32, WINDOW),
        (_kbnet, "KBNet", 1, WINDOW), (_retinexformer, "RetinexFormer", 8, LARGE_WINDOW),
    ],
)  # fmt: skip
def test_published_architectures_run_at_any_size_as_spandrel_runs_them(tmp_path, make, name, factor, window):
    restorer = open_restorer(written(tmp_path / "net.safetensors", make))
    assert isinstance(restorer, Foreign) and (restorer.factor, restorer.window) == (factor, window)
    assert network_name(restorer).startswith(name) and "spandrel" in network_name(restorer)
    for size in ((37, 50), (3, 41), (1, 1)):
        image = photo(*size, seed=1)
        restored = restore_photo(restorer, image)
        unit = torch.from_numpy(image.astype(np.float32) / 255).permute(2, 0, 1)[None]
        expected = restorer.model(unit)[0].permute(1, 2, 0).numpy()
        assert restored.shape == image.shape
        assert np.abs(restored - expected * 255).max() <= 0.51, "nothing but rounding lies between"


def test_large_photos_go_through_windows_that_the_network_takes(tmp_path):
    restorer = open_restorer(written(tmp_path / "net.safetensors", _fftformer))
    sizes = []
    network = restorer.model.model
    network.register_forward_pre_hook(lambda _, given: sizes.append(tuple(given[0].shape[-2:])))
    restored = restore_photo(restorer, photo(70, 100, seed=2), tile=40, overlap=8)
    assert restored.shape == (70, 100, 3) and len(sizes) > 1
    assert {side % 32 for size in sizes for side in size} == {0} and max(max(size) for size in sizes) == 64
    restore_photo(restorer, photo(70, 100, seed=2))
    assert sizes[-1] == (96, 128), "whole, where nobody asks for windows"


def test_a_network_that_breaks_on_a_photo_fails_there_only(tmp_path):
    weights = load_file(written(tmp_path / "net.safetensors", _nafnet))
    weights["ending.weight"][:] = float("nan")
    save_file(weights, tmp_path / "nan.safetensors")
    with pytest.raises(CannotRestore, match="not finite"):
        restore_photo(open_restorer(tmp_path / "nan.safetensors"), photo(16, 16))
    write_image(photo(20, 24), tmp_path / "a.png", "png")
    given = {"paths": (tmp_path / "a.png",), "out": tmp_path / "out", "device": "cpu", "progress": False}
    (failure,) = restore_photos(RestoreApplyConfig(tmp_path / "nan.safetensors", **given))
    assert isinstance(failure, Failure) and failure.failed == "cannot_restore" and "a.png" in failure.message
    (row,) = restore_photos(RestoreApplyConfig(tmp_path / "net.safetensors", **given | {"overwrite": True}))
    assert isinstance(row, Restored) and read_rgb(tmp_path / "out" / row.restored).shape == (20, 24, 3)


@pytest.mark.parametrize(
    "make, says",
    [
        (_enlarging, "enlarges 2 times"),
        (_grey, "takes 1 channels and gives 1"),
        (_masked, "takes a mask"),
        (lambda: nn.Linear(2, 2), "of no network that spandrel .* knows; a key of its weights: bias"),
    ],
)
def test_what_is_no_restorer_of_photos(tmp_path, make, says):
    with pytest.raises(BadModel, match=says) as error:
        open_restorer(written(tmp_path / "net.safetensors", make))
    assert len(str(error.value).splitlines()) == 1


def test_files_that_are_no_weights(tmp_path):
    whole = written(tmp_path / "net.safetensors", _nafnet).read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(whole[:300])
    (tmp_path / "empty.safetensors").write_bytes(b"")
    (tmp_path / "net.onnx").write_bytes(b"x")
    for name, says in (("cut", "not a whole"), ("empty", "not a whole")):
        with pytest.raises(BadModel, match=says):
            open_restorer(tmp_path / f"{name}.safetensors")
    with pytest.raises(BadModel, match="others' weights are a file"):
        open_restorer(tmp_path / "net.onnx")
    for name in ("none.safetensors", "none.pth"):
        with pytest.raises(MissingPath):
            open_restorer(tmp_path / name)


@pytest.mark.parametrize("wrapped", ["", "params", "state_dict"])
def test_a_pickle_is_refused_with_a_command_that_converts_it(tmp_path, wrapped):
    torch.manual_seed(0)
    state = _nafnet().state_dict()
    pickle = tmp_path / "it's mine.pth"
    torch.save({wrapped: state, "iter": 3} if wrapped else state, pickle)
    with pytest.raises(BadModel, match="pickles can run anything") as error:
        open_restorer(pickle)
    command = str(error.value).partition("At your own risk: python ")[2]
    assert not pickle.with_suffix(".safetensors").exists()
    subprocess.run(f"{sys.executable} {command}", shell=True, check=True)
    restorer = open_restorer(pickle.with_suffix(".safetensors"))
    assert isinstance(restorer, Foreign)
    assert all(torch.equal(value, state[name]) for name, value in restorer.model.model.state_dict().items())


def test_the_weights_of_our_own_restorer_are_ours(tmp_path):
    save_restorer(small_restorer("nafnet"), tmp_path / "m")
    ours = open_restorer(next((tmp_path / "m").glob("*.safetensors")))
    assert type(ours) is type(load_restorer(tmp_path / "m"))


def test_no_stand_in_is_left_behind():
    """What spandrel imports of torchvision is there for its import only."""
    kept = sys.modules.get("torchvision")
    assert kept is None or kept.__spec__ is not None
