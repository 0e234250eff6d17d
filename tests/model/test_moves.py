"""What goes to a device and comes back: rounded there as here, in one copy, and nothing before it is waited for."""

import numpy as np
import pytest
import torch

from gendeg.model.generate import Generator
from gendeg.model.moves import Stored, filled, pack
from gendeg.model.pipeline import GenDegPipeline
from gendeg.primitives.images import signed_to_u8
from tests.model.test_generate import SETTINGS, ask_for, changing, detailed, residual
from tests.tiny import generators, photo, tiny_pipeline, tiny_stable_diffusion


def test_levels_are_rounded_as_they_are_on_the_host():
    edges = (torch.arange(0, 256 * 4) / 4 / 255 * 2 - 1).clamp(-1, 1)
    images = torch.cat([edges, torch.randn(2048, generator=torch.Generator().manual_seed(0))]).reshape(2, 3, 16, 32)
    for made, image in zip(Stored(images), images, strict=True):
        assert np.array_equal(made, signed_to_u8(image.permute(1, 2, 0).numpy()))


def test_one_that_is_not_finite_is_none_and_the_others_are_there():
    images = torch.zeros(3, 3, 2, 2)
    images[1, 2, 1, 0] = float("nan")
    stored = Stored(images)
    assert [one is None for one in stored] == [False, True, False] and len(stored) == 3
    assert stored[2] is not None and (stored[2] == 128).all() and stored[0:2][1] is None


def test_a_batch_is_filled_up_with_its_last_row():
    batch = torch.arange(6).reshape(3, 2).float()
    assert filled(batch, 5).tolist() == [[0, 1], [2, 3], [4, 5], [4, 5], [4, 5]]
    assert filled(batch, 3) is batch and filled(batch, 0) is batch


def directed_stable_diffusion() -> GenDegPipeline:
    pipeline = tiny_stable_diffusion()
    pipeline.register_to_config(guidance_interval=[0.3, 5.0])
    return pipeline


@pytest.mark.parametrize("make", [tiny_pipeline, residual, detailed, changing, directed_stable_diffusion])
def test_between_a_batch_and_its_finished_pixels_nothing_is_read_back(make):
    """On a device whose tensors hold no numbers: whoever would look at one there, or copy it from there, fails."""
    pipeline = make().to("meta")
    few = {"rain": 0.5, "snow": 0.3, "low_light": 0.2}  # all of a batch, or not
    pipeline.register_to_config(strength_gain=2.0, evenness=few, veils={"snow": 9})
    kinds = ["rain"] * 3 if pipeline.config.change_scale else ["snow", "motion_blur", "low_light"]
    generator = Generator(pipeline, SETTINGS)
    clean = generator.encode([photo(16, 24, seed) for seed in range(3)])
    settled = generator.settle([ask_for(kind, 0.15, 0.3) for kind in kinds])
    made = generator.generate(clean, settled, generators(0, 1, 2))
    pixels = pack(generator.bring(clean, settled, generator.decode(clean, settled, made)))
    assert pixels.device.type == "meta" and pixels.shape == (3, 16 * 24 * 3 + 1)
    with pytest.raises(NotImplementedError):
        pixels.cpu()
