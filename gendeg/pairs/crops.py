"""Random square views of a photo: what simulated pairs are made from."""

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from gendeg.primitives.images import U8Image, resize_short_side

View = UInt8[np.ndarray, "new_h new_w 3"]


def random_view(photo: U8Image, size: int, generator: np.random.Generator) -> View:
    """A size × size view: a square of random side (from `size` pixels to the whole short side), place and mirror image.

    A photo smaller than `size` is enlarged first. `size` 0 returns the photo as it is.
    """
    if size == 0:
        return photo
    if min(photo.shape[:2]) < size:
        photo = resize_short_side(photo, size)
    height, width = photo.shape[:2]
    side = int(generator.integers(size, min(height, width) + 1))
    top, left = int(generator.integers(height - side + 1)), int(generator.integers(width - side + 1))
    view = photo[top : top + side, left : left + side]
    if generator.uniform() < 0.5:
        view = view[:, ::-1]
    if side == size:
        return np.ascontiguousarray(view)
    return np.array(Image.fromarray(np.ascontiguousarray(view)).resize((size, size), Image.Resampling.LANCZOS))
