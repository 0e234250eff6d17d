"""gendeg synth: degrade photos and write images, records and a sheet."""

from collections.abc import Iterator
from contextlib import suppress

import numpy as np

from gendeg.configs import SynthConfig
from gendeg.intensity.measure import measure_intensity
from gendeg.jobs.samples import choose_device, corrects, make_samples, noise_generator, to_signed_tensor
from gendeg.jobs.synth_plan import PhotoPlan, Plan, Sample, plan_synthesis
from gendeg.model.pipeline import GenDegPipeline
from gendeg.model.weights import load_pipeline, model_sha256
from gendeg.primitives.errors import BadImage, GendegError
from gendeg.primitives.files import (
    append_jsonl,
    ensure_writable,
    read_jsonl,
    sha256_of,
    write_jsonl,
)
from gendeg.primitives.images import read_rgb, resize_short_side, write_image
from gendeg.primitives.kinds import mix_name
from gendeg.primitives.progress import bar
from gendeg.primitives.records import Failure, Record
from gendeg.report.sheet import Cell, draw_sheet

SHEET_ROWS = 48  # a sheet shows this many rows at most; every image is in its own file anyway
SHEET_WIDTH = 320


def synthesize(config: SynthConfig) -> Iterator[Record | Failure]:
    """Make everything that is planned, yielding each sample's record (or failure) once its image is on disk."""
    plan = plan_synthesis(config)
    ensure_writable(config.out)
    pipeline = load_pipeline(config.model, choose_device(config.device))
    digest = model_sha256(pipeline)
    _keep_other_records(plan)
    rows: list[list[Cell]] = []
    with bar("degrading", total=len(plan.samples), wanted=config.progress) as progress:
        for photo in plan.photos:
            for row in _degrade_photo(photo, pipeline, digest, config, rows):
                append_jsonl(plan.records, [row.as_row()])
                progress.update(1 if isinstance(row, Record) else len(photo.samples))
                yield row
    if rows:
        write_image(draw_sheet(rows[:SHEET_ROWS], SHEET_WIDTH), plan.sheet, "png")


def _degrade_photo(
    plan: PhotoPlan, pipeline: GenDegPipeline, digest: str, config: SynthConfig, rows: list[list[Cell]]
) -> Iterator[Record | Failure]:
    """The records of one photo's samples, and its rows of the sheet; a photo that cannot be read is one failure."""
    try:
        clean = read_rgb(plan.photo)
        clean_sha256 = sha256_of(plan.photo)
    except BadImage as error:
        yield Failure(
            key="",
            failed=error.reason,
            message=str(error),
            degradation="",
            seed=config.seed,
            attempt=0,
            clean_path=str(plan.photo),
        )
        return
    if config.size is not None:
        clean = resize_short_side(clean, config.size)
    latent = pipeline.encode_clean(to_signed_tensor(clean))
    for first in range(0, len(plan.samples), config.batch_size):
        samples = plan.samples[first : first + config.batch_size]
        images = make_samples(
            pipeline,
            latent,
            [sample.request for sample in samples],
            [noise_generator(sample.seed, clean_sha256, sample.request) for sample in samples],
            config,
        )
        for sample, image in zip(samples, images, strict=True):
            stored = write_image(image, sample.path, config.format)  # type: ignore[arg-type]
            image = image if config.format != "jpg" else read_rgb(stored)
            record = _record(sample, clean, image, pipeline, config, digest, str(plan.photo), clean_sha256)
            _add_to_sheet(rows, record, clean, image, plan)
            yield record


def _record(
    sample: Sample,
    clean: np.ndarray,
    image: np.ndarray,
    pipeline: GenDegPipeline,
    config: SynthConfig,
    digest: str,
    clean_path: str,
    clean_sha256: str,
) -> Record:
    """The record of one sample; mu and sigma are measured on the image as stored."""
    request, mu_sigma = sample.request, measure_intensity(clean, image)
    defaults = pipeline.config
    return Record(
        key=sample.key,
        degradation=mix_name(request.mix),
        caption=request.caption,
        prompt=request.prompt,
        intensity=request.intensity,
        mu_requested=request.mu,
        sigma_requested=request.sigma,
        mu=mu_sigma.mu,
        sigma=mu_sigma.sigma,
        source=request.source,
        seed=sample.seed,
        attempt=0,
        model=config.model,
        model_sha256=digest,
        steps=config.steps or defaults.steps,
        guidance_text=defaults.guidance_text if config.guidance_text is None else config.guidance_text,
        guidance_image=defaults.guidance_image if config.guidance_image is None else config.guidance_image,
        structure_correction=corrects(pipeline, request, config.structure_correction),
        origin="generated",
        clean_path=clean_path,
        clean_sha256=clean_sha256,
        width=image.shape[1],
        height=image.shape[0],
    )


def _keep_other_records(plan: Plan) -> None:
    """With --overwrite: records of images that this run does not make again stay, in their old order."""
    if not plan.records.exists():
        return
    again = {sample.key for sample in plan.samples}
    kept = []
    with suppress(GendegError):  # a damaged list is replaced: the images themselves are what counts
        kept = [row for row in read_jsonl(plan.records) if row.get("key") and row["key"] not in again]
    write_jsonl(plan.records, kept)


def _add_to_sheet(
    rows: list[list[Cell]], record: Record, clean: np.ndarray, image: np.ndarray, plan: PhotoPlan
) -> None:
    """A new row for each photo and degradation, the clean photo first; thumbnails only, so that memory stays small."""
    name = f"{plan.photo.name}, clean"
    label = f"{record.degradation} {record.intensity:.2f}: mu {record.mu_requested:.3f} → {record.mu:.3f}"
    last = rows[-1] if rows else []
    new_row = not last or last[0].label != name or not last[-1].label.startswith(record.degradation + " ")
    if new_row and len(rows) <= SHEET_ROWS:
        rows.append([Cell(_thumbnail(clean), name)])
    if len(rows) <= SHEET_ROWS:
        rows[-1].append(Cell(_thumbnail(image), label))


def _thumbnail(image: np.ndarray) -> np.ndarray:
    """No wider than a cell of the sheet."""
    height, width = image.shape[:2]
    return (
        image if width <= SHEET_WIDTH else resize_short_side(image, max(1, SHEET_WIDTH * min(height, width) // width))
    )
