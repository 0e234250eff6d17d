"""gendeg evaluate: how well a model does as asked, each number with its uncertainty → results.json."""

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from gendeg import __version__
from gendeg.drive.driver import open_driver
from gendeg.evaluate.config import EvaluateConfig
from gendeg.evaluate.headline import headline
from gendeg.evaluate.images import ROUNDTRIP, SIMULATOR, Studio, Subject, made_settings, plan_evaluation
from gendeg.evaluate.measures import ALIGNED, SURE, Summary, measure, summarise_calibration, summarise_structure
from gendeg.evaluate.realism import summarise_change, summarise_diversity, summarise_realism
from gendeg.evaluate.recognition import recognise, summarise_recognition
from gendeg.evaluate.results import SCHEMA, AutoencoderLimit, Results, write_evaluation
from gendeg.metrics.alignment import psnr
from gendeg.pairs.photos import open_photos
from gendeg.primitives.device import choose_device
from gendeg.primitives.errors import NoImages
from gendeg.primitives.files import IMAGE_EXTENSIONS, write_json
from gendeg.primitives.folders import claim, says
from gendeg.primitives.images import read_rgb
from gendeg.primitives.kinds import parse_types
from gendeg.primitives.once import CONFIG, same_run
from gendeg.synth.plan import with_prompts


def evaluate(config: EvaluateConfig) -> Results:
    """Make every image that is not there yet, measure all, and write `results.json` and `samples.jsonl`.

    Returns the results. Raises `ForeignFolder` for a folder in use, and `DifferentRun` for one that holds images of
    another model or other settings.
    """
    begun = time.monotonic()
    claim(config.out, "evaluate", ours=says(config.out / CONFIG, "model_sha256") is not None)
    photos = plan_evaluation(config, open_photos([config.clean], split=config.split, most=config.photos, gaps=True))
    driver = open_driver(
        config.model, choose_device(config.device), steps=config.steps, guidance_text=config.guidance_text,
        guidance_image=config.guidance_image,
    )  # fmt: skip
    studio, rewrite = Studio(config, driver), driver.write.rewrite
    photos = [
        replace(one, planned={name: with_prompts(samples, rewrite) for name, samples in one.planned.items()})
        for one in photos
    ]
    made_with = made_settings(config, studio)
    same_run(config.out, made_with)  # images are kept from run to run
    write_json(config.out / CONFIG, made_with)
    rows = [measure(made, clean, degraded, config) for made, clean, degraded in studio.images(photos)]
    if not rows:
        raise NoImages(config.clean, IMAGE_EXTENSIONS)
    known: dict[str, Any] = {}
    if config.pairs:
        rows, known = recognise(rows, config)
    summary = Summary(rows, config.draws, config.seed)
    found = replace(
        _head(config, studio, len(photos)),
        calibration=summarise_calibration(summary),
        structure=summarise_structure(summary),
        autoencoder=_autoencoder(summary, studio, photos) if studio.network is not None else None,
        realism=summarise_realism(summary, config, studio.failures) if config.real else None,
        diversity=summarise_diversity(summary, config) if config.variants > 1 else None,
        change=summarise_change(summary, config) if config.variants > 1 else None,
        recognition=summarise_recognition(summary, known) if config.pairs else None,
        failures=studio.failures,
    )
    results = replace(found, headline=headline(found), seconds=round(time.monotonic() - begun, 1))
    write_evaluation(config.out, results, rows)
    return results


def _head(config: EvaluateConfig, studio: Studio, photos: int) -> Results:
    settings, network = studio.driver.settings, studio.network
    return Results(
        schema=SCHEMA,
        gendeg=__version__,
        created=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        seconds=0.0,
        model={
            "name": config.model,
            "sha256": studio.digest,
            "calibrated": studio.calibrated,
            "steps": settings.steps,
            "guidance_text": settings.guidance_text,
            "guidance_image": settings.guidance_image,
            "strength_gain": 1.0 if network is None else float(network.pipeline.config.strength_gain),
        },
        settings={
            "clean": str(config.clean),
            "real": str(config.real or ""),
            "pairs": str(config.pairs or ""),
            "features": config.features,
            "split": config.split,
            "size": config.size,
            "photos": photos,
            "compare": config.compare,
            "types": [wanted.name for wanted in parse_types(config.types)],
            "intensities": list(config.intensities),
            "seed": config.seed,
            "variants": config.variants,
            "tolerance": config.tolerance,
            "structure": config.structure,
            "draws": config.draws,
        },
        thresholds={"shift_sure": SURE, "shift_wanted": ALIGNED},
    )


def _autoencoder(summary: Summary, studio: Studio, photos: Sequence[Subject]) -> AutoencoderLimit:
    out = studio.config.out
    whole = {photo.stem: studio.clean_roundtrip(photo) for photo in photos if studio.clean_roundtrip(photo).exists()}
    clean = {row.photo: row for row in summary.rows}
    rows = [clean[stem] for stem in whole if stem in clean]
    values = [psnr(read_rgb(out / row.clean), read_rgb(whole[row.photo])) for row in rows]
    alone, degraded = summary.mean("autoencoder", rows, values), {}
    simulated = {row.place: row for row in summary.grid(SIMULATOR)}
    for name in summary.degradations:
        group = summary.grid(ROUNDTRIP, name)
        both = [(read_rgb(out / row.degraded), read_rgb(out / simulated[row.place].degraded)) for row in group]
        degraded[name] = summary.mean(f"autoencoder/{name}", group, [psnr(*images) for images in both])
    return AutoencoderLimit(alone, degraded)
