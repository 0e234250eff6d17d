"""The recipe that makes a model from clean photos: simulate → three trainings → priors → export."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from gendeg.configs import SimulateConfig
from gendeg.jobs.export import export_model, install_model
from gendeg.jobs.fit_priors import fit_priors
from gendeg.jobs.recipe import Recipe, check_recipe, read_recipe
from gendeg.jobs.simulate import simulate
from gendeg.jobs.train_autoencoder import train_autoencoder
from gendeg.jobs.train_diffusion import train_diffusion
from gendeg.jobs.train_structure import train_structure
from gendeg.primitives.errors import NoPairs
from gendeg.primitives.files import atomic_write
from gendeg.primitives.folders import claim, says
from gendeg.report.card_merge import body_part
from gendeg.training.state import checkpoints_in, read_log


def run_recipe(clean: tuple[Path, ...], path: Path, out: Path, install: bool = False) -> Path:
    """Run every step that is not done yet and return the model's folder; interrupted, the same call goes on."""
    recipe = read_recipe(path, out)
    check_recipe(recipe)
    claim(out, "bundle", ours=says(out / "autoencoder" / "config.json", "processes") is not None)
    _once(out / "pairs", lambda: _simulate(recipe.config("simulate", clean=clean, out=out / "pairs", overwrite=True)))
    trained: dict[str, Any] = {"pairs": (recipe.manifest,)}
    _train(recipe, "autoencoder", train_autoencoder, trained)
    trained["vae"] = str(out / "autoencoder")
    _train(recipe, "diffusion", train_diffusion, trained)
    _train(recipe, "structure", train_structure, trained)
    fit_priors((recipe.manifest,), out / "priors", overwrite=True)
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
    resume = bool(checkpoints_in(folder))
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
    return body_part("\n".join(lines) + "\n") + "\n"


def _last(path: Path) -> dict[str, str]:
    rows = read_log(path)
    return rows[-1] if rows else {}
