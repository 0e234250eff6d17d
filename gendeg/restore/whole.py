"""A whole photo through a restorer: u8 in, u8 out, in overlapping windows where it is large."""

import numpy as np
import torch

from gendeg.model.tiles import over_tiles
from gendeg.primitives.images import U8Image, signed_to_u8, u8_to_signed
from gendeg.restore.network import Restorer


@torch.no_grad()
def restore_photo(restorer: Restorer, degraded: U8Image, tile: int = 512, overlap: int = 64) -> U8Image:
    """The restored photo, of the same size, rounded to the nearest level.

    `tile` and `overlap` in pixels; windows of `tile`, rounded up to a multiple of the network's factor, are blended.
    """
    signed = torch.from_numpy(u8_to_signed(degraded)).permute(2, 0, 1)[None].to(restorer.device, restorer.dtype)
    tile = tile + -tile % restorer.factor
    restored = over_tiles(restorer, [signed], tile, min(overlap, tile - 1), restorer.factor)
    return signed_to_u8(np.ascontiguousarray(restored[0].permute(1, 2, 0).float().cpu().numpy()))
