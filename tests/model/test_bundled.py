"""The small sizes: a tokenizer that reads anything, an autoencoder and a schedule with the promised properties."""

import pytest
import torch
from transformers import CLIPTokenizer

from gendeg.model.bundled import make_autoencoder, make_conditioner, make_unet
from gendeg.model.latents import decode, encode, factor
from tests.tiny import CORPUS, SIZES, clean_image, make_scheduler, tiny_pipeline, tiny_stable_diffusion, tiny_tokenizer

CAPTIONS = [*CORPUS, "", "zebra №5 — ÆØÅ 日本語 🦓", "x" * 500, "UPPER Case", "tabs\tand\nlines"]


@pytest.mark.parametrize("caption", CAPTIONS)
def test_the_tokenizer_reads_any_caption(caption):
    ids = tiny_tokenizer()(caption, padding="max_length", truncation=True, max_length=SIZES.tokens).input_ids
    start, end = tiny_tokenizer().bos_token_id, tiny_tokenizer().eos_token_id
    assert len(ids) == SIZES.tokens and ids[0] == start and end in ids
    assert all(0 <= i < len(tiny_tokenizer()) for i in ids)


def test_different_words_are_different_tokens():
    read = [tuple(tiny_tokenizer()(text).input_ids) for text in ("日", "本", "a", "b", "in hazy", "in rainy")]
    assert len(set(read)) == len(read)


def test_bytes_never_become_the_unknown_token():
    tokenizer = tiny_tokenizer()
    for text in ("é", "日", "🦓", "q"):
        inside = tokenizer(text).input_ids[1:-1]
        assert inside and not {tokenizer.bos_token_id, tokenizer.eos_token_id} & set(inside)


def test_words_of_the_corpus_are_few_tokens():
    assert len(tiny_tokenizer()("conditions").input_ids) < len(tiny_tokenizer()("zqxjkvwyzq").input_ids)
    assert len(tiny_tokenizer()) <= SIZES.vocabulary


def test_the_tokenizer_round_trips(tmp_path):
    tiny_tokenizer().save_pretrained(tmp_path)
    loaded = CLIPTokenizer.from_pretrained(tmp_path)
    for caption in CAPTIONS:
        assert loaded(caption).input_ids == tiny_tokenizer()(caption).input_ids
    assert loaded.model_max_length == SIZES.tokens


@torch.no_grad()
def test_latents_have_the_promised_size():
    for vae, side in ((make_autoencoder(SIZES), 2), (tiny_stable_diffusion().vae, 2)):
        latent = encode(vae, clean_image(16, 24))
        assert factor(vae) == side and latent.shape == (1, 4, 8, 12)
        assert decode(vae, latent).shape == (1, 3, 16, 24)


@torch.no_grad()
def test_encoding_is_the_mode_and_so_repeats():
    vae = tiny_stable_diffusion().vae
    assert torch.equal(encode(vae, clean_image(16, 16)), encode(vae, clean_image(16, 16)))


def test_the_schedule_ends_in_pure_noise():
    scheduler = make_scheduler()
    scheduler.set_timesteps(10)
    assert scheduler.alphas_cumprod[-1] == pytest.approx(0, abs=1e-7)
    assert scheduler.timesteps[0] == 999 and scheduler.config.prediction_type == "sample"


@torch.no_grad()
def test_the_unet_listens_to_every_condition():
    pipeline = tiny_pipeline()
    x = torch.randn(1, 8, 8, 8, generator=torch.Generator().manual_seed(0))

    def ask(prompt: str, mu: float, sigma: float) -> torch.Tensor:
        read = pipeline.encode_prompt([prompt], [mu], [sigma])
        return pipeline.unet(x, 500, encoder_hidden_states=read.context, class_labels=read.vector).sample

    base = ask("a dog", 0.1, 0.1)
    for other in (
        ask("a cat", 0.1, 0.1),
        ask("a dog", 0.3, 0.1),
        ask("a dog", 0.1, 0.3),
        ask("a dog", 0.1, float("nan")),
    ):
        assert not torch.allclose(base, other, atol=1e-6)


def test_a_conditioner_without_features_gives_a_unet_without_labels():
    from dataclasses import replace

    sizes = replace(SIZES, frequencies=0)
    conditioner = make_conditioner(sizes)
    assert conditioner.vector_dim == 0 and make_unet(conditioner, sizes).config.class_embed_type is None
