"""gendeg synth: degrade photos and write images, records and a sheet."""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from gendeg.intensity.direction import measure_direction
from gendeg.intensity.measure import measure_intensity
from gendeg.model.generate import Generator, Settings, choose_sampler, noise_of, refuse_direction, settings_of
from gendeg.model.text import PromptWriter
from gendeg.model.weights import load_pipeline, model_sha256
from gendeg.pairs.judge import NOT_FINITE
from gendeg.pairs.photos import Photo
from gendeg.primitives.device import choose_device
from gendeg.primitives.errors import BadImage, OutputExists, TooLongForFormat
from gendeg.primitives.faults import ImageFault
from gendeg.primitives.files import append_jsonl, ensure_writable, sha256_bytes, write_jsonl
from gendeg.primitives.images import (
    LONGEST_SIDE,
    MAX_PIXELS,
    U8Image,
    read_rgb,
    resize_short_side,
    stored_size,
    write_image,
)
from gendeg.primitives.progress import bar
from gendeg.primitives.records import Failure, Record
from gendeg.primitives.streams import say
from gendeg.report.sheet import Tile, draw_sheet
from gendeg.synth.config import SynthConfig
from gendeg.synth.plan import PhotoPlan, Plan, Sample, plan_synthesis, with_prompts

SHEET_ROWS, SHEET_COLUMNS = 48, 13  # what a sheet shows at most; every image is in its own file anyway
SHEET_WIDTH = 320

Rows = dict[tuple[Photo, str], list[Tile]]
"""The sheet: a row for each photo and degradation."""


@dataclass(frozen=True)
class Loaded:
    """What makes the images of a run, ready: a generator, its model's hash, what writes its prompts."""

    generator: Generator
    sha256: str
    write: PromptWriter


def load(config: SynthConfig) -> Loaded:
    """Raises `BadModel`, `HubUnreachable`, and `BadOption` for what this model cannot be asked."""
    pipeline = load_pipeline(config.model, choose_device(config.device))
    choose_sampler(pipeline, config.sampler)
    if config.direction is not None:
        refuse_direction(pipeline)
    chosen = config.steps, config.guidance_text, config.guidance_image, config.structure_correction, config.sampler
    generator = Generator(pipeline, settings_of(pipeline, *chosen))
    return Loaded(generator, model_sha256(pipeline), PromptWriter(pipeline.reader))


def synthesize(config: SynthConfig, loaded: Loaded | None = None) -> Iterator[Record | Failure]:
    """Make everything that is planned, yielding each sample's record (or failure) once its image is on disk.

    `loaded`: of an earlier run with the same model and settings.
    """
    plan = plan_synthesis(config)
    ensure_writable(config.out)
    if plan.wish:
        say(f"gendeg: {plan.wish}")
    ready = loaded or load(config)
    photos = [replace(photo, samples=with_prompts(photo.samples, ready.write.rewrite)) for photo in plan.photos]
    _open_records(plan, config.overwrite)
    ready.write.say()
    rows: Rows = {}
    with bar("degrading", total=len(plan.samples), wanted=config.progress) as progress:
        for photo in photos:
            for row in _degrade_photo(photo, ready.generator, ready.sha256, config, rows):
                append_jsonl(plan.records, [row.as_row()])
                progress.update(len(photo.samples) if isinstance(row, Failure) and not row.key else 1)
                yield row
    if rows:
        write_image(draw_sheet(list(rows.values()), SHEET_WIDTH), plan.sheet, "png")


def _degrade_photo(
    plan: PhotoPlan, generator: Generator, digest: str, config: SynthConfig, rows: Rows
) -> Iterator[Record | Failure]:
    """The records of one photo's samples, and its rows of the sheet; a photo that cannot be used is one failure."""
    try:
        clean, clean_sha256 = read_clean(plan.photo, config.size, config.format)
    except (BadImage, TooLongForFormat) as error:
        yield Failure.of(error, plan.photo.name, seed=config.seed)
        return
    encoded = generator.encode([clean])
    for first in range(0, len(plan.samples), config.batch_size):
        samples = plan.samples[first : first + config.batch_size]
        noise = [noise_of(sample.seed, clean_sha256, sample.ask) for sample in samples]
        images = generator.degrade(encoded, [sample.ask for sample in samples], noise)
        for sample, image in zip(samples, images, strict=True):
            if image is None:
                yield not_finite(sample, plan.photo.name)
                continue
            stored = write_image(image, sample.path, config.format)
            image = image if config.format != "jpg" else read_rgb(stored)
            settings = generator.used(sample.ask)
            record = record_of(sample, clean, image, settings, config.model, digest, plan.photo.name, clean_sha256)
            _add_to_sheet(rows, record, clean, image, plan.photo)
            yield record


def read_clean(photo: Photo, size: int | None, format: str = "png") -> tuple[U8Image, str]:
    """The photo at the size it is degraded at (None: its own), and its file's SHA-256.

    Raises `BadImage`, `TooLongForFormat`.
    """
    clean = photo.image()
    height, width = clean.shape[:2]
    width, height = stored_size(width, height, size or 0, square=False)
    if width * height > MAX_PIXELS:
        raise BadImage(photo.name, ImageFault.TOO_LARGE, f"{width} x {height} after --size {size}")
    if max(width, height) > LONGEST_SIDE[format]:
        raise TooLongForFormat(width, height, format, LONGEST_SIDE[format])
    return resize_short_side(clean, size) if size else clean, sha256_bytes(photo.bytes())


def not_finite(sample: Sample, photo: str) -> Failure:
    """A sample that the model gave no numbers for: half precision, or weights that are broken."""
    message = f"{photo}: the model gave numbers that are not finite for {sample.path.name}"
    return Failure(
        key=sample.key, failed=NOT_FINITE, message=message, degradation=sample.ask.name, seed=sample.seed,
        clean_path=photo,
    )  # fmt: skip


def record_of(
    sample: Sample,
    clean: np.ndarray,
    image: np.ndarray,
    settings: Settings,
    model: str,
    digest: str,
    clean_path: str,
    clean_sha256: str,
) -> Record:
    """The record of one sample; mu, sigma and the direction are measured on the image as stored."""
    measured = measure_intensity(clean, image)
    direction, coherence = measure_direction(clean, image, sample.ask.mix).recorded
    return Record(
        key=sample.key,
        mu=measured.mu,
        sigma=measured.sigma,
        direction=direction,
        coherence=coherence,
        seed=sample.seed,
        attempt=0,
        model=model,
        model_sha256=digest,
        **sample.ask.recorded,
        **asdict(settings),
        origin="generated",
        clean_path=clean_path,
        clean_sha256=clean_sha256,
        width=image.shape[1],
        height=image.shape[0],
    )


def _open_records(plan: Plan, overwrite: bool) -> None:
    """An empty list; with `overwrite`, the records of images that this run does not make again, in their old order.

    Raises `OutputExists` when another run has begun in this folder since the plan was made.
    """
    if not overwrite:
        try:
            plan.records.touch(exist_ok=False)
        except FileExistsError as error:
            raise OutputExists(plan.records) from error
    again = {"", *(sample.key for sample in plan.samples)}  # "": failures
    write_jsonl(plan.records, [row for row in _readable_rows(plan.records) if row.get("key", "") not in again])


def _readable_rows(path: Path) -> Iterator[dict[str, Any]]:
    """What an earlier run recorded; a line that was cut short is left out."""
    for line in path.read_bytes().splitlines() if path.exists() else []:
        with suppress(ValueError):
            row = json.loads(line)
            if isinstance(row, dict):
                yield row


def _add_to_sheet(rows: Rows, record: Record, clean: np.ndarray, image: np.ndarray, photo: Photo) -> None:
    """The clean photo first in its row, then what was made of it; thumbnails only, so that memory stays small."""
    place = photo, record.degradation
    if place not in rows and len(rows) < SHEET_ROWS:
        rows[place] = [Tile(_thumbnail(clean), f"{photo.title}, clean")]
    if place in rows and len(rows[place]) < SHEET_COLUMNS:
        label = f"{record.degradation} {record.intensity:.2f}: mu asked {record.mu_requested:.3f}, made {record.mu:.3f}"
        rows[place].append(Tile(_thumbnail(image), label))


def _thumbnail(image: np.ndarray) -> np.ndarray:
    """No wider than a cell of the sheet."""
    height, width = image.shape[:2]
    return (
        image if width <= SHEET_WIDTH else resize_short_side(image, max(1, SHEET_WIDTH * min(height, width) // width))
    )
