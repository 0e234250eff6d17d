"""The bundled model's sizes: the same classes as SD 1.5 has, small enough for a CPU."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from diffusers.models.autoencoders.autoencoder_dc import AutoencoderDC
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler
from tokenizers import pre_tokenizers
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from gendeg.model.conditioner import Conditioner
from gendeg.model.nafnet import NAFNet
from gendeg.primitives.errors import BadOption

START, END = "<|startoftext|>", "<|endoftext|>"


@dataclass(frozen=True)
class Sizes:
    """Every size of a small model. The defaults are the bundled model's; tests use smaller ones."""

    latent_channels: int = 8
    vae_channels: tuple[int, ...] = (32, 64, 128)
    vae_layers: tuple[int, ...] = (1, 2, 2)
    unet_channels: tuple[int, ...] = (64, 128, 192)
    unet_layers: int = 1
    attention_from: int = 2  # the first level with attention: at 512 pixels 32 x 32 cells, which costs next to nothing
    heads: tuple[int, ...] = (2, 4, 6)
    norm_groups: int = 32
    text_dim: int = 128
    text_layers: int = 2
    vocabulary: int = 2048
    tokens: int = 77
    frequencies: int = 8
    structure_width: int = 16
    structure_encoder: tuple[int, ...] = (1, 1, 2)
    structure_middle: int = 2
    structure_decoder: tuple[int, ...] = (1, 1, 1)


SMOKE = Sizes(
    latent_channels=4,
    vae_channels=(8, 16),
    vae_layers=(1, 1),
    unet_channels=(8, 16),
    heads=(1, 2),
    attention_from=1,
    norm_groups=4,
    text_dim=32,
    text_layers=1,
    vocabulary=600,
    tokens=32,
    frequencies=4,
    structure_width=4,
    structure_encoder=(1, 1),
    structure_middle=1,
    structure_decoder=(1, 1),
)
SIZES = {"bundled": Sizes(), "smoke": SMOKE}


def sizes_of(name: str) -> Sizes:
    """The sizes of that name. Raises `BadOption` for another one."""
    if name not in SIZES:
        raise BadOption("--sizes", f"'{name}' is none of {', '.join(SIZES)}")
    return SIZES[name]


def make_autoencoder(sizes: Sizes = Sizes()) -> AutoencoderDC:
    """AutoencoderDC without attention (Chen et al., DC-AE, ICLR 2025): residual pixel-shuffle shortcuts all the way."""
    none = ((),) * len(sizes.vae_channels)
    return AutoencoderDC(
        latent_channels=sizes.latent_channels,
        encoder_block_out_channels=sizes.vae_channels,
        decoder_block_out_channels=sizes.vae_channels,
        encoder_layers_per_block=sizes.vae_layers,
        decoder_layers_per_block=sizes.vae_layers,
        encoder_qkv_multiscales=none,
        decoder_qkv_multiscales=none,
        downsample_block_type="pixel_unshuffle",
        upsample_block_type="pixel_shuffle",
    )


def make_unet(conditioner: Conditioner, sizes: Sizes = Sizes()) -> UNet2DConditionModel:
    """UNet over (noisy latent, clean latent), with attention at its coarse levels only."""
    levels, plain = len(sizes.unet_channels), sizes.attention_from
    vector: dict[str, Any] = {}
    if conditioner.vector_dim:
        vector = {
            "class_embed_type": "simple_projection",
            "projection_class_embeddings_input_dim": conditioner.vector_dim,
        }
    return UNet2DConditionModel(
        in_channels=2 * sizes.latent_channels,
        out_channels=sizes.latent_channels,
        block_out_channels=sizes.unet_channels,
        layers_per_block=sizes.unet_layers,
        down_block_types=("DownBlock2D",) * plain + ("CrossAttnDownBlock2D",) * (levels - plain),
        up_block_types=("CrossAttnUpBlock2D",) * (levels - plain) + ("UpBlock2D",) * plain,
        cross_attention_dim=sizes.text_dim,
        attention_head_dim=sizes.heads,  # diffusers counts heads under this name
        norm_num_groups=sizes.norm_groups,
        **vector,
    )


def make_text_encoder(tokenizer: CLIPTokenizer, sizes: Sizes = Sizes()) -> CLIPTextModel:
    """A CLIP text encoder of a few layers, trained together with the UNet."""
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=sizes.text_dim,
            intermediate_size=4 * sizes.text_dim,
            num_hidden_layers=sizes.text_layers,
            num_attention_heads=max(1, sizes.text_dim // 32),
            max_position_embeddings=sizes.tokens,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def make_tokenizer(corpus: Iterable[str], sizes: Sizes = Sizes()) -> CLIPTokenizer:
    """CLIP's tokenizer with a vocabulary learned from `corpus`; every byte is in it, so any text can be read."""
    specials = [START, END]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    room = sizes.vocabulary - 2 * len(alphabet) - len(specials)
    learned = CLIPTokenizer().train_new_from_iterator(corpus, len(alphabet) + len(specials) + max(room, 0))
    merges = [tuple(pair) for pair in json.loads(learned.backend_tokenizer.to_str())["model"]["merges"]][: max(room, 0)]
    words = alphabet + [letter + "</w>" for letter in alphabet] + ["".join(pair) for pair in merges]
    vocabulary = {word: index for index, word in enumerate(dict.fromkeys(words + specials))}
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=sizes.tokens)


def make_conditioner(sizes: Sizes = Sizes()) -> Conditioner:
    """Soft bins, Fourier features, the direction: a small model learns the statistics in minutes instead of days."""
    return Conditioner(
        text_dim=sizes.text_dim, tokens=sizes.tokens, soft_bins=True, frequencies=sizes.frequencies, direction=True
    )


def make_structure(sizes: Sizes = Sizes()) -> NAFNet:
    """A narrow NAFNet."""
    return NAFNet(sizes.structure_width, sizes.structure_encoder, sizes.structure_middle, sizes.structure_decoder)


def make_change_scheduler() -> DPMSolverMultistepScheduler:
    """DPM-Solver++ 2M (Lu et al., 2022) on Karras' noise levels (2206.00364, equation 5), from 80 to .03.

    For what has unit variance. The highest level hides the mean of a picture of 256 pixels, which a haze's change has;
    the lowest is below a grey level. v of unit variance is EDM's preconditioning.
    """
    return DPMSolverMultistepScheduler(
        beta_schedule="scaled_linear",
        beta_start=0.0009,
        beta_end=0.02106,
        prediction_type="v_prediction",
        use_karras_sigmas=True,
        final_sigmas_type="zero",
    )
