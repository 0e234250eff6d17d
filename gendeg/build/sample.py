"""Planned sample → the two halves as they are stored: reading, checking, resizing, encoding. Threads do this."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from gendeg.drive.driver import Degraded, Unmade
from gendeg.intensity.direction import measure_direction
from gendeg.intensity.measure import Intensity, measure_intensity
from gendeg.pairs.judge import INTENSITY_OFF, judge
from gendeg.pairs.photo import Input, Photo
from gendeg.pairs.photos import public_name
from gendeg.primitives.errors import BadImage
from gendeg.primitives.files import sha256_bytes
from gendeg.primitives.images import U8Image, encode_image, read_header, read_rgb, stored_view
from gendeg.primitives.kinds import mix_name
from gendeg.primitives.records import Failure, Record
from gendeg.shards.description import Description
from gendeg.shards.plan import EXISTING, PlannedSample
from gendeg.shards.writer import StoredSample

CHANGED, SIZE_MISMATCH = "changed", "size_mismatch"
NO_MODEL = {
    "model": "", "model_sha256": "", "sampler": "", "steps": 0, "passes": 0, "guidance_text": 0.0,
    "guidance_image": 0.0, "structure_correction": False,
}  # fmt: skip
"""What a record says of a pair that existed already."""


@dataclass(frozen=True)
class Rules:
    """What decides a sample beside its row of the plan and the model's pixels."""

    model: str
    model_sha256: str
    size: int
    square: bool
    format: str
    tolerance: float
    structure: float
    inputs: Sequence[Input]

    def photo_of(self, sample: PlannedSample) -> Photo:
        """The clean one, where it lies."""
        path = _path(sample.clean_path)
        return Photo(self.inputs[sample.input], path, at=sample.clean_offset, size=sample.clean_length)

    def name_of(self, sample: PlannedSample) -> str:
        """What its photo is called, without where its input lies."""
        return public_name(self.photo_of(sample).below)


@dataclass(frozen=True)
class CleanHalf:
    """The clean image as it is stored, and the pixels that those bytes hold."""

    data: bytes
    image: U8Image


Made = tuple[StoredSample, Record] | Failure


def rules_of(description: Description, inputs: Sequence[Input]) -> Rules:
    """From the settings in `.gendeg/config.json`, and the places that the plan's numbers point at."""
    names = ("size", "square", "format", "tolerance", "structure")
    settings = {name: description.settings[name] for name in names}
    return Rules(description.model, description.model_sha256, **settings, inputs=inputs)


def read_clean(rules: Rules, sample: PlannedSample) -> CleanHalf | Failure:
    """Reads, checks against the plan's hash, resizes, encodes. A bad file is a `Failure` with its reason."""
    try:
        data = rules.photo_of(sample).bytes()
        if sha256_bytes(data) != sample.clean_sha256:
            return failure(
                rules, sample, 0, CHANGED, f"{rules.name_of(sample)}: other bytes than when the plan was made"
            )
        image = read_rgb(data)
    except BadImage as error:
        return failure(rules, sample, 0, error.reason, str(error.named(rules.name_of(sample))))
    if sample.keep:
        return CleanHalf(data, image)
    image = stored_view(image, rules.size, rules.square)
    stored = encode_image(image, rules.format)  # type: ignore[arg-type]
    return CleanHalf(
        stored, image if rules.format == "png" else read_rgb(stored)
    )  # jpg: what it decodes to is the truth


def finish_generated(
    rules: Rules, sample: PlannedSample, clean: CleanHalf, made: Degraded | Unmade, attempt: int,
    settings: dict[str, Any],
) -> Made:  # fmt: skip
    """Judges and encodes one image of the model, made with these settings."""
    if isinstance(made, Unmade):
        return failure(rules, sample, attempt, made.reason, made.message)
    ask, image = sample.ask, made.image
    verdict = judge(clean.image, image, ask.mu, rules.tolerance, rules.structure)
    for part, found in zip(ask.parts, made.parts, strict=True):
        if abs(found.mu - part.mu) > rules.tolerance and not verdict.reason:
            off = f"{mix_name(part.mix)} measured mu {found.mu:.3f}, asked for {part.mu:.3f}"
            verdict = replace(verdict, reason=INTENSITY_OFF, message=off)
    if verdict.reason:
        return failure(rules, sample, attempt, verdict.reason, verdict.message)
    asked = ask.recorded_with(verdict.measured, made.parts)
    told = asked | {"model": rules.model, "model_sha256": rules.model_sha256} | settings
    return _stored(rules, sample, clean, image, encode_image(image, "png"), verdict.measured, attempt, told)


def finish_existing(rules: Rules, sample: PlannedSample, clean: CleanHalf) -> Made:
    """The degraded half of a pair that exists already; an RGB PNG of the right size stays untouched."""
    path = _path(sample.degraded_path)
    try:
        data = Photo(rules.inputs[sample.input], path).bytes()
        header, image = read_header(data), read_rgb(data)
    except BadImage as error:
        return failure(rules, sample, 0, error.reason, str(error.named(path)))
    view = stored_view(image, rules.size, rules.square)
    if view.shape != clean.image.shape:
        return failure(rules, sample, 0, SIZE_MISMATCH, f"{path}: not as large as its clean image")
    untouched = header.plain == "png" and view.shape == image.shape
    measured = measure_intensity(clean.image, view)
    told = replace(sample.ask, intensity=0.0, mu=measured.mu, sigma=measured.sigma).recorded | NO_MODEL
    return _stored(rules, sample, clean, view, data if untouched else encode_image(view, "png"), measured, 0, told)


def failure(rules: Rules, sample: PlannedSample, attempt: int, reason: str, message: str) -> Failure:
    """A planned sample that was not made."""
    return Failure(
        key=sample.key, failed=reason, message=public_name(message), degradation=sample.degradation, seed=sample.seed,
        attempt=attempt, clean_path=rules.name_of(sample),
    )  # fmt: skip


def _stored(
    rules: Rules, sample: PlannedSample, clean: CleanHalf, image: U8Image, degraded: bytes, measured: Intensity,
    attempt: int, told: dict[str, Any],
) -> tuple[StoredSample, Record]:  # fmt: skip
    height, width = clean.image.shape[:2]
    direction, coherence = measure_direction(clean.image, image, sample.ask.mix).recorded
    record = Record(
        key=sample.key, mu=measured.mu, sigma=measured.sigma, direction=direction, coherence=coherence,
        seed=sample.seed, attempt=attempt, origin=_origin(sample),
        clean_path=rules.name_of(sample), clean_sha256=sample.clean_sha256, width=width, height=height,
        **told,
    )  # fmt: skip
    line = json.dumps(record.as_row(), allow_nan=False).encode()
    return StoredSample(sample.key, clean.data, rules.format, degraded, line), record


def _origin(sample: PlannedSample) -> str:
    return "simulated" if sample.origin == EXISTING and sample.source == "simulated" else sample.origin


def _path(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")
