"""A whole photo through a restorer: u8 in, u8 out, in overlapping windows where it is large."""

import numpy as np
import torch

from gendeg.model.tiles import over_tiles
from gendeg.primitives.errors import BadOption, CannotRestore
from gendeg.primitives.images import U8Image, signed_to_u8, u8_to_signed
from gendeg.restore.foreign import Foreign
from gendeg.restore.networks.network import Restorer

Network = Restorer | Foreign


@torch.no_grad()
def restore_photo(restorer: Network, degraded: U8Image, tile: int | None = None, overlap: int = 64) -> U8Image:
    """The restored photo, of the same size, rounded to the nearest level.

    `tile` and `overlap` in pixels; windows of `tile` (None: as the network wants them) are blended, no smaller than it
    takes and rounded up to a multiple of its factor. Raises `CannotRestore`.
    """
    signed = torch.from_numpy(u8_to_signed(degraded)).permute(2, 0, 1)[None].to(restorer.device, restorer.dtype)
    side = max(tile or restorer.window or max(degraded.shape[:2]), restorer.least)
    side += -side % restorer.factor
    restored = over_tiles(restorer, [signed], side, min(overlap, side - 1), restorer.factor)
    if not torch.isfinite(restored).all():
        raise CannotRestore("it gives numbers that are not finite")
    return signed_to_u8(np.ascontiguousarray(restored[0].permute(1, 2, 0).float().cpu().numpy()))


def check_windows(tile: int | None, overlap: int) -> None:
    """`--tile` and `--overlap`. Raises `BadOption`."""
    if tile is not None and (tile < 16 or not 0 <= overlap < tile):
        raise BadOption("--tile", "must be 16 or more, and more than --overlap")
