"""Checkpoints as the authors' code writes them: CompVis LDM's key names and shapes, for any sizes, also on meta."""

from collections.abc import Iterator
from typing import Any

import torch

from gendeg.model.samplers import LDM_SCHEDULE, ContinuousEulerAncestralScheduler

Shape = tuple[str, tuple[int, ...]]

SMALL: dict[str, dict[str, Any]] = {
    "unet": {
        "model_channels": 32, "attention_resolutions": [2, 1], "num_res_blocks": 1, "channel_mult": [1, 2],
        "num_heads": 2, "context_dim": 24,
    },
    "first_stage": {"ch": 32, "ch_mult": [1, 2], "num_res_blocks": 1, "resolution": 32},
    "text": {
        "vocab_size": 600, "hidden_size": 24, "intermediate_size": 48, "num_hidden_layers": 1, "num_attention_heads": 2,
        "max_position_embeddings": 16, "bos_token_id": 598, "eos_token_id": 599,
    },
    "nafnet": {"width": 4, "enc_blk_nums": [1, 1], "middle_blk_num": 1, "dec_blk_nums": [1, 1]},
}  # fmt: skip


def checkpoint(sizes: dict[str, dict[str, Any]], device: str = "cpu", seed: int = 0) -> dict[str, torch.Tensor]:
    """A whole state_dict: raw and averaged UNet (they differ), autoencoder, text encoder, projections, schedule."""
    generator = None if device == "meta" else torch.Generator().manual_seed(seed)

    def filled(shape: tuple[int, ...]) -> torch.Tensor:
        return torch.randn(shape, device=device, generator=generator) * 0.05

    unet = dict(_unet({"in_channels": 8, "out_channels": 4, "transformer_depth": 1} | sizes["unet"]))
    state = {f"model.diffusion_model.{name}": filled(shape) for name, shape in unet.items()}
    state |= {f"model_ema.diffusion_model{name.replace('.', '')}": filled(shape) for name, shape in unet.items()}
    rest = {"z_channels": 4, "in_channels": 3, "out_ch": 3} | sizes["first_stage"]
    state |= {f"first_stage_model.{name}": filled(shape) for name, shape in _autoencoder(rest)}
    state |= {f"cond_stage_model.transformer.text_model.{name}": filled(shape) for name, shape in _text(sizes["text"])}
    dim, tokens = sizes["text"]["hidden_size"], sizes["text"]["max_position_embeddings"]
    state |= {name: filled(shape) for name, shape in _linear("stats_proj", 129, tokens)}
    state |= {name: filled(shape) for name, shape in _linear("cc_projection", dim + 2, dim)}
    schedule = ContinuousEulerAncestralScheduler(**LDM_SCHEDULE)
    state |= {"betas": schedule.betas, "alphas_cumprod": schedule.alphas_cumprod}
    return state | {"model_ema.decay": torch.tensor(0.9999), "model_ema.num_updates": torch.tensor(5)}


def _linear(name: str, inside: int, outside: int, bias: bool = True) -> Iterator[Shape]:
    yield f"{name}.weight", (outside, inside)
    if bias:
        yield f"{name}.bias", (outside,)


def _conv(name: str, inside: int, outside: int, side: int = 3) -> Iterator[Shape]:
    yield f"{name}.weight", (outside, inside, side, side)
    yield f"{name}.bias", (outside,)


def _norm(name: str, channels: int) -> Iterator[Shape]:
    yield f"{name}.weight", (channels,)
    yield f"{name}.bias", (channels,)


# --- openaimodel.UNetModel ---


def _unet(own: dict[str, Any]) -> Iterator[Shape]:
    base, mults, blocks = own["model_channels"], own["channel_mult"], own["num_res_blocks"]
    yield from _linear("time_embed.0", base, 4 * base)
    yield from _linear("time_embed.2", 4 * base, 4 * base)
    yield from _conv("input_blocks.0.0", own["in_channels"], base)
    channels, skips, number = base, [base], 1
    for level, mult in enumerate(mults):
        for _ in range(blocks):
            yield from _residual(f"input_blocks.{number}.0", channels, mult * base, 4 * base)
            channels = mult * base
            if 2**level in own["attention_resolutions"]:
                yield from _transformer(f"input_blocks.{number}.1", channels, own)
            skips.append(channels)
            number += 1
        if level < len(mults) - 1:
            yield from _conv(f"input_blocks.{number}.0.op", channels, channels)
            skips.append(channels)
            number += 1
    yield from _residual("middle_block.0", channels, channels, 4 * base)
    yield from _transformer("middle_block.1", channels, own)
    yield from _residual("middle_block.2", channels, channels, 4 * base)
    number = 0
    for level, mult in reversed(list(enumerate(mults))):
        for block in range(blocks + 1):
            name = f"output_blocks.{number}"
            yield from _residual(f"{name}.0", channels + skips.pop(), mult * base, 4 * base)
            channels, attends = mult * base, 2**level in own["attention_resolutions"]
            if attends:
                yield from _transformer(f"{name}.1", channels, own)
            if level and block == blocks:
                yield from _conv(f"{name}.{1 + attends}.conv", channels, channels)
            number += 1
    yield from _norm("out.0", channels)
    yield from _conv("out.2", channels, own["out_channels"])


def _residual(name: str, inside: int, outside: int, time: int) -> Iterator[Shape]:
    yield from _norm(f"{name}.in_layers.0", inside)
    yield from _conv(f"{name}.in_layers.2", inside, outside)
    yield from _linear(f"{name}.emb_layers.1", time, outside)
    yield from _norm(f"{name}.out_layers.0", outside)
    yield from _conv(f"{name}.out_layers.3", outside, outside)
    if inside != outside:
        yield from _conv(f"{name}.skip_connection", inside, outside, 1)


def _transformer(name: str, channels: int, own: dict[str, Any]) -> Iterator[Shape]:
    yield from _norm(f"{name}.norm", channels)
    yield from _conv(f"{name}.proj_in", channels, channels, 1)
    for depth in range(own["transformer_depth"]):
        block = f"{name}.transformer_blocks.{depth}"
        for attention, context in (("attn1", channels), ("attn2", own["context_dim"])):
            yield from _linear(f"{block}.{attention}.to_q", channels, channels, bias=False)
            yield from _linear(f"{block}.{attention}.to_k", context, channels, bias=False)
            yield from _linear(f"{block}.{attention}.to_v", context, channels, bias=False)
            yield from _linear(f"{block}.{attention}.to_out.0", channels, channels)
        yield from _linear(f"{block}.ff.net.0.proj", channels, 8 * channels)
        yield from _linear(f"{block}.ff.net.2", 4 * channels, channels)
        for norm in ("norm1", "norm2", "norm3"):
            yield from _norm(f"{block}.{norm}", channels)
    yield from _conv(f"{name}.proj_out", channels, channels, 1)


# --- AutoencoderKL ---


def _autoencoder(own: dict[str, Any]) -> Iterator[Shape]:
    widths, blocks, z = [own["ch"] * mult for mult in own["ch_mult"]], own["num_res_blocks"], own["z_channels"]
    yield from _conv("encoder.conv_in", own["in_channels"], own["ch"])
    channels = own["ch"]
    for level, width in enumerate(widths):
        for block in range(blocks):
            yield from _plain_residual(f"encoder.down.{level}.block.{block}", channels, width)
            channels = width
        if level < len(widths) - 1:
            yield from _conv(f"encoder.down.{level}.downsample.conv", channels, channels)
    yield from _middle("encoder", channels)
    yield from _norm("encoder.norm_out", channels)
    yield from _conv("encoder.conv_out", channels, 2 * z)
    yield from _conv("decoder.conv_in", z, channels)
    yield from _middle("decoder", channels)
    for level, width in reversed(list(enumerate(widths))):
        for block in range(blocks + 1):
            yield from _plain_residual(f"decoder.up.{level}.block.{block}", channels, width)
            channels = width
        if level:
            yield from _conv(f"decoder.up.{level}.upsample.conv", channels, channels)
    yield from _norm("decoder.norm_out", channels)
    yield from _conv("decoder.conv_out", channels, own["out_ch"])
    yield from _conv("quant_conv", 2 * z, 2 * z, 1)
    yield from _conv("post_quant_conv", z, z, 1)


def _middle(part: str, channels: int) -> Iterator[Shape]:
    for block in ("block_1", "block_2"):
        yield from _plain_residual(f"{part}.mid.{block}", channels, channels)
    yield from _norm(f"{part}.mid.attn_1.norm", channels)
    for name in ("q", "k", "v", "proj_out"):
        yield from _conv(f"{part}.mid.attn_1.{name}", channels, channels, 1)


def _plain_residual(name: str, inside: int, outside: int) -> Iterator[Shape]:
    yield from _norm(f"{name}.norm1", inside)
    yield from _conv(f"{name}.conv1", inside, outside)
    yield from _norm(f"{name}.norm2", outside)
    yield from _conv(f"{name}.conv2", outside, outside)
    if inside != outside:
        yield from _conv(f"{name}.nin_shortcut", inside, outside, 1)


# --- CLIP's text encoder ---


def _text(own: dict[str, Any]) -> Iterator[Shape]:
    dim = own["hidden_size"]
    yield "embeddings.token_embedding.weight", (own["vocab_size"], dim)
    yield "embeddings.position_embedding.weight", (own["max_position_embeddings"], dim)
    for layer in range(own["num_hidden_layers"]):
        name = f"encoder.layers.{layer}"
        for projection in ("q_proj", "k_proj", "v_proj", "out_proj"):
            yield from _linear(f"{name}.self_attn.{projection}", dim, dim)
        yield from _linear(f"{name}.mlp.fc1", dim, own["intermediate_size"])
        yield from _linear(f"{name}.mlp.fc2", own["intermediate_size"], dim)
        yield from _norm(f"{name}.layer_norm1", dim)
        yield from _norm(f"{name}.layer_norm2", dim)
    yield from _norm("final_layer_norm", dim)
