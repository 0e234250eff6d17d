"""Knobs of gendeg convert."""

from dataclasses import dataclass
from pathlib import Path

from gendeg.primitives.options import argument, option


@dataclass(frozen=True)
class ConvertConfig:
    """gendeg convert"""

    checkpoint: Path = argument(help="The authors' checkpoint: .ckpt (tensors only) or .safetensors.", there=True)
    out: Path = option(help="The model folder to write.")
    structure: Path | None = option(None, "Their structure-correction network (NAFNet).", there=True)
    base: str = option("", "Folder or hub id of Stable Diffusion 1.5, for its tokenizer.")
    config: Path | None = option(None, "JSON with sizes other than the published ones.", there=True)
    check: Path | None = option(None, ".npz of published numbers to compare with.", there=True)
    overwrite: bool = option(False, "Replace the folder.")
