"""The published sampler in its own order of float32 operations: for comparisons, where the last bit decides."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from diffusers.models.attention_processor import Attention
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from jaxtyping import Float
from torch import Tensor, nn

from gendeg.model.samplers import PAPER, ContinuousEulerAncestralScheduler

THREADS = 2
"""The reference numbers were made with two; how many threads share a sum decides how it is rounded."""


@torch.no_grad()
def denoise_as_published(
    unet: UNet2DConditionModel,
    scheduler: ContinuousEulerAncestralScheduler,
    clean: Float[Tensor, "b c y x"],
    context: Float[Tensor, "b tokens dim"],
    null: Float[Tensor, "b tokens dim"],
    noise: Float[Tensor, "steps_and_start b c y x"],
) -> Float[Tensor, "b c y x"]:
    """What `GenDegPipeline.denoise` computes, with the schedule that is set, but rounded where the published code is.

    Sampling with random weights multiplies a change of the last bit by thousands: two equal ways to write a step end up
    to 8e-4 apart. So only the same order of operations meets the published latents: all guidance passes in one batch,
    guidance of the clean images rather than of the noise (InstructPix2Pix), steps as k-diffusion writes them.
    """
    images = torch.cat([clean, clean, torch.zeros_like(clean)])
    contexts = torch.cat([context, null, null])
    x = noise[0] * scheduler.sigmas[0]
    with _published_order(unet):
        for number, timestep in enumerate(scheduler.timesteps):
            sigma, following = scheduler.sigmas[number], scheduler.sigmas[number + 1]
            thrice = torch.cat([x, x, x])
            seen = torch.cat([thrice / (sigma**2 + 1) ** 0.5, images], dim=1)
            predicted = unet(seen, timestep, encoder_hidden_states=contexts).sample
            full, image, nothing = (thrice - predicted * sigma).chunk(3)
            guided = nothing + PAPER["guidance_text"] * (full - image) + PAPER["guidance_image"] * (image - nothing)
            added = (following**2 * (sigma**2 - following**2) / sigma**2) ** 0.5
            kept = (following**2 - added**2).clamp(min=0) ** 0.5
            x = x + (x - guided) / sigma * (kept - sigma) + noise[number + 1] * added
    return x


@contextmanager
def _published_order(unet: UNet2DConditionModel) -> Iterator[None]:
    """Runs the UNet of diffusers with the roundings of the CompVis one; as it was, afterwards."""
    threads, processors = torch.get_num_threads(), unet.attn_processors
    last = [part.proj_out for part in unet.modules() if isinstance(part, Transformer2DModel)]
    hooks = [layer.register_forward_pre_hook(_channels_last) for layer in last if isinstance(layer, nn.Module)]
    try:
        torch.set_num_threads(THREADS)
        unet.set_attn_processor(_PlainAttention())
        yield
    finally:
        unet.set_attn_processor(processors)
        for hook in hooks:
            hook.remove()
        torch.set_num_threads(threads)


class _PlainAttention:
    """Products, scale and softmax one after the other; the kernels of torch sum in other orders."""

    def __call__(
        self, attn: Attention, hidden_states: Tensor, encoder_hidden_states: Tensor | None = None, **_: object
    ) -> Tensor:
        read = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        projected = attn.to_q(hidden_states), attn.to_k(read), attn.to_v(read)
        query, key, value = (attn.head_to_batch_dim(part) for part in projected)
        weights = (query @ key.mT * attn.scale).softmax(dim=-1)
        return attn.to_out[0](attn.batch_to_head_dim(weights @ value))


def _channels_last(_: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Tokens seen as an image, not copied into one: the published layers behind it run, and round, in this layout."""
    return tuple(x.contiguous(memory_format=torch.channels_last) for x in inputs)
