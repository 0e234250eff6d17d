"""Anybody's restorer: a file of weights whose network spandrel knows by its keys, with the face of ours."""

import json
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from jaxtyping import Float
from safetensors.torch import load_file
from torch import Tensor

from gendeg.model.loading import LOAD_ERRORS, PICKLES
from gendeg.primitives.errors import BadModel, CannotRestore, MissingExtra

EXTRA = "spandrel"
MORE = "spandrel_extra_arches"
"""Architectures under other licences (Restormer, MPRNet, MIRNet v2): used where somebody has installed them."""
ENDING = ".safetensors"
WINDOW, LARGE_WINDOW = 512, 1024
"""Sides of windows, pixels: for networks that may be tiled, and for those that had better see the whole photo."""
CONVERT = (
    'import torch, safetensors.torch as s; d = torch.load({old}, map_location="cpu", weights_only=True); '
    'd = next((d[k] for k in ("params_ema", "params", "state_dict", "model") if k in d), d); '
    "s.save_file({{k: v.clone().contiguous() for k, v in d.items() if torch.is_tensor(v)}}, {new})"
)


class Foreign:
    """A network of spandrel's. Signed images of any size, as ours; spandrel fills them up to the sizes it takes."""

    def __init__(self, path: Path, model: Any):
        from spandrel import ModelTiling

        self.path, self.model = path, model
        windows = {ModelTiling.SUPPORTED: WINDOW, ModelTiling.DISCOURAGED: LARGE_WINDOW, ModelTiling.INTERNAL: 0}
        self.window = windows[model.tiling]
        self.factor, self.least = model.size_requirements.multiple_of, model.size_requirements.minimum

    @property
    def name(self) -> str:
        tags = f" ({', '.join(self.model.tags)})" if self.model.tags else ""
        return f"{self.model.architecture.name}{tags}, by spandrel {version('spandrel')}"

    @property
    def device(self) -> torch.device:
        return self.model.device

    @property
    def dtype(self) -> torch.dtype:
        return self.model.dtype

    def to(self, device: str) -> "Foreign":
        self.model.to(torch.device(device))
        return self

    def eval(self) -> "Foreign":
        self.model.eval()
        return self

    def __call__(self, degraded: Float[Tensor, "1 3 h w"]) -> Float[Tensor, "1 3 h w"]:
        """Signed images; clamped. Raises `CannotRestore` for what the network does not take."""
        try:
            restored = self.model((degraded + 1) / 2)
        except (RuntimeError, ValueError, AssertionError) as error:
            raise CannotRestore(str(error).splitlines()[0] if str(error) else type(error).__name__) from error
        if restored.shape != degraded.shape:
            raise CannotRestore(f"{tuple(degraded.shape)} became {tuple(restored.shape)}")
        return restored * 2 - 1


def load_foreign(path: Path) -> Foreign:
    """Raises `BadModel` for pickles, for what spandrel does not know, and for networks that are no restorers of photos;
    `MissingExtra`.
    """
    if path.suffix.lower() in PICKLES:
        raise BadModel(
            path, f"pickles can run anything while they are read, so none is. At your own risk: {_convert(path)}"
        )
    spandrel = _spandrel()
    try:
        weights = load_file(path, device="cpu")
    except (OSError, *LOAD_ERRORS) as error:
        raise BadModel(path, f"not a whole {ENDING} file ({error})") from error
    try:
        model = spandrel.ModelLoader(device="cpu").load_from_state_dict(weights)
    except spandrel.UnsupportedModelError as error:
        known = f"spandrel {version('spandrel')}" + ("" if find_spec(MORE) else f" (pip install {MORE} brings more)")
        raise BadModel(
            path, f"of no network that {known} knows; a key of its weights: {min(weights, default='none')}"
        ) from error
    except (AssertionError, IndexError, *LOAD_ERRORS) as error:
        raise BadModel(path, f"spandrel cannot build its network: {type(error).__name__} {error}") from error
    if reason := _refusal(spandrel, model):
        raise BadModel(path, f"{model.architecture.name}: {reason}")
    return Foreign(path, model.eval())


def _refusal(spandrel: ModuleType, model: Any) -> str:
    """Why a network is none that makes a photo of the same size from a photo alone."""
    if not isinstance(model, spandrel.ImageModelDescriptor):
        return "it takes a mask beside the photo, which nothing here gives"
    if model.scale != 1:
        return f"it enlarges {model.scale} times; only what keeps a photo's size can be measured against the clean one"
    if (model.input_channels, model.output_channels) != (3, 3):
        return f"it takes {model.input_channels} channels and gives {model.output_channels}; photos have 3"
    return "" if model.purpose == "Restoration" else f"its purpose is {model.purpose}, not restoration"


def _convert(path: Path) -> str:
    old, new = (json.dumps(str(one), ensure_ascii=False) for one in (path, path.with_suffix(ENDING)))
    return f"python -c {shlex.quote(CONVERT.format(old=old, new=new))}"


# --- spandrel without torchvision ---


def _spandrel() -> ModuleType:
    """The package; with the further architectures, where they are installed. Raises `MissingExtra`."""
    with nullcontext() if _torchvision_works() else _stand_in():
        try:
            spandrel = import_module("spandrel")
        except ImportError as error:
            raise MissingExtra(error.name or "spandrel", EXTRA) from error
    if find_spec(MORE):
        import_module(MORE).install(ignore_duplicates=True)
    return spandrel


def _torchvision_works() -> bool:
    try:
        import_module("torchvision.transforms.functional")
    except (ImportError, RuntimeError, OSError, AttributeError):  # made for another torch it fails in many ways
        return False
    return True


@contextmanager
def _stand_in() -> Iterator[None]:
    """Names of torchvision that spandrel imports, for two networks that are refused: LaMa (masks) and RestoreFormer
    (faces). They are there while spandrel is imported only; nobody else takes them for torchvision.
    """
    names = ("torchvision", "torchvision.transforms", "torchvision.transforms.functional")
    before = {name: sys.modules.pop(name) for name in names if name in sys.modules}
    modules = {name: ModuleType(name) for name in names}
    for name in ("InterpolationMode", "rotate", "normalize"):
        setattr(modules[names[-1]], name, _missing)
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name in names:
            sys.modules.pop(name, None)
        sys.modules.update(before)


def _missing(*_: object, **__: object) -> None:
    raise MissingExtra("torchvision", EXTRA)
