"""The recipe that makes a model from clean photos: autoencoder → diffusion → priors → export → calibration."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from gendeg.bundle.config import BundleConfig
from gendeg.bundle.photos import Photos, split_photos
from gendeg.bundle.priors import simulate_priors
from gendeg.bundle.time import Budget, Fitted, fit, least_seconds, timed
from gendeg.evaluate.calibrate import calibrate
from gendeg.evaluate.config import CalibrateConfig
from gendeg.model.latents import Autoencoder, checked_veils
from gendeg.model.pipeline import GenDegPipeline
from gendeg.model.strength import checked_evenness
from gendeg.pairs.config import SimulateConfig
from gendeg.pairs.simulate import simulate
from gendeg.primitives.errors import BadManifest, BadOption, NoPairs
from gendeg.primitives.files import atomic_write, read_json_object, write_json
from gendeg.primitives.folders import claim, says
from gendeg.primitives.kinds import parse_mixes
from gendeg.primitives.once import CONFIG, DONE, describe, once, same_run
from gendeg.primitives.streams import say
from gendeg.report.card_merge import body_part
from gendeg.training.autoencoder import train_autoencoder
from gendeg.training.diffusion import train_diffusion
from gendeg.training.export import check_levels, export_model, install_model
from gendeg.training.pace import Pace
from gendeg.training.presets import Recipe, read_recipe
from gendeg.training.sheet import images_on_sheet
from gendeg.training.state import TRAIN, checkpoints_in, read_log

Shown = Callable[[GenDegPipeline | Autoencoder, int], None]
"""Gets what is being trained, with averaged weights, and the step, whenever a sheet has been drawn."""

Settings = Mapping[str, Any]

AUTOENCODER = 0.35
"""Share of the time that the autoencoder takes, where one is trained."""
PRIORS, CALIBRATION = 0.04, 0.1
"""Shares of the time that these may take at most."""
EXPORT = 20.0
"""Seconds for writing the model, and for what nobody thought of."""
UNHURRIED = 120.0
"""Seconds that priors may take where no time is set."""
LEAST_IMAGE = 0.3
"""Share of the time of an image on a sheet that a smaller one takes at least."""
FEWEST = 10
"""Steps without which a stage is not worth its name."""
STARTS = ("init", "vae", "base")
FREE = {"install", "out", "recipe"}


def make_bundle(
    config: BundleConfig, shown: Shown | None = None, changed: Mapping[str, Settings] = {}, short: bool = False
) -> Path:
    """Run every step that is not done yet and return the model's folder; interrupted, the same call goes on.

    `changed`: settings of steps that take the place of the recipe's. `short`: no priors and no calibration.
    Raises `BadManifest`, `BadOption`, `DifferentRun` for a folder that other things were put into.
    """
    recipe = _recipe(config, changed, short)
    _begin(config)
    job = _Bundle(config, recipe, shown, short)
    job.hold_out()
    start = job.autoencoder()
    job.diffusion(start)
    if not short:
        job.priors()
    job.export()
    if config.install and not short:
        install_model(job.model, config.out / "priors")
    return job.model


def _recipe(config: BundleConfig, changed: Mapping[str, Settings], short: bool) -> Recipe:
    """The recipe, with what was given beside it. Raises `MissingPath`, `BadManifest`, `BadOption`."""
    recipe = read_recipe(config.recipe, config.out).with_settings(changed)
    if "structure" in recipe.tables:
        reason = "[structure] is no step of a bundle any more: its model puts detail back by regression"
        raise BadManifest(config.recipe, 0, reason)
    if not config.init and "autoencoder" not in recipe.tables and not set(STARTS) & set(recipe.settings("diffusion")):
        raise BadManifest(config.recipe, 0, "it needs a table [autoencoder], or an init or vae in [diffusion]")
    try:
        export = recipe.settings("export")
        learnt = recipe.settings("diffusion").get("sketch", 0.0)
        check_levels(learnt, export.get("sketch") or learnt, export.get("sketch_levels", {}))
        checked_evenness(export.get("evenness", {}))
        checked_veils(export.get("veils", {}))
    except ValueError as error:
        raise BadManifest(config.recipe, 0, f"[export] {error}") from error
    if config.minutes < 0:
        raise BadOption("--minutes", f"must be above 0, not {config.minutes:g}")
    table = dict(recipe.tables.get("diffusion", {}))
    if config.init:
        table = {name: value for name, value in table.items() if name not in STARTS} | {"init": config.init}
    table["weights"] = ",".join(filter(None, [table.get("weights", ""), config.weights]))
    tables = {**recipe.tables, "diffusion": table}
    return replace(recipe, tables={name: tables[name] for name in tables if name != "calibrate" or not short})


def _begin(config: BundleConfig) -> None:
    """What was asked for, kept: the folder is for that alone."""
    path, described = config.out / CONFIG, describe(config)
    claim(config.out, "bundle", ours=says(path, "recipe") is not None)
    undecided = set() if Budget(config.out, config.minutes).decisions else {"minutes"}
    if not same_run(config.out, described, FREE | undecided) or read_json_object(path) != described:
        write_json(path, described)


class _Bundle:
    """The steps of one bundle, each done once, and the time that they have."""

    def __init__(self, config: BundleConfig, recipe: Recipe, shown: Shown | None, short: bool):
        self.priors_share = 0.0 if short else PRIORS
        self.config, self.recipe, self.shown, self.out = config, recipe, shown, config.out
        self.photos, self.model = Photos(config.out / "photos"), config.out / "model"
        self.budget = Budget(config.out, config.minutes)
        self.given: dict[str, Any] = {
            "pairs": (*config.pairs, config.out / "held_out" / "manifest.jsonl"),
            "clean": (self.photos.train,),
        }

    def hold_out(self) -> None:
        """Some photos and pairs simulated of them are for sheets and PSNR only."""
        given = {"clean": (self.photos.held_out,), "out": self.out / "held_out", "overwrite": True}
        asked: SimulateConfig = self.recipe.config("simulate", **given)
        share = asked.validation
        photos = self.photos
        once(photos.folder / DONE, lambda: split_photos(self.config.clean, photos, self.out, share, asked.seed))
        types = self._training("diffusion").types
        held = replace(asked, validation=1.0, types=asked.types if self._says("simulate", "types") else types)
        once(self.out / "held_out" / DONE, lambda: _simulate(held))

    def autoencoder(self) -> dict[str, Any]:
        """Train it unless there is one; returns what the diffusion starts from."""
        given = self.recipe.settings("diffusion")
        named = {name: given[name] for name in STARTS if given.get(name)}
        if named:
            say(f"autoencoder: not trained, that of {next(iter(named.values()))} stays")
            return named
        self._train("autoencoder", train_autoencoder, self._fit_autoencoder)
        return {"vae": str(self.out / "autoencoder")}

    def diffusion(self, start: dict[str, Any]) -> None:
        self._train("diffusion", train_diffusion, self._fit_diffusion, **start)

    def priors(self) -> None:
        """What intensity means, in the priors' folder."""
        seconds = self.priors_share * self.budget.total if self.config.minutes else UNHURRIED
        asked = self.recipe.config("simulate", clean=(), out=self.out)
        pictures = asked.per_image * len(self.photos.train.read_text(encoding="utf-8", errors="ignore").splitlines())
        folder = self.out / "priors"
        once(folder / DONE, lambda: simulate_priors(self._training("diffusion"), pictures, seconds, folder))

    def export(self) -> None:
        """The model's folder, calibrated where the recipe has that step and the time for it."""
        once(self.out / "exported", self._export)

    def _export(self) -> None:
        wanted = self.recipe.config("export", diffusion=self.out / "diffusion" / "model", out=self.model)
        export_model(wanted, model_card(self.recipe))
        photos = self.budget.noted("calibration photos") if self.config.minutes else None
        if "calibrate" not in self.recipe.tables or photos == 0:
            return
        asked = self._calibrate()
        calibrate(replace(asked, photos=asked.photos if photos is None else min(photos, asked.photos)))

    def _calibrate(self) -> CalibrateConfig:
        given = {"clean": self.photos.held_out, "model": str(self.model), "out": self.model, "overwrite": True}
        config: CalibrateConfig = self.recipe.config("calibrate", **given)
        return config

    # --- trainings ---

    def _training(self, stage: str, **more: Any) -> Any:
        return self.recipe.config(stage, **{**self.given, "out": self.out / stage, **more})

    def _says(self, stage: str, name: str) -> bool:
        return name in self.recipe.settings(stage)

    def _train(self, stage: str, train: Callable[..., None], fitted: Callable[[Any], Fitted], **start: Any) -> None:
        folder = self.out / stage
        if (folder / DONE).exists():
            return
        claim(folder, TRAIN)  # before a trial, or what it has measured, is put there
        resume = bool(checkpoints_in(folder))
        if (folder / CONFIG).exists() and not resume:
            (folder / CONFIG).unlink()  # stopped before its first checkpoint: begins again
        config = self._training(stage, **start, resume=resume)
        if self.config.minutes:
            plan = self.budget.decided(stage, lambda: fitted(config))
            config = replace(config, **plan.settings())
        train(config, self.shown)
        atomic_write(folder / DONE, "")
        self.budget.finished(stage)

    def _fit_autoencoder(self, config: Any) -> Fitted:
        """Raises `BadOption` for a time in which it would come to nothing."""
        pace, share = timed(train_autoencoder, config), AUTOENCODER
        least = least_seconds(pace, FEWEST) / share + EXPORT
        if least > self.budget.left:
            spent = self.budget.total - self.budget.left
            raise BadOption("--minutes", f"here it takes {(spent + least) / 60:.1f} at least, with this recipe")
        shutil.rmtree(config.out / "trial")
        return fit(pace, share * self.budget.left, config.warmup)

    def _fit_diffusion(self, config: Any) -> Fitted:
        pace = timed(train_diffusion, replace(config, push_to_hub=""))
        trial = config.out / "trial"
        if (trial / "statistics.json").exists():  # of the same examples and the same autoencoder
            shutil.copyfile(trial / "statistics.json", config.out / "statistics.json")
        shutil.rmtree(trial)
        later = EXPORT + self.priors_share * self.budget.total + self._plan_calibration(pace, config)
        return fit(pace, self.budget.left - later, config.warmup)

    def _plan_calibration(self, pace: Pace, config: Any) -> float:
        """Decide how many photos it measures on; returns the seconds that it takes."""
        if "calibrate" not in self.recipe.tables:
            return 0.0
        asked = self._calibrate()
        smaller = min(1.0, max(LEAST_IMAGE, (asked.size / config.view) ** 2))
        image = smaller * pace.sheet / images_on_sheet(config)
        of_photo = image * asked.rounds * len(parse_mixes(asked.types)) * len(asked.intensities)
        photos = min(asked.photos, int(CALIBRATION * self.budget.total / of_photo))
        self.budget.note(**{"calibration photos": photos})
        say(f"calibration: on {photos} photos, about {photos * of_photo:.0f} s" if photos else "calibration: no time")
        return photos * of_photo


def _simulate(config: SimulateConfig) -> None:
    """Raises `NoPairs` when no photo could be read, so that the step is not done."""
    made = simulate(config)
    if not made.pairs:
        raise NoPairs(made.manifest)


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
    for step in ("autoencoder", "diffusion"):
        settings = ", ".join(f"{k} {v}" for k, v in recipe.tables.get(step, {}).items() if "every" not in k)
        loss, quality = _last(recipe.out / step / "log.csv"), _last(recipe.out / step / "psnr.csv")
        scores = ", ".join(f"{k} {v}" for k, v in quality.items() if k != "step")
        lines.append(f"| {step} | {settings} | {loss.get('loss', '')} | {scores} |")
    return body_part("\n".join(lines) + "\n") + "\n"


def _last(path: Path) -> dict[str, str]:
    rows = read_log(path)
    return rows[-1] if rows else {}
