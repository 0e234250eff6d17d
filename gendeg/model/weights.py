"""Loading models: the bundled one, a folder or a hub id; safetensors only."""

import hashlib
from pathlib import Path
from typing import Any

import torch

from gendeg.intensity.reach import physics_sha256
from gendeg.model.base import load_base
from gendeg.model.latents import AUTOENCODERS, Autoencoder
from gendeg.model.loading import (
    LOAD_ERRORS,
    LORA,
    OPTIONAL,
    REQUIRED,
    check_component,
    check_model,
    check_whole,
    load_text_encoder,
    loading,
    model_folder,
    quiet,
    variant_of,
)
from gendeg.model.lora import put_lora
from gendeg.model.nafnet import NAFNet
from gendeg.model.pipeline import GenDegPipeline
from gendeg.model.samplers import DistilledScheduler, Taught
from gendeg.primitives.errors import BadModel
from gendeg.primitives.files import read_json_object
from gendeg.primitives.memory import own_memory
from gendeg.primitives.options import BUNDLED, PHYSICS
from gendeg.primitives.silence import doing


def load_pipeline(model: str = BUNDLED, device: str = "cpu", dtype: torch.dtype = torch.float32) -> GenDegPipeline:
    """`bundled`, a folder (of a model, or of a LoRA run) or a hub id → the pipeline on `device`, ready to sample.

    Raises `BadModel` for a folder that lacks a component or holds pickles only, `HubUnreachable` when a hub id
    cannot be fetched.
    """
    with doing(f"loading model {model}"):
        return _load_pipeline(model, device, dtype)


def _load_pipeline(model: str, device: str, dtype: torch.dtype) -> GenDegPipeline:
    quiet()
    check_model(model)
    folder = model_folder(model)
    if model == PHYSICS:
        raise BadModel(folder, "these are the simulators: no weights that could be trained or calibrated")
    if (folder / LORA).is_file():
        pipeline = _load_lora(folder, dtype)
    elif folder.is_dir():
        pipeline = _load(str(folder), dtype, local=True)
    else:
        pipeline = _load(model, dtype, local=False)
    pipeline.set_progress_bar_config(disable=True)
    pipeline.to(device, silence_dtype_warnings=True)  # that fp16 cannot run on a CPU is not so any more
    return use_channels_last(pipeline) if pipeline.device.type == "cuda" else pipeline


def use_channels_last(pipeline: GenDegPipeline) -> GenDegPipeline:
    """Weights in the layout that a GPU's convolutions want; the numbers are the same but for roundings."""
    for part in (pipeline.unet, pipeline.vae, pipeline.structure):
        if part is not None:
            part.to(memory_format=torch.channels_last)
    return pipeline


def _load(name: str, dtype: torch.dtype, local: bool) -> GenDegPipeline:
    options: dict[str, Any] = {"dtype": dtype, "use_safetensors": True, "local_files_only": local}
    with loading(name, local):
        parts = {"text_encoder": load_text_encoder(name, options)} if local else {}
        variants = [variant_of(Path(name) / part) for part in (*REQUIRED, *OPTIONAL)] if local else []
        variant = next((one for one in variants if one), None)
        pipeline = GenDegPipeline.from_pretrained(name, **parts, **options, variant=variant)
    for part, module in pipeline.components.items():
        if isinstance(module, torch.nn.Module):
            check_whole(Path(name), part, module)
    return pipeline


def _load_lora(folder: Path, dtype: torch.dtype) -> GenDegPipeline:
    """The model that a LoRA folder names, with its changes. Raises `BadModel`, `HubUnreachable`."""
    named = read_json_object(folder / LORA)
    kind, base = named.get("kind"), str(named.get("base"))
    if kind not in ("init", "base"):
        raise BadModel(folder, f"its {LORA} must say kind init or base")
    pipeline = load_pipeline(base, dtype=dtype) if kind == "init" else load_base(base).to(dtype=dtype)
    put_lora(pipeline, folder)
    try:
        return as_student(pipeline, Taught(**named["distilled"])) if "distilled" in named else pipeline
    except (TypeError, ValueError, AttributeError) as error:
        raise BadModel(folder, f"what its {LORA} says of distilling cannot be read: {error}") from error


LEVELS = (
    "prediction_type", "num_train_timesteps", "beta_start", "beta_end", "beta_schedule", "trained_betas",
    "rescale_betas_zero_snr",
)  # fmt: skip
"""What a scheduler's configuration tells of the levels that its model was trained on."""


def as_student(teacher: GenDegPipeline, taught: Taught, **parts: Any) -> GenDegPipeline:
    """The teacher with a student's numbers, its scheduler and, in `parts`, its networks."""
    own = teacher.scheduler.config
    known = {name: own[name] for name in LEVELS if own.get(name) is not None}
    levels = [[float(timestep), float(signal)] for timestep, signal in taught.levels]
    scales = {"guidance_text": float(taught.guidance_text), "guidance_image": float(taught.guidance_image)}
    return teacher.with_parts(
        scheduler=DistilledScheduler(levels, **known),
        steps=len(levels),
        **scales,
        guidance_built_in=True,
        guidance_interval=[],
        sketch_levels={},
        **parts,
    )


def load_autoencoder(folder: Path) -> Autoencoder:
    """The autoencoder of `bundled`, in its own folder, or in `vae/` of a model folder. Raises `BadModel`."""
    return _load_part(folder, "vae", AUTOENCODERS)


def load_structure(folder: Path) -> NAFNet:
    """The structure correction of `bundled`, in its own folder, or in a model's `structure/`. Raises `BadModel`."""
    return _load_part(folder, "structure", {NAFNet.__name__: NAFNet})


def _load_part(folder: Path, part: str, kinds: dict[str, Any]) -> Any:
    folder = model_folder(str(folder))
    inside = (folder / part).is_dir()
    folder = folder / part if inside else folder
    if not folder.is_dir():
        raise BadModel(folder, "no such folder")
    check_component(folder, weights=True, alone=not inside)
    name = str(read_json_object(folder / "config.json").get("_class_name"))
    if name not in kinds:
        raise BadModel(folder, f"holds {name}, not {' or '.join(kinds)}")
    try:
        options = {"use_safetensors": True, "local_files_only": True, "variant": variant_of(folder)}
        module = kinds[name].from_pretrained(folder, **options)
    except (OSError, *LOAD_ERRORS) as error:
        raise BadModel(folder, str(error)) from error
    check_whole(folder, part, module)
    return own_memory(module).eval()


LATER = (
    "calibration", "residual_decoding", "guidance_interval", "guidance_built_in", "sketch", "sketch_levels", "evenness",
    "veils",
)  # fmt: skip


def model_sha256(pipeline: GenDegPipeline) -> str:
    """Hash of every weight and of the numbers that shape a sample; equal for equal models, wherever they came from.

    Of a model with a `sketch` the simulators that draw it are part.
    """
    digest = hashlib.sha256()
    with doing("hashing the model"):
        for name in sorted(pipeline.components):
            part = pipeline.components[name]
            if isinstance(part, torch.nn.Module):
                for key, tensor in sorted(part.state_dict().items()):
                    digest.update(f"{name}.{key} {tuple(tensor.shape)}".encode())
                    digest.update(tensor.detach().cpu().float().contiguous().numpy().tobytes())
    digest.update(type(pipeline.scheduler).__name__.encode())
    for config in (pipeline.scheduler.config, pipeline.config):  # names with "_" are how it was made, not what it is
        numbers = sorted((k, v) for k, v in config.items() if not k.startswith("_"))
        # A model without one of these is the model that it was before there were any.
        digest.update(repr([(k, v) for k, v in numbers if v or k not in LATER]).encode())
    if pipeline.config.sketch:
        digest.update(physics_sha256().encode())
    return digest.hexdigest()
