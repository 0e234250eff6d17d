"""gendeg calibrate: measure what a model makes of the mu and sigma it is told, and store what to tell it instead."""

import json
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.isotonic import IsotonicRegression

from gendeg.evaluate.config import CalibrateConfig
from gendeg.intensity.ask import Ask, ask_intensities
from gendeg.intensity.bins import MU_BINS, SIGMA_BINS
from gendeg.intensity.measure import Intensity, measure_intensity
from gendeg.model.generate import Generator, Settled, noise_of
from gendeg.model.loading import check_folder, model_folder
from gendeg.model.moves import Stored
from gendeg.model.response import checked_response
from gendeg.model.settings import settings_of
from gendeg.model.weights import load_pipeline, model_sha256
from gendeg.pairs.photos import open_photos
from gendeg.primitives.device import choose_device
from gendeg.primitives.errors import BadModel, OutputExists
from gendeg.primitives.files import atomic_write, ensure_writable, notes_of, read_json_object
from gendeg.primitives.folders import refuse_foreign, says
from gendeg.primitives.images import U8Image
from gendeg.primitives.progress import bar
from gendeg.synth.synthesize import read_clean

NOTES = "calibration.json"
FURTHEST = 3.0
"""What is told lies within this factor of what is asked: the model was not trained on statistics that no pair has."""
STEP = 0.8  # share of the way, in logarithms, that a round goes: noise of the few photos is not followed to the end
SIGMA_COUNTS, RAW_COUNTS = 0.5, 0.1  # a factor of error of sigma, or of mu before scaling, beside one of mu as it is


@dataclass(frozen=True)
class Answer:
    """Means over photos: mu before the change is scaled to the asked mu (`strength_gain`), those when finished, but
    for `evenness`."""

    raw_mu: float
    final: Intensity


@dataclass(frozen=True)
class Point:
    """One asked intensity of one degradation, what was told in a round, and what the images measured."""

    ask: Ask
    told: Intensity
    answer: Answer

    @property
    def off(self) -> float:
        """How far the finished images are from what was asked, as a sum of logarithms of factors.

        Little scaling is better than much, so mu before it counts a little: of two that end alike the truer one wins.
        """
        mu, sigma = (abs(_log(*pair)) for pair in zip(self.answer.final, _asked(self.ask), strict=True))
        return mu + SIGMA_COUNTS * sigma + RAW_COUNTS * abs(_log(self.answer.raw_mu, self.ask.mu))


def calibrate(config: CalibrateConfig) -> dict[str, Any]:
    """Write the model with its map to `config.out` and what was measured to `calibration.json` there; returns that.

    What was measured before of other degradations, whose maps stay, stays there as well.
    Raises `OutputExists`, `ForeignFolder`, `BadImage`, and `BadModel` for a model that is no folder here.
    """
    source = _folder(config)
    if says(config.out / "model_index.json", "_class_name") is None:
        refuse_foreign(config.out, "calibrate")
    elif not config.overwrite:
        raise OutputExists(config.out)
    found = open_photos([config.clean], split=config.split, most=config.photos)
    ensure_writable(config.out)
    pipeline = load_pipeline(config.model, choose_device(config.device))
    settings = settings_of(pipeline, config.steps, config.guidance_text, config.guidance_image)
    photos = [read_clean(photo, config.size) for photo in found]  # a handful that was chosen: all should be good
    with pipeline.altered(evenness={}):  # by which any sigma that it is told would come out as asked
        rounds = _rounds(Generator(pipeline, settings), photos, config)
    chosen = {name: _best(points) for name, points in rounds.items()}
    response = {name: curves_of(points) for name, points in chosen.items()}
    earlier = _measured_before(source, model_sha256(pipeline))
    pipeline.register_to_config(calibration={**pipeline.config.calibration, **checked_response(response)})
    _store(pipeline.config.calibration, source, config.out)
    notes: dict[str, Any] = {
        "model_sha256": model_sha256(pipeline),
        "photos": dict.fromkeys(chosen, len(photos)),
        "chosen": {name: [_as_row(point) for point in points] for name, points in chosen.items()},
        "rounds": {name: [[_as_row(point) for point in one] for one in points] for name, points in rounds.items()},
    }
    kept = {part: {**of_each, **notes[part]} for part, of_each in earlier.items()}
    atomic_write(config.out / NOTES, json.dumps({**notes, **kept}, indent=1) + "\n")
    return notes


def _folder(config: CalibrateConfig) -> Path:
    folder = model_folder(config.model)
    if not folder.is_dir():
        raise BadModel(folder, "a calibration is stored in a model's folder; download a model of the hub first")
    check_folder(folder)
    return folder


# --- measuring ---


Photos = Sequence[tuple[U8Image, str]]
"""Each with the SHA-256 of its file."""


def _rounds(generator: Generator, photos: Photos, config: CalibrateConfig) -> dict[str, list[list[Point]]]:
    """Degradation → rounds → points, each round told what the one before makes likely to measure as asked."""
    groups: dict[str, list[Ask]] = {}
    for ask in ask_intensities(config.types, config.intensities):
        if ask.mu > 0 and ask.sigma > 0:
            groups.setdefault(ask.name, []).append(ask)
    found: dict[str, list[list[Point]]] = {}
    total = config.rounds * len(photos) * sum(map(len, groups.values()))
    with bar("calibrating", total=total, wanted=config.progress) as progress:
        for name, group in groups.items():
            told = [_asked(ask) for ask in group]
            found[name] = []
            for _ in range(config.rounds):
                measured = measure_response(generator, photos, group, told, config, progress.update)
                points = [Point(*one) for one in zip(group, told, measured, strict=True)]
                found[name].append(points)
                told = [corrected(point) for point in points]
    return found


def measure_response(
    generator: Generator,
    photos: Photos,
    asks: Sequence[Ask],
    told: Sequence[Intensity],
    config: CalibrateConfig,
    made: Callable[[int], object] = lambda count: None,
) -> list[Answer]:
    """What the model answers to each ask when it is told so, over all photos."""
    measured, lost = np.zeros((len(photos), len(asks), 3)), np.zeros((len(photos), len(asks)), bool)
    for number, (photo, sha256) in enumerate(photos):
        clean = generator.encode([photo])
        for first in range(0, len(asks), config.batch_size):
            batch = slice(first, first + config.batch_size)
            settled = [Settled(ask, tell) for ask, tell in zip(asks[batch], told[batch], strict=True)]
            noise = [noise_of(config.seed, sha256, one.ask) for one in settled]
            decoded = generator.decode(clean, settled, generator.generate(clean, settled, noise))
            raw, scaled = (Stored(x) for x in (decoded, generator.bring(clean, settled, decoded)))
            for row, (before, after) in enumerate(zip(raw, scaled, strict=True), start=first):
                if before is None or after is None:
                    print(f"gendeg: {asks[row].name}: an image is not finite and does not count", file=sys.stderr)
                    lost[number, row] = True
                    continue
                mu, (final_mu, sigma) = measure_intensity(photo, before).mu, measure_intensity(photo, after)
                measured[number, row] = mu, final_mu, sigma
            made(len(settled))
    counted = np.maximum(len(photos) - lost.sum(axis=0), 1)
    means = measured.sum(axis=0) / counted[:, None]
    return [Answer(float(raw), Intensity(float(mu), float(sigma))) for raw, mu, sigma in means]


# --- from measurements to a map ---


def corrected(point: Point) -> Intensity:
    """What to tell next time: what was told, changed by most of the factor that the images were off.

    mu by what it was before scaling, which should have little to do; sigma, which scaling takes along, by its end.
    """
    measured = Intensity(point.answer.raw_mu, point.answer.final.sigma)
    limits = Intensity(MU_BINS.high, SIGMA_BINS.high)
    values = []
    for told, asked, found, high in zip(point.told, _asked(point.ask), measured, limits, strict=True):
        aim = told * float(np.exp(STEP * _log(asked, found)))
        values.append(min(max(aim, asked / FURTHEST), asked * FURTHEST, high))
    return Intensity(*values)


def _best(rounds: Sequence[Sequence[Point]]) -> list[Point]:
    """Of each ask the round that came nearest: the first one tells the model just what is asked."""
    return [min(points, key=lambda point: point.off) for points in zip(*rounds, strict=True)]


def curves_of(points: Sequence[Point]) -> dict[str, list[list[float]]]:
    """The map of one degradation: told mu made monotone (isotonic regression), sigma as a factor of the asked one."""
    ordered = sorted({point.ask.mu: point for point in points}.items())
    asked = np.array([mu for mu, _ in ordered])
    told = IsotonicRegression().fit_transform(asked, [point.told.mu for _, point in ordered])
    factors = [point.told.sigma / point.ask.sigma for _, point in ordered]
    return {
        "mu": [[round(float(a), 6), round(float(t), 6)] for a, t in zip(asked, told, strict=True)],
        "sigma": [[round(float(a), 6), round(float(f), 6)] for a, f in zip(asked, factors, strict=True)],
    }


def _asked(ask: Ask) -> Intensity:
    return Intensity(ask.mu, ask.sigma)


def _log(value: float, reference: float) -> float:
    """Logarithm of their ratio; below a tenth of a grey level both count as that."""
    least = 0.1 / 255
    return float(np.log(max(value, least) / max(reference, least)))


def tabulate_response(notes: Mapping[str, Any]) -> str:
    """What was asked; what images measured that were told just that, and those that were told what was best."""
    heads = "".join(f"{name:>9}" for name in ("asked", "raw", "plain", "mapped"))
    lines = [f"{'':<13}{'mu':<36}   sigma", f"{'degradation':<13}{heads}   {heads[:9]}{heads[18:]}"]
    for name, rounds in notes["rounds"].items():
        for first, best in zip(rounds[0], notes["chosen"][name], strict=True):
            mu = (first["mu_asked"], first["mu_raw"], first["mu_measured"], best["mu_measured"])
            sigma = (first["sigma_asked"], first["sigma_measured"], best["sigma_measured"])
            mus, sigmas = ("".join(f"{value:>9.4f}" for value in values) for values in (mu, sigma))
            lines.append(f"{name:<13}{mus}   {sigmas}")
    return "\n".join(lines)


# --- storing ---


def _measured_before(source: Path, sha256: str) -> dict[str, dict[str, Any]]:
    """What the notes of a model's folder say of each degradation; nothing, where they are of other weights or maps."""
    notes = notes_of(source / NOTES)
    parts = {part: notes.get(part) for part in ("photos", "chosen", "rounds")}
    known = notes.get("model_sha256") == sha256 and all(isinstance(of_each, dict) for of_each in parts.values())
    return parts if known else {}  # type: ignore[return-value]


def _store(calibration: Mapping[str, Any], source: Path, out: Path) -> None:
    """The source's files as they are, and the map in the pipeline's own configuration, which is written last."""
    index = read_json_object(source / "model_index.json")
    if out.resolve() != source.resolve():
        shutil.copytree(source, out, dirs_exist_ok=True)
    atomic_write(out / "model_index.json", json.dumps({**index, "calibration": calibration}, indent=2) + "\n")


def _as_row(point: Point) -> dict[str, float]:
    row = {
        "intensity": point.ask.intensity,
        "mu_asked": point.ask.mu,
        "sigma_asked": point.ask.sigma,
        "mu_told": point.told.mu,
        "sigma_told": point.told.sigma,
        "mu_raw": point.answer.raw_mu,
        "mu_measured": point.answer.final.mu,
        "sigma_measured": point.answer.final.sigma,
    }
    return {name: round(value, 6) for name, value in row.items()}
