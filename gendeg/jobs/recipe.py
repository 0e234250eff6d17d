"""Recipes and presets: TOML files whose tables are the configs of steps; the known ones lie in manifests/recipes."""

import tomllib
from collections.abc import Collection
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from gendeg.configs import AutoencoderConfig, DiffusionConfig, ExportConfig, SimulateConfig, StructureConfig
from gendeg.primitives.errors import BadManifest, BadOption, MissingPath
from gendeg.primitives.files import data_root

KINDS: dict[str, type[Any]] = {
    "simulate": SimulateConfig,
    "autoencoder": AutoencoderConfig,
    "diffusion": DiffusionConfig,
    "structure": StructureConfig,
    "export": ExportConfig,
}


@dataclass(frozen=True)
class Recipe:
    """The steps' settings, and the folder that all of them write to."""

    path: Path
    tables: dict[str, dict[str, Any]]
    out: Path

    @property
    def manifest(self) -> Path:
        return self.out / "pairs" / "manifest.jsonl"

    def config(self, step: str, **given: Any) -> Any:
        """The step's frozen config: the recipe's settings and those given."""
        return KINDS[step](**{**self.tables.get(step, {}), **given})


def read_recipe(path: Path, out: Path) -> Recipe:
    """Raises `MissingPath`, or `BadManifest` for a file that is not TOML or names an unknown step."""
    tables = read_tables(path, KINDS, "unknown step {}; known are the tables {}")
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


def check_recipe(recipe: Recipe) -> None:
    """Every setting of every step is one that the step has, said before hours are spent. Raises `BadManifest`."""
    for step, kind in KINDS.items():
        check_settings(recipe.path, step, recipe.tables.get(step, {}), {field.name for field in fields(kind)})


def check_settings(path: Path, name: str, table: dict[str, Any], known: Collection[str]) -> None:
    """Raises `BadManifest` for a setting of a table that is not known."""
    odd = sorted(set(table) - set(known))
    if odd:
        raise BadManifest(path, 0, f"[{name}] has no setting {', '.join(odd)}")


def preset_names() -> list[str]:
    """The files in manifests/recipes whose tables make a model; others are studies (jobs/study_recipe.py)."""
    found = (data_root("manifests") / "recipes").glob("*.toml")
    return sorted(path.stem for path in found if set(tomllib.loads(path.read_text(encoding="utf-8"))) <= set(KINDS))


def preset(name: str) -> Recipe:
    """A recipe of that name in manifests/recipes, or a file. Raises `BadOption`, `BadManifest`."""
    folder = data_root("manifests") / "recipes"
    known = preset_names()
    if name not in known and not Path(name).is_file():
        raise BadOption("--preset", f"'{name}' is no file and none of {', '.join(known)}")
    recipe = read_recipe(folder / f"{name}.toml" if name in known else Path(name), Path())
    check_recipe(recipe)
    return recipe
