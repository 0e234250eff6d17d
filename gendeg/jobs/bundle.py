"""The recipe that makes a model from clean photos: simulate → three trainings → priors → export."""

import csv
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from gendeg.configs import AutoencoderConfig, DiffusionConfig, SimulateConfig, StructureConfig
from gendeg.jobs.export import ExportConfig, export_model, install_model
from gendeg.jobs.fit_priors import fit_priors
from gendeg.jobs.simulate import simulate
from gendeg.jobs.train_autoencoder import train_autoencoder
from gendeg.jobs.train_diffusion import train_diffusion
from gendeg.jobs.train_structure import train_structure
from gendeg.primitives.errors import BadManifest, MissingPath, NoPairs
from gendeg.primitives.files import atomic_write

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
    if not path.exists():
        raise MissingPath(path)
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadManifest(path, 0, f"not TOML ({error})") from error
    odd = sorted(name for name, table in tables.items() if name not in KINDS or not isinstance(table, dict))
    if odd:
        raise BadManifest(path, 0, f"unknown step {', '.join(odd)}; known are the tables {', '.join(KINDS)}")
    return Recipe(path, tables, out)


def check_recipe(recipe: Recipe) -> None:
    """Every setting of every step is one that the step has, said before hours are spent. Raises `BadManifest`."""
    for step, kind in KINDS.items():
        known = {field.name for field in fields(kind)}
        odd = sorted(set(recipe.tables.get(step, {})) - known)
        if odd:
            raise BadManifest(recipe.path, 0, f"[{step}] has no setting {', '.join(odd)}")


def run_recipe(clean: tuple[Path, ...], path: Path, out: Path, install: bool = False) -> Path:
    """Run every step that is not done yet and return the model's folder; interrupted, the same call goes on."""
    recipe = read_recipe(path, out)
    check_recipe(recipe)
    _once(out / "pairs", lambda: _simulate(recipe.config("simulate", clean=clean, out=out / "pairs", overwrite=True)))
    trained: dict[str, Any] = {"pairs": (recipe.manifest,)}
    _train(recipe, "autoencoder", train_autoencoder, trained)
    trained["vae"] = str(out / "autoencoder")
    _train(recipe, "diffusion", train_diffusion, trained)
    _train(recipe, "structure", train_structure, trained)
    fit_priors((recipe.manifest,), out / "priors")
    export = recipe.config(
        "export", diffusion=out / "diffusion" / "model", structure=out / "structure" / "structure", out=out / "model"
    )
    export_model(export, model_card(recipe))
    if install:
        install_model(out / "model", out / "priors")
    return out / "model"


def _simulate(config: SimulateConfig) -> None:
    """Raises `NoPairs` when no photo could be read, so that the step is not done."""
    made = simulate(config)
    if not made.pairs:
        raise NoPairs(made.manifest)


def _train(recipe: Recipe, step: str, train: Callable[[Any], None], given: dict[str, Any]) -> None:
    folder = recipe.out / step
    resume = any(folder.glob("checkpoint-*"))
    if (folder / "config.json").exists() and not resume:
        (folder / "config.json").unlink()  # stopped before its first checkpoint: begins again
    _once(folder, lambda: train(recipe.config(step, **given, out=folder, resume=resume)))


def _once(folder: Path, run: Callable[[], Any]) -> None:
    """Run a step unless its done mark is there."""
    mark = folder / "done"
    if not mark.exists():
        run()
        atomic_write(mark, "")


def model_card(recipe: Recipe) -> str:
    """What went in, how long it trained and what came out, from the steps' own files."""
    lines = [
        "# The bundled model",
        "",
        "A small latent diffusion model that degrades clean photographs, told the degradation, mu and sigma. Made by",
        f"`gendeg bundle` from the recipe `{recipe.path.name}`, whose numbers are below; each part starts afresh.",
        "",
        "| step | settings | last loss | held-out PSNR, dB |",
        "|---|---|---|---|",
    ]
    for step in ("autoencoder", "diffusion", "structure"):
        settings = ", ".join(f"{k} {v}" for k, v in recipe.tables.get(step, {}).items() if "every" not in k)
        loss, quality = _last(recipe.out / step / "log.csv"), _last(recipe.out / step / "psnr.csv")
        scores = ", ".join(f"{k} {v}" for k, v in quality.items() if k != "step")
        lines.append(f"| {step} | {settings} | {loss.get('loss', '')} | {scores} |")
    return "\n".join(lines) + "\n"


def _last(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    with open(path, newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    return rows[-1] if rows else {}
