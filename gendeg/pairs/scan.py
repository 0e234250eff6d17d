"""Looks at every photo once before any model runs: hash, size, whether its bytes can be stored untouched."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gendeg.pairs.photo import Photo
from gendeg.pairs.photos import left_out, public_name
from gendeg.primitives.errors import BadImage
from gendeg.primitives.files import sha256_bytes
from gendeg.primitives.images import read_header
from gendeg.primitives.parallel import in_order
from gendeg.primitives.pictures import DUPLICATE
from gendeg.primitives.records import Failure


@dataclass(frozen=True)
class Scanned:
    """A photo that can be used. `plain`: png or jpg when its bytes are an upright RGB picture of that format."""

    photo: Photo
    sha256: str
    length: int
    width: int
    height: int
    plain: str


def scan_photos(photos: Sequence[Photo], threads: int = 8) -> Iterator[Scanned | Failure]:
    """In the photos' order. What is no image, and the second copy of equal bytes, is a `Failure` with its reason."""
    seen: set[bytes] = set()
    for photo, found in zip(photos, in_order(_look, photos, threads), strict=True):
        if isinstance(found, Scanned):
            digest = bytes.fromhex(found.sha256)
            if digest in seen:
                message = f"{photo.below}: the same bytes as a photo before it"
                yield left_out(photo.below, DUPLICATE, message, photo.stem)
                continue
            seen.add(digest)
        yield found


def _look(photo: Photo) -> Scanned | Failure:
    try:
        data = photo.bytes()
        header = read_header(data)
    except BadImage as error:
        return left_out(photo.below, error.reason, str(error.named(public_name(photo.below))), photo.stem)
    return Scanned(photo, sha256_bytes(data), len(data), header.width, header.height, header.plain)
