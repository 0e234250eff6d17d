"""The images of an evaluation: what the model makes, beside the simulators' and the autoencoder's; made once, kept."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from gendeg.drive.driver import UNFINISHED, Driver, Unmade
from gendeg.drive.physics import UNREACHED, Physics
from gendeg.evaluate.config import EvaluateConfig
from gendeg.evaluate.results import Scored
from gendeg.intensity.ask import ask_intensities, learnt_by
from gendeg.intensity.measure import Intensity, measure_intensity
from gendeg.intensity.reach import nearest
from gendeg.metrics.change import BLUR_WINDOW
from gendeg.model.generate import Generator, finite, noise_of, to_signed_tensor
from gendeg.model.moves import Stored
from gendeg.model.weights import model_sha256
from gendeg.pairs.photo import Photo
from gendeg.pairs.photos import named_alone
from gendeg.primitives.errors import BadImage, DifferentRun, TooLongForFormat
from gendeg.primitives.files import read_json_object, write_json
from gendeg.primitives.images import U8Image, read_rgb, write_image
from gendeg.primitives.progress import bar
from gendeg.primitives.records import Failure, Record
from gendeg.primitives.rng import torch_generator
from gendeg.synth.plan import PhotoPlan, Sample, plan_photos
from gendeg.synth.synthesize import read_clean, record_of, unmade

MODEL, UNCORRECTED, UNCALIBRATED, SIMULATOR, ROUNDTRIP = (
    "model",
    "uncorrected",
    "uncalibrated",
    "simulator",
    "roundtrip",
)
GRID, DIVERSITY, CHANGE = "grid", "diversity", "change"
VARIED_AT = 0.5
"""The intensity at which seeds are compared."""
CHANGED_AT = (0.3, 0.6, 0.9)
"""The intensities at which changes are compared with the simulators'."""


@dataclass(frozen=True)
class Subject:
    """One photo of the plan with everything that is made of it: purpose → samples."""

    photo: Photo
    stem: str
    planned: Mapping[str, tuple[Sample, ...]]
    compared: bool


def plan_evaluation(config: EvaluateConfig, found: Sequence[Photo]) -> list[Subject]:
    """Every photo with its grid of samples, as `synth` would plan them, and the seeds of those that are compared.

    Where the grid has a seed of a change already, it is not planned again.
    """

    alone = named_alone(found)

    def planned(intensities: Sequence[float], variants: int) -> tuple[PhotoPlan, ...]:
        asks = ask_intensities(config.types, intensities, learnt=learnt_by(config.model))
        return plan_photos(alone, asks, range(config.seed, config.seed + variants), config.out)

    grid, more = planned(config.intensities, 1), {}
    if config.variants > 1:
        more[DIVERSITY] = planned((VARIED_AT,), config.variants)
        if config.size >= BLUR_WINDOW and min(config.compare, len(grid)) > 1:
            more[CHANGE] = planned(CHANGED_AT, config.variants)
    photos = []
    for number, one in enumerate(grid):
        compared = number * config.compare % len(grid) < config.compare  # spread evenly
        samples = {GRID: one.samples} | {name: plans[number].samples for name, plans in more.items() if compared}
        if CHANGE in samples:
            there = {sample.path for sample in one.samples}
            samples[CHANGE] = tuple(sample for sample in samples[CHANGE] if sample.path not in there)
        photos.append(Subject(one.photo, one.samples[0].path.name.split(".")[0], samples, compared))
    return photos


class Studio:
    """Makes, or finds again, every image of an evaluation, photo by photo."""

    def __init__(self, config: EvaluateConfig, driver: Driver):
        self.config, self.driver, self.digest = config, driver, driver.sha256
        self.network = driver.network
        self.calibrated = self.network is not None and bool(self.network.pipeline.config.calibration)
        self.failures: list[Failure] = []
        if self.network is not None:
            pipeline = self.network.pipeline
            self.uncorrected = Generator(pipeline, replace(driver.settings, structure_correction=False))
            with pipeline.altered(calibration={}):
                self.plain_digest = model_sha256(pipeline)

    def images(self, photos: list[Subject]) -> Iterator[tuple[Scored, U8Image, U8Image]]:
        """(what it is, clean, degraded) of every image; a photo that cannot be read is a failure."""
        with bar("photos", total=len(photos), wanted=self.config.progress) as progress:
            for photo in photos:
                try:
                    clean, sha256 = read_clean(photo.photo, self.config.size)
                except (BadImage, TooLongForFormat) as error:
                    self.failures.append(Failure.of(error, photo.photo.name, key=photo.stem, seed=self.config.seed))
                else:
                    yield from _Sitting(self, photo, clean, sha256).images()
                progress.update(1)

    def clean_roundtrip(self, photo: Subject) -> Path:
        return self.config.out / "images" / ROUNDTRIP / f"{photo.stem}.clean.png"


class _Sitting:
    """One photo in the studio."""

    def __init__(self, studio: Studio, photo: Subject, clean: U8Image, sha256: str):
        self.studio, self.photo, self.clean, self.sha256 = studio, photo, clean, sha256
        self.out = studio.config.out
        self.clean_file = self.out / "images" / "clean" / f"{photo.stem}.png"

    def images(self) -> Iterator[tuple[Scored, U8Image, U8Image]]:
        self._keep_clean()
        studio, planned = self.studio, self.photo.planned
        for purpose, samples in planned.items():
            yield from self._generated(MODEL, samples, purpose)
            if purpose == GRID and studio.network is not None and studio.calibrated and self.photo.compared:
                with studio.network.pipeline.altered(calibration={}):
                    yield from self._generated(UNCALIBRATED, samples, purpose)
        for purpose, samples in planned.items():
            yield from self._reference(samples, purpose)
        if studio.network is not None:
            self._once(studio.clean_roundtrip(self.photo), lambda: self._roundtrip(self.clean))

    def _keep_clean(self) -> None:
        """Raises `DifferentRun` when the folder holds another photo of this name."""
        if not np.array_equal(self._once(self.clean_file, lambda: self.clean), self.clean):
            raise DifferentRun(self.out, ["clean photos"])

    # --- the model's ---

    def _generated(
        self, arm: str, samples: tuple[Sample, ...], purpose: str
    ) -> Iterator[tuple[Scored, U8Image, U8Image]]:
        """Batches as `synth` makes them; a grid's samples are decoded again without structure correction.

        A file that is there stays: the seeds that show diversity begin with the grid's own.
        """
        size = self.studio.config.batch_size
        for first in range(0, len(samples), size):
            batch = samples[first : first + size]
            arms = [arm, UNCORRECTED] if arm == MODEL and purpose == GRID else [arm]
            if not all(self._file(one, sample).exists() for one in arms for sample in self._of(one, batch)):
                self._make(batch, arms)
            for one in arms:
                for sample in self._of(one, batch):
                    if not self._file(one, sample).exists():
                        continue  # it cannot be made, and is among the failures
                    image = read_rgb(self._file(one, sample))
                    yield self._made(one, purpose, sample, self._record(one, sample, image)), self.clean, image

    def _of(self, arm: str, batch: tuple[Sample, ...]) -> list[Sample]:
        """Those of a batch that an arm has: without correction only what is corrected is another image."""
        return [s for s in batch if arm != UNCORRECTED or self.studio.driver.used(s.ask).structure_correction]

    def _make(self, batch: tuple[Sample, ...], arms: list[str]) -> None:
        generator = self.studio.network
        noise = [noise_of(one.seed, self.sha256, one.ask) for one in batch]
        if generator is None or generator.pipeline.structure is None or any(sample.ask.parts for sample in batch):
            self._drive(batch, noise, arms[0])
            return
        clean = generator.encode([self.clean])
        settled = generator.settle([sample.ask for sample in batch])
        made = generator.generate(clean, settled, noise)
        for arm in arms:
            chosen = self._of(arm, batch)
            images = self._generator(arm).images(clean, settled, made)
            for sample, image in zip(batch, images, strict=True):
                if sample not in chosen:
                    continue
                if image is None:
                    self.studio.failures.append(unmade(sample, UNFINISHED, self.photo.photo.name))
                elif not self._file(arm, sample).exists():
                    self._write(self._file(arm, sample), image)

    def _drive(self, batch: tuple[Sample, ...], noise: list[torch.Generator], arm: str) -> None:
        """As everybody does; what cannot be made is a failure. Parts are kept beside their image."""
        for sample, made in zip(
            batch, self.studio.driver.degrade([self.clean], [one.ask for one in batch], noise), strict=True
        ):
            if isinstance(made, Unmade):
                if arm == MODEL or made.reason != UNREACHED:
                    self.studio.failures.append(unmade(sample, made, self.photo.photo.name))
            elif not self._file(arm, sample).exists():
                if made.parts:
                    self._parts_file(arm, sample).parent.mkdir(parents=True, exist_ok=True)
                    write_json(self._parts_file(arm, sample), {"parts": [list(part) for part in made.parts]})
                self._write(self._file(arm, sample), made.image)

    def _parts_file(self, arm: str, sample: Sample) -> Path:
        return self.out / "images" / "parts" / arm / f"{sample.key}.json"

    def _generator(self, arm: str) -> Generator:
        assert self.studio.network is not None
        return self.studio.uncorrected if arm == UNCORRECTED else self.studio.network

    def _record(self, arm: str, sample: Sample, image: U8Image) -> Record:
        studio = self.studio
        settings = studio.driver.used(sample.ask)
        if arm == UNCORRECTED:
            settings = replace(settings, structure_correction=False)
        digest = studio.plain_digest if arm == UNCALIBRATED else studio.digest
        parts = read_json_object(self._parts_file(arm, sample))["parts"] if sample.ask.parts else []
        return record_of(
            sample, self.clean, image, settings, studio.config.model, digest, self.photo.photo.name, self.sha256,
            [Intensity(*part) for part in parts],
        )  # fmt: skip

    # --- what it is measured against ---

    def _reference(self, samples: tuple[Sample, ...], purpose: str) -> Iterator[tuple[Scored, U8Image, U8Image]]:
        """The simulator's image at the same mu, and for the grid that image through the autoencoder."""
        for sample in samples:
            simulated = self._once(self._file(SIMULATOR, sample), lambda s=sample: self._simulate(s))  # type: ignore[misc]
            record = self._simulated_record(sample, simulated)
            yield self._made(SIMULATOR, purpose, sample, record), self.clean, simulated
            if purpose == GRID and self.studio.network is not None:
                image = self._once(self._file(ROUNDTRIP, sample), lambda x=simulated: self._roundtrip(x))  # type: ignore[misc]
                record = self._simulated_record(sample, image)
                yield self._made(ROUNDTRIP, purpose, sample, record), self.clean, image

    def _simulate(self, sample: Sample) -> U8Image:
        """By the simulators, at the mu that comes nearest."""
        seed = torch_generator(sample.seed, f"{self.sha256}/{sample.ask.name}", "reference").initial_seed()
        image = self.clean
        for one in self.studio.driver.passes(sample.ask):
            image = nearest(image, one, seed).image
        return image

    def _roundtrip(self, image: U8Image) -> U8Image:
        assert self.studio.network is not None
        pipeline = self.studio.network.pipeline
        with pipeline.altered(residual_decoding=False):
            encoded = pipeline.encode_clean(to_signed_tensor(image))
        decoded = pipeline.decode_latents(
            pipeline.to_generated(encoded.latent.float(), encoded.latent.float()), encoded, False
        )
        return finite(Stored(decoded))[0]

    def _simulated_record(self, sample: Sample, image: U8Image) -> Record:
        whole = sample
        if sample.ask.parts:  # nothing was asked of it
            mu, sigma = measure_intensity(self.clean, image)
            whole = replace(sample, ask=replace(sample.ask, mu=mu, sigma=sigma, parts=()))
        told = Physics.settings, "", "", self.photo.photo.name, self.sha256
        record = record_of(whole, self.clean, image, *told)
        return replace(record, origin="simulated", prompt="")

    # --- files ---

    def _file(self, arm: str, sample: Sample) -> Path:
        return self.out / "images" / arm / sample.path.name

    def _write(self, file: Path, image: U8Image) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_image(image, file, "png")

    def _once(self, file: Path, make: Callable[[], U8Image]) -> U8Image:
        """The image in the file, made first where there is none."""
        if not file.exists():
            self._write(file, make())
        return read_rgb(file)

    def _made(self, arm: str, purpose: str, sample: Sample, record: Record) -> Scored:
        clean, degraded = (file.relative_to(self.out).as_posix() for file in (self.clean_file, self._file(arm, sample)))
        return Scored(arm=arm, purpose=purpose, photo=self.photo.stem, clean=clean, degraded=degraded, record=record)


def made_settings(config: EvaluateConfig, studio: Studio) -> Mapping[str, object]:
    """What the images depend on beside their names: another evaluation's may not be mixed in."""
    settings = studio.driver.settings
    return {
        "model_sha256": studio.digest, "steps": settings.steps, "guidance_text": settings.guidance_text,
        "guidance_image": settings.guidance_image, "size": config.size,
    }  # fmt: skip
