"""Recipes and presets: TOML files whose tables are the configs of steps; the known ones lie in manifests/recipes."""

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch

from gendeg.evaluate.config import CalibrateConfig
from gendeg.pairs.config import SimulateConfig
from gendeg.primitives.errors import BadManifest, BadOption, MissingPath
from gendeg.primitives.files import data_root
from gendeg.primitives.options import as_setting
from gendeg.training.config import AutoencoderConfig, DiffusionConfig, DistillConfig, ExportConfig, StructureConfig

KINDS: dict[str, type[Any]] = {
    "simulate": SimulateConfig,
    "autoencoder": AutoencoderConfig,
    "diffusion": DiffusionConfig,
    "structure": StructureConfig,
    "distill": DistillConfig,
    "export": ExportConfig,
    "calibrate": CalibrateConfig,
}
GPU = "gpu"
"""Table within a step's: the settings that take the place of the step's own where there is a GPU."""


@dataclass(frozen=True)
class Recipe:
    """The steps' settings, and the folder that all of them write to."""

    path: Path
    tables: dict[str, dict[str, Any]]
    out: Path

    def settings(self, step: str) -> dict[str, Any]:
        """What the recipe says of a step on this machine."""
        table = dict(self.tables.get(step, {}))
        with_gpu = table.pop(GPU, {})
        return table | with_gpu if torch.cuda.is_available() and not table.get("cpu") else table

    def with_settings(self, changed: Mapping[str, Mapping[str, Any]]) -> "Recipe":
        """The same with other settings of some steps, with a GPU or without."""
        tables = dict(self.tables)
        for step, settings in changed.items():
            table = tables.get(step, {})
            tables[step] = {**table, **settings, **({GPU: {**table[GPU], **settings}} if GPU in table else {})}
        return replace(self, tables=tables)

    def config(self, step: str, **given: Any) -> Any:
        """The step's frozen config: the recipe's settings and those given."""
        return KINDS[step](**{**self.settings(step), **given})


def read_recipe(path: Path, out: Path) -> Recipe:
    """Raises `MissingPath`, or `BadManifest` for what is not TOML, no step, no setting of it or no value of that."""
    tables = read_tables(path, KINDS, "unknown step {}; known are the tables {}")
    for step, table in tables.items():
        with_gpu = {GPU: read_settings(path, f"{step}.{GPU}", table.pop(GPU), KINDS[step])} if GPU in table else {}
        tables[step] = read_settings(path, step, table, KINDS[step]) | with_gpu
    return Recipe(path, tables, out)


def read_tables(path: Path, known: Collection[str], unknown: str) -> dict[str, dict[str, Any]]:
    """A TOML file of tables that have known names; `unknown` says which have not, and which there are.

    Raises `MissingPath`, `BadManifest`.
    """
    if not path.exists():
        raise MissingPath(path)
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadManifest(path, 0, f"not TOML ({error})") from error
    odd = sorted(name for name, table in tables.items() if name not in known or not isinstance(table, dict))
    if odd:
        raise BadManifest(path, 0, unknown.format(", ".join(odd), ", ".join(known)))
    return tables


def read_settings(path: Path, name: str, table: Any, config: type[Any], but: Collection[str] = ()) -> dict[str, Any]:
    """A table's values as the config's fields hold them. Raises `BadManifest`."""
    if not isinstance(table, dict):
        raise BadManifest(path, 0, f"[{name}] must be a table")
    known = {one.name for one in fields(config)} - set(but)
    if odd := sorted(set(table) - known):
        raise BadManifest(path, 0, f"[{name}] has no setting {', '.join(odd)}")
    read = {}
    for key, value in table.items():
        try:
            read[key] = as_setting(config, key, value)
        except ValueError as error:
            raise BadManifest(path, 0, f"[{name}] {key} {error}") from None
    return read


def preset_names() -> list[str]:
    """The files in manifests/recipes whose tables make a model; others are studies (study/recipe.py)."""
    found = (data_root("manifests") / "recipes").glob("*.toml")
    return sorted(path.stem for path in found if set(tomllib.loads(path.read_text(encoding="utf-8"))) <= set(KINDS))


def preset(name: str) -> Recipe:
    """A recipe of that name in manifests/recipes, or a file. Raises `BadOption`, `BadManifest`."""
    folder = data_root("manifests") / "recipes"
    known = preset_names()
    if name not in known and not Path(name).is_file():
        raise BadOption("--preset", f"'{name}' is no file and none of {', '.join(known)}")
    return read_recipe(folder / f"{name}.toml" if name in known else Path(name), Path())
