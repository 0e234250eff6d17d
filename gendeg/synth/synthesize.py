"""gendeg synth: degrade photos and write images, records and a sheet."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace

import numpy as np

from gendeg.drive.driver import Driver, Unmade, open_driver
from gendeg.intensity.direction import measure_direction
from gendeg.intensity.measure import Intensity, measure_intensity
from gendeg.model.generate import noise_of
from gendeg.model.settings import Settings
from gendeg.pairs.photo import Photo
from gendeg.primitives.device import choose_device
from gendeg.primitives.errors import BadImage, OutputExists, TooLongForFormat
from gendeg.primitives.faults import ImageFault
from gendeg.primitives.files import append_jsonl, ensure_writable, readable_rows, sha256_bytes, write_jsonl
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
from gendeg.report.sheet import Tile, draw_sheet, thumbnail
from gendeg.synth.config import SynthConfig
from gendeg.synth.plan import PhotoPlan, Plan, Sample, plan_synthesis, with_prompts

SHEET_ROWS, SHEET_COLUMNS = 48, 13  # what a sheet shows at most; every image is in its own file anyway
SHEET_WIDTH = 320

Rows = dict[tuple[Photo, str], list[Tile]]
"""The sheet: a row for each photo and degradation."""


def load(config: SynthConfig) -> Driver:
    """What makes the images of a run. Raises `BadModel`, `HubUnreachable`, and `BadOption` for what it cannot do."""
    return open_driver(
        config.model, choose_device(config.device), sampler=config.sampler, directed=config.direction is not None,
        steps=config.steps, guidance_text=config.guidance_text, guidance_image=config.guidance_image,
        structure_correction=config.structure_correction,
    )  # fmt: skip


def synthesize(
    config: SynthConfig, loaded: Driver | None = None, plan: Plan | None = None
) -> Iterator[Record | Failure]:
    """Make everything that is planned, yielding each sample's record (or failure) once its image is on disk.

    `loaded`: of an earlier run with the same model and settings; `plan`: where it is made already.
    """
    plan = plan or plan_synthesis(config)
    ensure_writable(config.out)
    if plan.wish:
        say(f"gendeg: {plan.wish}")
    driver = loaded or load(config)
    photos = [replace(photo, samples=with_prompts(photo.samples, driver.write.rewrite)) for photo in plan.photos]
    _open_records(plan, config.overwrite)
    driver.write.say()
    rows: Rows = {}
    with bar("degrading", total=len(plan.samples), wanted=config.progress) as progress:
        for photo in photos:
            for row in _degrade_photo(photo, driver, config, rows):
                append_jsonl(plan.records, [row.as_row()])
                progress.update(len(photo.samples) if isinstance(row, Failure) and not row.key else 1)
                yield row
    if rows:
        write_image(draw_sheet(list(rows.values()), SHEET_WIDTH), plan.sheet, "png")


def _degrade_photo(plan: PhotoPlan, driver: Driver, config: SynthConfig, rows: Rows) -> Iterator[Record | Failure]:
    """The records of one photo's samples, and its rows of the sheet; a photo that cannot be used is one failure."""
    try:
        clean, clean_sha256 = read_clean(plan.photo, config.size, config.format)
    except (BadImage, TooLongForFormat) as error:
        yield Failure.of(error, plan.photo.name, seed=config.seed)
        return
    for first in range(0, len(plan.samples), config.batch_size):
        samples = plan.samples[first : first + config.batch_size]
        noise = [noise_of(sample.seed, clean_sha256, sample.ask) for sample in samples]
        for sample, made in zip(samples, driver.degrade([clean], [one.ask for one in samples], noise), strict=True):
            if isinstance(made, Unmade):
                yield unmade(sample, made, plan.photo.name)
                continue
            stored = write_image(made.image, sample.path, config.format)
            image = made.image if config.format != "jpg" else read_rgb(stored)
            known = driver.used(sample.ask), config.model, driver.sha256, plan.photo.name, clean_sha256
            record = record_of(sample, clean, image, *known, parts=made.parts)
            _add_to_sheet(rows, record, clean, image, plan.photo)
            yield record


def unmade(sample: Sample, made: Unmade, name: str) -> Failure:
    return Failure(
        key=sample.key, failed=made.reason, message=f"{name}: {made.message}", degradation=sample.ask.name,
        seed=sample.seed, clean_path=name,
    )  # fmt: skip


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


def record_of(
    sample: Sample,
    clean: np.ndarray,
    image: np.ndarray,
    settings: Settings,
    model: str,
    digest: str,
    clean_path: str,
    clean_sha256: str,
    parts: Sequence[Intensity] = (),
) -> Record:
    """The record of one sample; mu, sigma and the direction are measured on the image as stored.

    `parts`: what each of several measured, as it was made.
    """
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
        **sample.ask.recorded_with(measured, parts),
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
    before = readable_rows(plan.records) if plan.records.exists() else []
    write_jsonl(plan.records, [row for row in before if row.get("key", "") not in again])


def _add_to_sheet(rows: Rows, record: Record, clean: np.ndarray, image: np.ndarray, photo: Photo) -> None:
    """The clean photo first in its row, then what was made of it; thumbnails only, so that memory stays small."""
    place = photo, record.degradation
    if place not in rows and len(rows) < SHEET_ROWS:
        rows[place] = [Tile(thumbnail(clean, SHEET_WIDTH), f"{photo.title}, clean")]
    if place in rows and len(rows[place]) < SHEET_COLUMNS:
        asked = "+".join(f"{part.degradation} {part.intensity:.2f}" for part in record.parts)
        whole = "" if len(record.parts) > 1 else f"asked {record.mu_requested:.3f}, made "
        rows[place].append(Tile(thumbnail(image, SHEET_WIDTH), f"{asked}: mu {whole}{record.mu:.3f}"))
