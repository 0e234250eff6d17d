"""gendeg evaluate: how well a model does as asked, each number with its uncertainty → results.json."""

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gendeg import __version__
from gendeg.configs import EvaluateConfig
from gendeg.jobs.evaluate_change import summarise_change
from gendeg.jobs.evaluate_headline import headline
from gendeg.jobs.evaluate_images import ROUNDTRIP, SIMULATOR, Photo, Studio, made_settings, plan_evaluation
from gendeg.jobs.evaluate_measures import (
    ALIGNED,
    SURE,
    Summary,
    measure,
    summarise_calibration,
    summarise_structure,
)
from gendeg.jobs.evaluate_photos import clean_photos
from gendeg.jobs.evaluate_realism import summarise_diversity, summarise_realism
from gendeg.jobs.evaluate_recognition import recognise, summarise_recognition
from gendeg.jobs.evaluation_files import RESULTS, SAMPLES
from gendeg.jobs.prompt_writer import PromptWriter
from gendeg.metrics.alignment import psnr
from gendeg.model.generate import Generator, settings_of
from gendeg.model.weights import load_pipeline
from gendeg.primitives.device import choose_device
from gendeg.primitives.errors import DifferentRun, NoImages
from gendeg.primitives.files import IMAGE_EXTENSIONS, atomic_write, read_json_object, write_jsonl
from gendeg.primitives.folders import claim, says
from gendeg.primitives.images import read_rgb
from gendeg.primitives.kinds import mix_name, parse_mixes

SCHEMA = "gendeg-evaluation-1"
"""Raise the number when a key of results.json changes its meaning; manifests/README.md describes them."""


def evaluate(config: EvaluateConfig) -> dict[str, Any]:
    """Make every image that is not there yet, measure all, and write `results.json` and `samples.jsonl`.

    Returns the results. Raises `ForeignFolder` for a folder in use, and `DifferentRun` for one that holds images of
    another model or other settings.
    """
    begun = time.monotonic()
    claim(config.out, "evaluate", ours=says(config.out / "config.json", "model_sha256") is not None)
    photos = plan_evaluation(config, clean_photos(config.clean, config.split, config.photos))
    pipeline = load_pipeline(config.model, choose_device(config.device))
    settings = settings_of(pipeline, config.steps, config.guidance_text, config.guidance_image)
    studio = Studio(config, Generator(pipeline, settings))
    write = PromptWriter(pipeline.reader)
    photos = [
        replace(one, planned={name: write.rewrite(samples) for name, samples in one.planned.items()}) for one in photos
    ]
    _check_same(config.out / "config.json", dict(made_settings(config, studio)))
    rows = [measure(made, clean, degraded, config) for made, clean, degraded in studio.images(photos)]
    if not rows:
        raise NoImages(config.clean, IMAGE_EXTENSIONS)
    summary = Summary(rows, config.draws, config.seed)
    results = _head(config, studio, len(photos))
    results["calibration"] = summarise_calibration(summary)
    results["structure"] = summarise_structure(summary)
    results["autoencoder"] = _autoencoder(summary, studio, photos)
    if config.real:
        results["realism"] = summarise_realism(summary, config, studio.failures)
    if config.variants > 1:
        results["diversity"] = summarise_diversity(summary, config)
        results["change"] = summarise_change(summary, config)
    if config.pairs:
        results["recognition"] = summarise_recognition(summary, recognise(rows, config))
    results["headline"] = headline(results)
    results["failures"] = [failure.as_row() for failure in studio.failures]
    results["seconds"] = round(time.monotonic() - begun, 1)
    write_jsonl(config.out / SAMPLES, (row.as_row() for row in rows))
    atomic_write(config.out / RESULTS, json.dumps(results, indent=1, allow_nan=False) + "\n")
    return results


def _check_same(path: Path, settings: dict[str, Any]) -> None:
    """Images are kept from run to run; raises `DifferentRun` for those that were made otherwise."""
    if path.exists():
        before = read_json_object(path)
        other = sorted(name for name in settings if before.get(name) != settings[name])
        if other:
            raise DifferentRun(path.parent, other)
    atomic_write(path, json.dumps(settings, indent=1) + "\n")


def _head(config: EvaluateConfig, studio: Studio, photos: int) -> dict[str, Any]:
    own, settings = studio.generator.pipeline.config, studio.generator.settings
    return {
        "schema": SCHEMA,
        "gendeg": __version__,
        "created": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "seconds": 0.0,
        "model": {
            "name": config.model,
            "sha256": studio.digest,
            "calibrated": studio.calibrated,
            "steps": settings.steps,
            "guidance_text": settings.guidance_text,
            "guidance_image": settings.guidance_image,
            "strength_gain": float(own.strength_gain),
        },
        "settings": {
            "clean": str(config.clean),
            "real": str(config.real or ""),
            "pairs": str(config.pairs or ""),
            "features": config.features,
            "split": config.split,
            "size": config.size,
            "photos": photos,
            "compare": config.compare,
            "types": [mix_name(mix) for mix in parse_mixes(config.types)],
            "intensities": list(config.intensities),
            "seed": config.seed,
            "variants": config.variants,
            "tolerance": config.tolerance,
            "structure": config.structure,
            "draws": config.draws,
        },
        "thresholds": {"shift_sure": SURE, "shift_wanted": ALIGNED},
        "headline": [],
    }


def _autoencoder(summary: Summary, studio: Studio, photos: Sequence[Photo]) -> dict[str, Any]:
    """PSNR of the autoencoder alone, on clean photos and on the simulators' images: the limit of everything."""
    out = studio.config.out
    whole = {photo.stem: studio.clean_roundtrip(photo) for photo in photos if studio.clean_roundtrip(photo).exists()}
    clean = {row.made.photo: row for row in summary.rows}
    rows = [clean[stem] for stem in whole if stem in clean]
    values = [psnr(read_rgb(out / row.made.clean), read_rgb(whole[row.made.photo])) for row in rows]
    section: dict[str, Any] = {"psnr_clean": summary.mean("autoencoder", rows, values).as_row(), "psnr_degraded": {}}
    simulated = {row.place: row for row in summary.grid(SIMULATOR)}
    for name in summary.degradations:
        group = summary.grid(ROUNDTRIP, name)
        both = [
            (read_rgb(out / row.made.degraded), read_rgb(out / simulated[row.place].made.degraded)) for row in group
        ]
        estimate = summary.mean(f"autoencoder/{name}", group, [psnr(*images) for images in both])
        section["psnr_degraded"][name] = estimate.as_row()
    return section
