"""Image-to-text models of the real classes at toy size, saved in a folder as transformers saves them."""

from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    BertTokenizer,
    Blip2Config,
    Blip2ForConditionalGeneration,
    Blip2Processor,
    BlipConfig,
    BlipForConditionalGeneration,
    BlipProcessor,
    CLIPVisionConfig,
    GitConfig,
    GitForCausalLM,
    GitProcessor,
    GPT2Config,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    OPTConfig,
    PreTrainedTokenizerFast,
    VisionEncoderDecoderConfig,
    VisionEncoderDecoderModel,
    ViTConfig,
)
from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "<image>"]
WORDS = ["a", "photo", "of", "street", "red", "dog", "hill", "user", "say", "in", "one", "short", "sentence", "what",
         "this", "shows", "lower", "case", ",", ".", ":"]  # fmt: skip
VOCABULARY = {word: number for number, word in enumerate(SPECIALS + WORDS)}
PAD, CLS, SEP, IMAGE = (VOCABULARY[word] for word in ("[PAD]", "[CLS]", "[SEP]", "<image>"))
DEC = len(VOCABULARY)  # what BLIP begins with: known to the model, not to the tokenizer
SIZE = {"height": 16, "width": 16}
LAYERS = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
VISION = {**LAYERS, "image_size": 16, "patch_size": 8}
TEXT = {**LAYERS, "vocab_size": len(VOCABULARY), "max_position_embeddings": 64}
CHAT = (
    "{% for m in messages %}user: {% for c in m['content'] %}{{ '<image>' if c['type'] == 'image' else c['text'] }} "
    "{% endfor %}{% endfor %}"
)


def save_blip(folder: Path, favourite: str = "street", seed: int = 0) -> Path:
    """BLIP, which says `favourite` again and again; without one, whatever the image makes its random weights say."""
    torch.manual_seed(seed)
    text = {**TEXT, "vocab_size": DEC + 1, "encoder_hidden_size": 16, "projection_dim": 16, "is_decoder": True,
            "bos_token_id": DEC, "eos_token_id": SEP, "sep_token_id": SEP, "pad_token_id": PAD}  # fmt: skip
    model = BlipForConditionalGeneration(
        BlipConfig(text_config=text, vision_config=VISION, projection_dim=16, image_text_hidden_size=16)
    )
    if favourite:
        _prefer(model.text_decoder.cls.predictions.bias, favourite)
    else:
        _stir(model)
    return _save(folder, model, BlipProcessor(BlipImageProcessorPil(size=SIZE), _bert()))


def save_blip2(folder: Path, favourite: str = "dog") -> Path:
    """BLIP-2 with OPT: a decoder that repeats its prompt."""
    torch.manual_seed(0)
    config = Blip2Config(
        vision_config=VISION,
        qformer_config={**TEXT, "encoder_hidden_size": 16, "cross_attention_frequency": 1},
        text_config=OPTConfig(
            **{**TEXT, "ffn_dim": 16, "word_embed_proj_dim": 16}, bos_token_id=CLS, eos_token_id=SEP, pad_token_id=PAD
        ).to_dict(),
        num_query_tokens=4,
        image_text_hidden_size=16,
        image_token_index=IMAGE,
    )
    model = Blip2ForConditionalGeneration(config)
    _favour(model.language_model.model.decoder, model.get_input_embeddings().weight, favourite)
    processor = Blip2Processor(BlipImageProcessorPil(size=SIZE), _words(), num_query_tokens=4)
    return _save(folder, model, processor)


def save_vit_gpt2(folder: Path) -> Path:
    """ViT and GPT-2 as one VisionEncoderDecoderModel, with no processor of its own."""
    torch.manual_seed(0)
    decoder = GPT2Config(vocab_size=len(VOCABULARY), n_embd=16, n_layer=1, n_head=2, n_positions=64,
                         add_cross_attention=True, is_decoder=True, bos_token_id=CLS, eos_token_id=SEP)  # fmt: skip
    config = VisionEncoderDecoderConfig.from_encoder_decoder_configs(ViTConfig(**VISION), decoder)
    config.decoder_start_token_id, config.pad_token_id = CLS, PAD
    model = VisionEncoderDecoderModel(config)
    _favour(model.decoder.transformer, model.decoder.transformer.wte.weight, "hill")
    _words().save_pretrained(folder)
    ViTImageProcessorPil(size=SIZE).save_pretrained(folder)
    model.save_pretrained(folder)
    return folder


def save_git(folder: Path) -> Path:
    torch.manual_seed(0)
    config = GitConfig(vision_config=VISION, **TEXT, bos_token_id=CLS, eos_token_id=SEP, pad_token_id=PAD)
    model = GitForCausalLM(config)
    _prefer(model.output.bias, "red")
    return _save(folder, model, GitProcessor(CLIPImageProcessorPil(size=SIZE, crop_size=SIZE), _bert()))


def save_llava(folder: Path) -> Path:
    """A model that converses: it has a chat template and is asked in words."""
    torch.manual_seed(0)
    text = LlamaConfig(**TEXT, num_key_value_heads=2, bos_token_id=CLS, eos_token_id=SEP, pad_token_id=PAD)
    vision = CLIPVisionConfig(**VISION, projection_dim=16)
    model = LlavaForConditionalGeneration(
        LlavaConfig(vision_config=vision, text_config=text, image_token_index=IMAGE, vision_feature_layer=-1)
    )
    with torch.no_grad():  # an untied head without a bias: what every hidden state has in common is put there
        model.model.language_model.norm.weight.zero_()
        model.lm_head.weight.zero_()
    model.generation_config.suppress_tokens = [i for i in range(len(VOCABULARY)) if i != VOCABULARY["photo"]]
    processor = LlavaProcessor(
        CLIPImageProcessorPil(size=SIZE, crop_size=SIZE), _words(), patch_size=8, image_token="<image>",
        vision_feature_select_strategy="default", num_additional_image_tokens=1, chat_template=CHAT,
    )  # fmt: skip
    return _save(folder, model, processor)


def _save(folder: Path, model: torch.nn.Module, processor: object) -> Path:
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


@torch.no_grad()
def _prefer(bias: torch.Tensor, word: str) -> None:
    bias[VOCABULARY[word]] += 50


@torch.no_grad()
def _stir(model: torch.nn.Module) -> None:
    """Weights large enough that different images give different words; never the end of a caption."""
    for weight in model.parameters():
        weight.normal_(0, 0.7)
    bias = model.text_decoder.cls.predictions.bias
    bias.zero_()[[*range(len(SPECIALS)), DEC]] = -1000


@torch.no_grad()
def _favour(decoder: torch.nn.Module, embeddings: torch.Tensor, word: str) -> None:
    """Where head and embeddings are one: the last norm's bias points at the embedding of `word`, made long."""
    norm = decoder.final_layer_norm if hasattr(decoder, "final_layer_norm") else decoder.ln_f
    embeddings[VOCABULARY[word]] *= 20
    norm.bias.copy_(50 * embeddings[VOCABULARY[word]])


def _bert() -> BertTokenizer:
    return BertTokenizer(vocab=dict(VOCABULARY))


def _words() -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.WordLevel(VOCABULARY, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="[UNK]", pad_token="[PAD]", bos_token="[CLS]", eos_token="[SEP]",
        additional_special_tokens=["<image>"],
    )  # fmt: skip
