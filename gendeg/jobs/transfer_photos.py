"""Real photos of the connected tasks: degraded and degradation-free ones, those kept apart, and batches of crops."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from gendeg.configs import TaskConfig, TransferConfig
from gendeg.jobs.evaluate_photos import clean_photos, real_photos
from gendeg.primitives.errors import BadOption
from gendeg.primitives.images import U8Image, read_rgb, resize_short_side
from gendeg.primitives.kinds import mix_name, parse_mix
from gendeg.primitives.rng import for_sample
from gendeg.restore.scatter import draw_scattering, scattering_kernels
from gendeg.training.examples import crop_pair, shuffled, to_tensor

CLEAN, DEGRADED = 0, 1  # the classes
LEAST = 2  # photos of a class: one to learn from, one to be measured on
REMEMBERED = 1024  # photos kept in memory


@dataclass(frozen=True)
class Photos:
    """Paths of one class: those to learn from and those that the teachers are measured on."""

    train: tuple[Path, ...]
    held_out: tuple[Path, ...]


@dataclass(frozen=True)
class RealPhotos:
    """Both classes."""

    clean: Photos
    degraded: Photos

    def digest(self) -> str:
        """SHA-256 over all paths and what they are for."""
        every = [self.clean.train, self.clean.held_out, self.degraded.train, self.degraded.held_out]
        return hashlib.sha256("\n\n".join("\n".join(map(str, paths)) for paths in every).encode()).hexdigest()


@dataclass(frozen=True)
class Crops:
    """Signed crops, the class of each, and what would scatter each."""

    images: Float[Tensor, "b 3 h w"]
    labels: Int64[Tensor, " b"]
    kernels: Float[Tensor, "b side side"]


def find_real_photos(config: TransferConfig) -> RealPhotos:
    """The photos that the config names. Raises as `evaluate_photos`, and `BadOption` where a class has too few."""
    wanted = mix_name(parse_mix(config.type))
    by_degradation = real_photos(config.real, config.split, 0)
    degraded = by_degradation.get(wanted, [])
    if len(degraded) < LEAST:
        there = ", ".join(f"{name} {len(paths)}" for name, paths in by_degradation.items())
        raise BadOption("--real", f"{config.real}: {len(degraded)} photos of {wanted}, {LEAST} are needed ({there})")
    clean = clean_photos(config.clean, config.split, 0)
    if len(clean) < LEAST:
        raise BadOption("--clean", f"{config.clean}: {len(clean)} photos, {LEAST} are needed")
    return RealPhotos(*(_divided(paths, config) for paths in (clean, degraded)))


def _divided(paths: Sequence[Path], config: TransferConfig) -> Photos:
    """At least one photo on each side; which ones follows from the seed."""
    count = min(max(1, round(config.held_out * len(paths))), len(paths) - 1)
    apart = set(for_sample(config.seed, len(paths), "held out").permutation(len(paths))[:count].tolist())
    return Photos(
        tuple(path for i, path in enumerate(paths) if i not in apart),
        tuple(path for i, path in enumerate(paths) if i in apart),
    )


def make_crops(numbers: Sequence[int], photos: RealPhotos, config: TaskConfig) -> Crops:
    """The examples of these numbers, on the CPU: the two classes in turn, each photo once an epoch of its class."""
    images, drawn = [], []
    for number in numbers:
        paths = (photos.degraded if number % 2 == DEGRADED else photos.clean).train
        image = read_view(paths[shuffled(len(paths), number // 2, config.seed)], config.short_side)
        generator = for_sample(config.seed, number, "task crop")
        images.append(crop_pair(image, image, config.size, generator)[0])
        drawn.append(draw_scattering(config.scatter, generator))
    labels = torch.tensor([number % 2 for number in numbers])
    return Crops(to_tensor(images), labels, scattering_kernels(drawn, config.scatter))


def middle_of(path: Path, config: TaskConfig) -> Float[Tensor, "1 3 h w"]:
    """What a teacher is measured on: the middle of a photo, twice as wide as a crop where there is that much of it."""
    image = read_view(path, config.short_side)
    top, left = (max(0, side - 2 * config.size) // 2 for side in image.shape[:2])
    return to_tensor([image[top : top + 2 * config.size, left : left + 2 * config.size]])


@lru_cache(
    maxsize=REMEMBERED
)  # decoding costs more than a small network's step; read only, so safe to share by threads
def read_view(path: Path, short_side: int) -> U8Image:
    """A photo brought to that short side in pixels, if any. Raises `BadImage`."""
    image = read_rgb(path)
    return resize_short_side(image, short_side) if short_side else image
