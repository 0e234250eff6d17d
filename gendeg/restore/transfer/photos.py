"""Real photos of the connected tasks: degraded and degradation-free ones, those kept apart, and batches of crops."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from gendeg.pairs.photo import Photo
from gendeg.pairs.photos import open_photos, open_real
from gendeg.primitives.errors import BadOption
from gendeg.primitives.images import U8Image, resize_short_side
from gendeg.primitives.kinds import mix_name, parse_mix
from gendeg.primitives.rng import for_sample
from gendeg.restore.config import TaskConfig, TransferConfig
from gendeg.restore.transfer.scatter import draw_scattering, scattering_kernels
from gendeg.training.examples import crop_pair, shuffled, to_tensor

CLEAN, DEGRADED = 0, 1  # the classes
LEAST = 2  # photos of a class: one to learn from, one to be measured on
REMEMBERED = 1024  # photos kept in memory


@dataclass(frozen=True)
class Photos:
    """The photos of one class: those to learn from and those that the teachers are measured on."""

    train: tuple[Photo, ...]
    held_out: tuple[Photo, ...]


@dataclass(frozen=True)
class RealPhotos:
    """Both classes."""

    clean: Photos
    degraded: Photos

    def digest(self) -> str:
        """SHA-256 over all names and what they are for."""
        every = [self.clean.train, self.clean.held_out, self.degraded.train, self.degraded.held_out]
        names = ["\n".join(photo.name for photo in photos) for photos in every]
        return hashlib.sha256("\n\n".join(names).encode()).hexdigest()


@dataclass(frozen=True)
class Crops:
    """Signed crops, the class of each, and what would scatter each."""

    images: Float[Tensor, "b 3 h w"]
    labels: Int64[Tensor, " b"]
    kernels: Float[Tensor, "b side side"]


def find_real_photos(config: TransferConfig) -> RealPhotos:
    """The photos that the config names. Raises as `open_photos`, and `BadOption` where a class has too few."""
    wanted = mix_name(parse_mix(config.type))
    by_degradation = open_real(config.real, config.split)
    degraded = by_degradation.get(wanted, [])
    if len(degraded) < LEAST:
        there = ", ".join(f"{name} {len(paths)}" for name, paths in by_degradation.items())
        raise BadOption("--real", f"{config.real}: {len(degraded)} photos of {wanted}, {LEAST} are needed ({there})")
    clean = open_photos([config.clean], split=config.split)
    if len(clean) < LEAST:
        raise BadOption("--clean", f"{config.clean}: {len(clean)} photos, {LEAST} are needed")
    return RealPhotos(*(_divided(paths, config) for paths in (clean, degraded)))


def _divided(photos: Sequence[Photo], config: TransferConfig) -> Photos:
    """At least one photo on each side; which ones follows from the seed."""
    count = min(max(1, round(config.held_out * len(photos))), len(photos) - 1)
    apart = set(for_sample(config.seed, len(photos), "held out").permutation(len(photos))[:count].tolist())
    return Photos(
        tuple(one for i, one in enumerate(photos) if i not in apart),
        tuple(one for i, one in enumerate(photos) if i in apart),
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


def middle_of(photo: Photo, config: TaskConfig) -> Float[Tensor, "1 3 h w"]:
    """What a teacher is measured on: the middle of a photo, twice as wide as a crop where there is that much of it."""
    image = read_view(photo, config.short_side)
    top, left = (max(0, side - 2 * config.size) // 2 for side in image.shape[:2])
    return to_tensor([image[top : top + 2 * config.size, left : left + 2 * config.size]])


@lru_cache(REMEMBERED)  # decoding costs more than a small network's step; read only, so safe to share by threads
def read_view(photo: Photo, short_side: int) -> U8Image:
    """A photo brought to that short side in pixels, if any. Raises `BadImage`."""
    image = photo.image()
    return resize_short_side(image, short_side) if short_side else image
