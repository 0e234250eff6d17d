"""gendeg convert"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from gendeg.cli.errors import ERROR
from gendeg.configs import ConvertConfig

EXAMPLE = "Example: gendeg convert gendeg.ckpt --structure nafnet_sd.ckpt --base sd15/ --out model/"


def convert(
    checkpoint: Annotated[Path, typer.Argument(help="The authors' checkpoint: .ckpt (tensors only) or .safetensors.")],
    out: Annotated[Path, typer.Option(help="The model folder to write.")],
    structure: Annotated[Path | None, typer.Option(help="Their structure-correction network (NAFNet).")] = None,
    base: Annotated[str, typer.Option(help="Folder or hub id of Stable Diffusion 1.5, for its tokenizer.")] = "",
    config: Annotated[Path | None, typer.Option(help="JSON with sizes other than the published ones.")] = None,
    check: Annotated[Path | None, typer.Option(help=".npz of published numbers to compare with.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the folder.")] = False,
) -> int:
    """Turn the authors' checkpoint into a model folder, every key accounted for."""
    from gendeg.jobs.agreement import doubt
    from gendeg.jobs.convert import convert as run

    rows = run(ConvertConfig(checkpoint, out, structure, base, config, check, overwrite))
    if not base:
        print("gendeg: no --base, so the tokenizer is a stand-in: prompts will mean nothing to it", file=sys.stderr)
    print(f"gendeg: model in {out}", file=sys.stderr)
    for row in rows:
        print(f"{row.quantity:<13} {row.error:9.2e}  {'agrees' if row.close else 'DIFFERS'}")
    if reason := doubt(rows):
        print(f"gendeg: {reason}", file=sys.stderr)
    return 0 if all(row.close for row in rows) else ERROR
