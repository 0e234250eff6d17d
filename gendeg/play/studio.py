"""One photo and what is wanted of it → its degraded image, its record and the command that makes the same bytes."""

import shlex
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gendeg.drive.driver import Driver
from gendeg.play.config import LARGEST_SIZE, PlayConfig, Wish
from gendeg.primitives.device import choose_device
from gendeg.primitives.errors import BadOption, GendegError
from gendeg.primitives.images import encode_image, read_header
from gendeg.primitives.options import PHYSICS
from gendeg.primitives.records import Failure, Record
from gendeg.synth.config import SynthConfig
from gendeg.synth.plan import plan_synthesis, sample_photos
from gendeg.synth.synthesize import load, read_clean, synthesize

LINE = 16
"""People who may wait; one image is made at a time."""


@dataclass(frozen=True)
class Made:
    """What the page shows. `command` makes `degraded`, byte for byte, in the folder where the photo lies."""

    name: str
    clean: bytes
    degraded: bytes
    record: Record
    command: str


class Refused(GendegError):
    """By the desk, before a model is asked."""


class Studio:
    """Loaded models, and a line in front of them."""

    def __init__(self, config: PlayConfig):
        self.config = config
        self.models = tuple(dict.fromkeys((config.model, *OTHERS)))
        self.samples = {path.name: path for path in _samples()}
        self._device = choose_device(config.device)
        self._loaded: dict[str, Driver] = {}
        self._turn, self._waiting = threading.Lock(), threading.Semaphore(LINE)

    def load(self, model: str) -> Driver:
        """Once each. Raises `BadModel`, `HubUnreachable`."""
        if model not in self._loaded:
            self._loaded[model] = load(SynthConfig(model=model, device=self._device))
        return self._loaded[model]

    def make(self, photo: bytes, name: str, wish: Wish) -> Made:
        """One at a time. Raises `GendegError` with the command line's own words."""
        if wish.model not in self.models:
            raise BadOption("--model", f"this page has {', '.join(self.models)}, not '{wish.model}'")
        if not 0 <= wish.size <= LARGEST_SIZE:
            raise BadOption("--size", f"must lie in [1, {LARGEST_SIZE}] here, got {wish.size}")
        with self._my_turn(), tempfile.TemporaryDirectory(prefix="gendeg-play-") as folder:
            path = Path(folder) / file_name(name)
            path.write_bytes(photo)
            try:
                read_header(path, max_pixels=self.config.megapixels * 1_000_000)
                return self._make(path, name, wish)
            except GendegError as error:
                raise Refused(str(error).replace(f"{folder}/", "")) from error

    def _make(self, path: Path, name: str, wish: Wish) -> Made:
        config = SynthConfig(
            paths=(path,), types=wish.types, intensities=(wish.intensity,), seed=wish.seed, model=wish.model,
            size=wish.size or None, device=self._device, out=path.parent / "out", progress=False,
        )  # fmt: skip
        plan = plan_synthesis(config)
        (planned,) = plan.photos
        if len(planned.samples) != 1:
            raise BadOption("--type", "one image at a time: choose kinds to mix")
        (row,) = synthesize(config, self.load(wish.model), plan)
        if isinstance(row, Failure):
            raise Refused(row.message)
        clean, _ = read_clean(planned.photo, config.size)
        stored = planned.samples[0].path
        asked = self.command(replace(config, paths=(self._whose(name, path),)))
        return Made(stored.name, encode_image(clean, "png"), stored.read_bytes(), row, asked)

    def _whose(self, name: str, path: Path) -> Path:
        """Where the command finds the photo: a sample photo where it lies, others in the folder one stands in."""
        sample = self.samples.get(name)
        if sample and sample.read_bytes() == path.read_bytes():
            return sample
        last = last_part(name) or path.name
        return Path(f"./{last}" if last.startswith("-") else last)

    def command(self, config: SynthConfig) -> str:
        """As one types it; what is a default anyway is left out."""
        words: list[Any] = ["gendeg", "synth", *config.paths, "--type", config.types]
        words += ["--intensity", f"{config.intensities[0]:g}", "--seed", config.seed]
        words += ["--size", config.size] if config.size else []
        words += ["--model", config.model] if config.model != SynthConfig.model else []
        words += ["--device", self.config.device] if self.config.device != SynthConfig.device else []
        return shlex.join(map(str, words))

    @contextmanager
    def _my_turn(self) -> Iterator[None]:
        """Raises `Refused` where the line is long already."""
        if not self._waiting.acquire(blocking=False):
            raise Refused(f"{LINE} others are waiting; try again in a minute")
        try:
            with self._turn:
                yield
        finally:
            self._waiting.release()


OTHERS = (PHYSICS,)
"""What the page offers beside the model that it was opened with."""


def last_part(name: str) -> str:
    """Of what may be a path, on whatever system."""
    return name.replace("\\", "/").rpartition("/")[2].replace("\0", "").strip()


def file_name(name: str) -> str:
    """What a browser calls a file, as a name that every disk takes."""
    plain = "".join(letter for letter in last_part(name) if letter.isprintable()).lstrip(".-")
    stem, dot, ending = plain.rpartition(".")
    return f"{(stem or ending)[:80]}{dot if stem else ''}{ending[:8] if stem else ''}" or "photo"


def _samples() -> tuple[Path, ...]:
    try:
        return sample_photos()
    except GendegError:  # no scikit-learn: people have photos of their own
        return ()
