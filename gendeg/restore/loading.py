"""Restorers in folders: config.json and safetensors, nothing else, written whole or not at all."""

from pathlib import Path

from gendeg.model.loading import LOAD_ERRORS, PICKLES, check_component, check_whole, quiet
from gendeg.model.saving import write_folder
from gendeg.primitives.errors import BadModel, GendegError, MissingPath
from gendeg.primitives.files import read_json_object
from gendeg.restore.foreign import ENDING, Foreign, load_foreign
from gendeg.restore.networks.content_prior import TRUNKS, PriorRestorer
from gendeg.restore.networks.network import Restorer
from gendeg.shards.layout import Layout

KINDS: dict[str, type[Restorer]] = TRUNKS | {PriorRestorer.__name__: PriorRestorer}
RESULT = "model"
"""Where a training run keeps its restorer."""


def save_restorer(restorer: Restorer, folder: Path) -> None:
    """Config and weights; what was there is replaced. Raises `OutputNotWritable`."""
    quiet()
    write_folder(folder, restorer.save_pretrained)


def load_restorer(folder: Path) -> Restorer:
    """A saved restorer, or the one of a run's folder, ready to restore. Raises `BadModel`."""
    quiet()
    inner = folder / RESULT
    folder = inner if inner.is_dir() and not (folder / "model.safetensors").exists() else folder
    if not folder.is_dir():
        raise BadModel(folder, "no such folder; others' weights are a file, .safetensors")
    if Layout(folder).config.is_file():
        raise BadModel(folder, "a dataset; a restorer is the --out of gendeg restore train, or a .safetensors file")
    check_component(folder, weights=True, alone=True)
    kind = _kind_of(folder)
    try:
        restorer = kind.from_pretrained(folder, use_safetensors=True, local_files_only=True)
    except (OSError, *LOAD_ERRORS) as error:
        raise BadModel(folder, str(error)) from error
    check_whole(folder, "it", restorer)
    return restorer.eval()


def open_restorer(place: Path) -> Restorer | Foreign:
    """As `load_restorer`; or of anybody's weights, a `.safetensors` file.

    Raises `BadModel`, `MissingPath`, `MissingExtra`.
    """
    if place.is_dir() or place.suffix.lower() not in (ENDING, *PICKLES):
        return load_restorer(place)
    if not place.is_file():
        raise MissingPath(place)
    own = read_json_object(place.parent / "config.json") if (place.parent / "config.json").is_file() else {}
    return load_restorer(place.parent) if own.get("_class_name") in KINDS else load_foreign(place)


def network_name(restorer: Restorer | Foreign) -> str:
    """What a result says that was measured."""
    return restorer.name if isinstance(restorer, Foreign) else type(restorer).__name__


def _kind_of(folder: Path) -> type[Restorer]:
    try:
        name = str(read_json_object(folder / "config.json").get("_class_name"))
    except GendegError as error:
        raise BadModel(folder, str(error)) from error
    if name not in KINDS:
        raise BadModel(folder, f"holds {name}, not {' or '.join(KINDS)}")
    return KINDS[name]
