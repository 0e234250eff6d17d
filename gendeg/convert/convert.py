"""gendeg convert: the authors' checkpoint → a model folder."""

from pathlib import Path

from transformers import CLIPTokenizer

from gendeg.convert.agreement import Agreement, agreement, read_reference
from gendeg.convert.config import ConvertConfig
from gendeg.convert.ldm import PUBLISHED, convert_checkpoint, convert_structure, read_sizes
from gendeg.model.bundled import Sizes, make_tokenizer
from gendeg.model.loading import VOCABULARIES, quiet
from gendeg.model.pipeline import GenDegPipeline
from gendeg.model.samplers import PAPER
from gendeg.model.saving import INDEX, write_folder
from gendeg.model.weights import load_pipeline
from gendeg.primitives.errors import BadModel, BadOption, ForeignFolder, HubUnreachable, OutputExists
from gendeg.primitives.folders import says
from gendeg.training.captions import corpus


def convert(config: ConvertConfig) -> list[Agreement]:
    """Write the model folder, whole or not at all; the rows of `check`, of the model as it loads from there.

    Raises `OutputExists`, `ForeignFolder`, `BadModel` (with the keys that do not fit), `BadOption`, `MissingPath`.
    """
    if config.out.exists() and any(config.out.iterdir()):
        if not config.overwrite:
            raise OutputExists(config.out)
        if says(config.out / INDEX, "_class_name") is None:
            raise ForeignFolder(config.out, "there is no model in it to overwrite")
    known = None if config.check is None else read_reference(config.check)
    sizes = read_sizes(config.config)
    tokenizer = load_tokenizer(config.base, sizes["text"]["vocab_size"])
    parts = convert_checkpoint(config.checkpoint, sizes)
    pipeline = GenDegPipeline(
        vae=parts.vae,
        text_encoder=parts.text_encoder,
        tokenizer=tokenizer,
        unet=parts.unet,
        scheduler=parts.scheduler,
        conditioner=parts.conditioner,
        structure=None if config.structure is None else convert_structure(config.structure, sizes),
        **PAPER,
    )
    quiet()
    write_folder(config.out, pipeline.save_pretrained)
    return [] if known is None else agreement(load_pipeline(str(config.out)), known)


def load_tokenizer(base: str, vocabulary: int) -> CLIPTokenizer:
    """The tokenizer of a model folder or hub id. Without one: a stand-in, for checkpoints that are not CLIP's size.

    Raises `BadOption` where it is missing for the published size, `BadModel`, `HubUnreachable`.
    """
    if not base:
        if vocabulary == PUBLISHED["text"]["vocab_size"]:
            reason = "is needed, for a checkpoint holds no tokenizer: a folder or hub id of Stable Diffusion 1.5"
            raise BadOption("--base", reason)
        return make_tokenizer(corpus(), Sizes(vocabulary=vocabulary))
    folder = Path(base)
    if folder.is_dir():
        folder = folder / "tokenizer" if (folder / "tokenizer").is_dir() else folder
        if not any((folder / name).is_file() for name in VOCABULARIES):
            raise BadModel(folder, f"no tokenizer in it: neither {' nor '.join(VOCABULARIES)}")
        tokenizer = CLIPTokenizer.from_pretrained(folder, local_files_only=True)
    else:
        try:
            tokenizer = CLIPTokenizer.from_pretrained(base, subfolder="tokenizer")
        except OSError as error:
            raise HubUnreachable(base, str(error)) from error
    if len(tokenizer) != vocabulary:
        raise BadModel(Path(base), f"its tokenizer knows {len(tokenizer)} tokens, the text encoder {vocabulary}")
    return tokenizer
