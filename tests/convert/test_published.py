"""The published order of operations: the same numbers but for roundings, and the UNet is as before afterwards."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from gendeg.convert.ldm import PUBLISHED, Components, convert_checkpoint
from gendeg.convert.published import denoise_as_published
from gendeg.model.conditioner import Conditioning
from gendeg.model.guidance import branches
from gendeg.model.latents import CleanLatent
from gendeg.model.pipeline import GenDegPipeline
from gendeg.model.samplers import LDM_SCHEDULE, PAPER, ContinuousEulerAncestralScheduler
from tests.ldm import SMALL, checkpoint
from tests.tiny import tiny_tokenizer


@pytest.fixture
def parts(tmp_path: Path) -> Components:
    save_file(checkpoint(SMALL), tmp_path / "gendeg.safetensors")
    parts = convert_checkpoint(tmp_path / "gendeg.safetensors", {name: PUBLISHED[name] | SMALL[name] for name in SMALL})
    parts.unet.double()
    parts.scheduler.set_timesteps(3)
    return parts


def given(parts: Components) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    width = parts.unet.config.cross_attention_dim
    shapes = [(2, 4, 8, 8), (2, 7, width), (2, 7, width), (4, 2, 4, 8, 8)]
    return [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]


def test_it_is_euler_ancestral_with_guidance_of_text_and_image(parts):
    """Written out as in the papers: guidance of the noise (InstructPix2Pix, equation 3), steps from x_0 (DDIM, 12)."""
    clean, context, null, noise = given(parts)
    sigmas, x = parts.scheduler.sigmas.double(), noise[0] * parts.scheduler.sigmas[0].double()
    text, image = PAPER["guidance_text"], PAPER["guidance_image"]
    for number, timestep in enumerate(parts.scheduler.timesteps):
        sigma, after = sigmas[number], sigmas[number + 1]
        full, part, nothing = (
            parts.unet(torch.cat([x / (1 + sigma**2).sqrt(), seen], 1), timestep, encoder_hidden_states=read).sample
            for seen, read in ((clean, context), (clean, null), (torch.zeros_like(clean), null))
        )
        eps = nothing + image * (part - nothing) + text * (full - part)
        fresh = after * (1 - (after / sigma) ** 2).sqrt()
        x = (x - sigma * eps) + (after**2 - fresh**2).sqrt() * eps + fresh * noise[number + 1]
    ours = denoise_as_published(parts.unet, parts.scheduler, clean, context, null, noise)
    torch.testing.assert_close(ours, x, rtol=0, atol=1e-5 * float(x.abs().max()))


@torch.no_grad()
def test_the_pipelines_loop_is_the_same_but_for_roundings(parts):
    """In float64, where they hardly grow."""
    clean, context, null, noise = given(parts)
    scheduler = ContinuousEulerAncestralScheduler(**LDM_SCHEDULE)
    pipeline = GenDegPipeline(parts.vae, parts.text_encoder, tiny_tokenizer(), parts.unet, scheduler, parts.conditioner)
    pipeline.set_progress_bar_config(disable=True)
    chosen, photo = branches(PAPER["guidance_text"], PAPER["guidance_image"]), torch.zeros(2, 3, 16, 16)
    told = Conditioning(context, None), Conditioning(null, None)
    ours = pipeline.denoise(CleanLatent(photo, clean, 16, 16), *told, chosen, [], len(noise) - 1, list(noise))
    theirs = denoise_as_published(parts.unet, parts.scheduler, clean, context, null, noise)
    assert (ours - theirs).abs().max() < 1e-8 * theirs.abs().max()


def test_the_unet_is_left_as_it_was(parts):
    clean, context, null, noise = given(parts)
    seen = torch.cat([clean, clean], 1)
    threads, before = torch.get_num_threads(), parts.unet(seen, 5.5, encoder_hidden_states=context).sample
    denoise_as_published(parts.unet, parts.scheduler, clean, context, null, noise)
    with pytest.raises(RuntimeError):
        denoise_as_published(parts.unet, parts.scheduler, clean, context[..., :-1], null[..., :-1], noise)
    assert torch.equal(parts.unet(seen, 5.5, encoder_hidden_states=context).sample, before)
    assert torch.get_num_threads() == threads
    assert not any(module._forward_pre_hooks for module in parts.unet.modules())
